# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can't work is refused while a cluster serves, and the cluster does not notice."""

from __future__ import annotations

import subprocess
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.dgxspark.sglang.molecule.cluster import LAB, Cluster
from ansible_collections.dgxspark.sglang.tests.faults.fault import REFUSED, SERVING_AS_BEFORE, Catalogue
from ansible_collections.dgxspark.sglang.tests.faults.wanted import FAULTY, MODEL_FOLDER, MODELS, RAILS

CATALOGUE = Catalogue()
fault = CATALOGUE.fault

if t.TYPE_CHECKING:
    from ansible_collections.dgxspark.sglang.tests.faults.scene import Scene


@fault("request", REFUSED, "'tiny-lama' is not in the catalogue", "Did you mean tiny-llama", quick=True)
def invalid_profile(scene: Scene) -> None:
    """The request names a profile that does not exist."""
    scene.refused("site.yml", server_model="tiny-lama")


@fault("request", REFUSED, "server_api_key can't be used", "at least 8 printable characters", quick=True)
def unusable_key(scene: Scene) -> None:
    """The request brings an API key that is too short."""
    scene.refused("site.yml", server_api_key="1234")


@fault("request", REFUSED, "both have the fabric address", quick=True)
def wrong_fabric_address(scene: Scene) -> None:
    """The request gives the worker the fabric address of the head."""
    scene.refused("site.yml", spark_fabric_addresses=["192.168.100.11"])


@fault("request", REFUSED, "spark-02: ports: port 31000 is taken by", "choose another server_port", quick=True)
def port_taken_on_a_worker(scene: Scene) -> None:
    """The request wants a port at which another program listens on the worker."""
    scene.sh(scene.worker, "systemd-run --quiet --unit=squatter python3 -m http.server 31000; sleep 1")
    scene.undo.callback(scene.sh, scene.worker, "systemctl stop squatter")
    scene.refused("site.yml", server_port=31000)


@fault("node", REFUSED, "reachable: can't be reached", "check its power, network and ssh", quick=True)
def node_unreachable_at_the_start(scene: Scene) -> None:
    """Nobody answers at the worker's address when a run begins."""
    address = scene.cluster.variables_of(scene.worker)["ansible_host"]
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder) / "hosts.yml"
        text = scene.cluster.inventory.read_text()
        # On loopback, nobody listens at this address.
        inventory.write_text(text.replace(f"ansible_host: {address}\n", "ansible_host: 127.0.0.9\n"))
        scene.refused("site.yml", on=Cluster(inventory, scene.cluster.nodes))


@fault("image", REFUSED, "can't be reached", "a server that runs already is not touched")
def registry_down(scene: Scene) -> None:
    """The registry does not answer when a run wants an image that no node has."""
    subprocess.run([*LAB, "registry", "stop"], check=True, capture_output=True)
    scene.undo.callback(subprocess.run, [*LAB, "registry", "start"], check=True, capture_output=True)
    scene.red(scene.play("site.yml", server_image="lmsysorg/sglang:nobody-has-it", server_sglang="0.5.23"))
    scene.repair()


@fault("image", REFUSED, "the same image", "image_pull=always")
def tag_moved_on_one_node(scene: Scene) -> None:
    """On the worker, the tag of the image stands for another image than on the head."""
    image, kept = "lmsysorg/sglang:v0.5.23", "kept-by-the-fault:1"
    back = f"docker tag {kept} {image} && docker rmi {kept} > /dev/null"
    scene.sh(scene.worker, f"docker tag {image} {kept}; docker pull --quiet {FAULTY}; docker tag {FAULTY} {image}")
    scene.undo.callback(scene.sh, scene.worker, back)
    scene.refused("site.yml")
    scene.repair()


@fault("model", REFUSED, "spark-02", "model-00003-of-00003.safetensors", quick=True)
def truncated_shard(scene: Scene) -> None:
    """On the worker, one shard of the model lacks its last byte."""
    shard = f"{MODEL_FOLDER}/model-00003-of-00003.safetensors"
    # The engine has read its weights: a file that is replaced does not disturb it, and the old one comes back later.
    scene.sh(scene.worker, f"cp -p {shard} {shard}.cut && truncate -s -1 {shard}.cut")
    scene.sh(scene.worker, f"mv {shard} /root/shard && mv {shard}.cut {shard}")
    scene.undo.callback(scene.sh, scene.worker, f"mv /root/shard {shard}")
    scene.refused("site.yml")
    scene.repair()


@fault("disk", REFUSED, "must stay free", "make room")
def no_room_for_the_model(scene: Scene) -> None:
    """The disk for models has less room on every node than another model needs."""
    place = "/home/spark/no-room"
    mount = "mount -t tmpfs -o size=2m,mode=0777 tmpfs"
    scene.each(lambda node: scene.sh(node, f"mkdir -p {place} && {mount} {place}"))
    scene.undo.callback(scene.each, lambda node: scene.sh(node, f"umount {place} && rmdir {place}"))
    scene.red(scene.play("switch_model.yml", model="tiny-moe", server_models=MODELS, server_model_root=place))
    scene.repair()


@fault("network", SERVING_AS_BEFORE, "enp1s0f1np1 has MTU 1500")
def fabric_mtu_1500_on_one_side(scene: Scene) -> None:
    """A rail of the worker falls back to MTU 1500: the doctor names it, site.yml repairs it while it serves."""
    scene.breaks()
    scene.sh(scene.worker, f"ip link set {RAILS[0]} mtu 1500")
    scene.undo.callback(scene.sh, scene.worker, f"ip link set {RAILS[0]} mtu 9000")
    scene.play("doctor.yml")  # a warning of it: the cluster serves, only slower
    scene.green(scene.play("site.yml"))
    if scene.sh(scene.worker, f"cat /sys/class/net/{RAILS[0]}/mtu") != "9000":
        scene.wrong.append("site.yml was green and left the rail with MTU 1500")
