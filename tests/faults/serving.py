# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A serving cluster loses something, and nobody with Ansible is there: the keepers bring it back, or keep it."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.dgxspark.sglang.tests.faults.fault import (
    CLEANLY_STOPPED,
    SERVING_AGAIN,
    SERVING_AS_BEFORE,
    Catalogue,
)
from ansible_collections.dgxspark.sglang.tests.faults.wanted import MODEL_FOLDER, RAILS

CATALOGUE = Catalogue()
fault = CATALOGUE.fault

if t.TYPE_CHECKING:
    from ansible_collections.dgxspark.sglang.tests.faults.scene import Scene

KEEPER = "dgxspark-sglang@sglang.service"
# A hung rank is noticed when /health was not 200 for the patience of 30 s that the faults set; a question takes 20 s.
HUNG = 420.0


def killed(scene: Scene, rank: int) -> None:
    scene.kill_engine(scene.cluster.nodes[rank])


def hung(scene: Scene, rank: int) -> None:
    scene.pause(scene.cluster.nodes[rank])


for _rank in (1, 0):
    fault(
        "rank",
        SERVING_AGAIN,
        name=f"rank-{_rank}-killed-while-serving",
        breaks=f"The engine of rank {_rank} gets SIGKILL while it serves.",
        quick=_rank == 1,
    )(partial(killed, rank=_rank))
    fault(
        "rank",
        SERVING_AGAIN,
        name=f"rank-{_rank}-hung",
        breaks=f"The container of rank {_rank} is frozen while it serves: connections stay, nothing answers.",
        within=HUNG,
    )(partial(hung, rank=_rank))


@fault("rank", SERVING_AGAIN, within=HUNG)
def head_alive_but_unhealthy(scene: Scene) -> None:
    """The scheduler of rank 0 stops (SIGSTOP) while its API goes on: /health is 503, no process has ended."""
    scene.breaks()
    scene.sh(scene.head, "kill -STOP $(pgrep --full '^sglang::scheduler')")


def keepers_started_again(scene: Scene, signal: str, seconds: float) -> None:
    before = {rank.node: rank.unit.restarts for rank in scene.before.ranks}
    scene.breaks()
    scene.each(lambda node: scene.sh(node, f"systemctl kill --kill-who=main --signal={signal} {KEEPER}"))
    scene.cluster.wait_until(
        lambda: all(rank.unit.restarts != before[rank.node] for rank in scene.look().ranks), seconds
    )


@fault("keeper", SERVING_AS_BEFORE, holds=12.0)
def keepers_killed(scene: Scene) -> None:
    """Every keeper gets SIGKILL; systemd starts them again, and they take the running ranks as they are."""
    keepers_started_again(scene, "KILL", 30)


@fault("keeper", SERVING_AS_BEFORE, holds=12.0)
def keepers_hung(scene: Scene) -> None:
    """Every keeper hangs (SIGSTOP); systemd's watchdog starts them again, and they take the ranks as they are."""
    keepers_started_again(scene, "STOP", 240)


@fault("keeper", SERVING_AS_BEFORE, holds=12.0)
def keepers_reloaded(scene: Scene) -> None:
    """No damage: every keeper is told to begin anew (systemctl reload), as after an update of the collection."""
    scene.breaks()
    scene.each(lambda node: scene.sh(node, f"systemctl reload {KEEPER}"))


@fault("model", CLEANLY_STOPPED, "Gave up after 2 failed start(s) in a row", within=60.0)
def model_lost_while_serving(scene: Scene) -> None:
    """A shard of the worker's model is cut while it serves; then a rank is killed, and no start can succeed."""
    shard = f"{MODEL_FOLDER}/model-00003-of-00003.safetensors"
    scene.sh(scene.worker, f"mv {shard} /root/shard && head --bytes=1000 /root/shard > {shard}")
    scene.undo.callback(scene.sh, scene.worker, f"mv /root/shard {shard}")
    scene.kill_engine(scene.head)
    # Two starts that fail, a minute apart.
    scene.cluster.wait_until(lambda: scene.look().ranks[0].unit.active in ("failed", "inactive"), 900)


for _name, _which in (("worker", slice(1, None)), ("head", slice(0, 1)), ("cluster", slice(None))):
    _what = {"worker": "The worker is", "head": "The head is", "cluster": "All nodes are"}[_name]

    def rebooted(scene: Scene, which: slice) -> None:
        scene.reboot(*scene.cluster.nodes[which])

    def lost_power(scene: Scene, which: slice) -> None:
        scene.lose_power(*scene.cluster.nodes[which])

    fault("node", SERVING_AGAIN, name=f"{_name}-rebooted", breaks=f"{_what} rebooted while it serves.")(
        partial(rebooted, which=_which)
    )
    fault(
        "node",
        SERVING_AGAIN,
        name=f"{_name}-loses-power",
        breaks=f"{_what} without power for three seconds: every process is gone at once.",
    )(partial(lost_power, which=_which))


def docker_restarted(scene: Scene, rank: int) -> None:
    scene.breaks()
    scene.sh(scene.cluster.nodes[rank], "systemctl restart docker.service")


for _rank, _name in enumerate(("head", "worker")):
    fault(
        "docker",
        SERVING_AGAIN,
        name=f"docker-restarted-on-the-{_name}",
        breaks=f"Docker is restarted on the {_name}, which ends all of its containers.",
    )(partial(docker_restarted, rank=_rank))


@fault("network", SERVING_AGAIN, within=HUNG)
def worker_loses_its_rails(scene: Scene) -> None:
    """Both rails of the worker go down for a minute, as when somebody pulls the cable, and come back."""
    rails = " ".join(RAILS)
    scene.breaks()
    scene.undo.callback(scene.sh, scene.worker, f"for rail in {rails}; do ip link set $rail up; done")
    scene.sh(scene.worker, f"for rail in {rails}; do ip link set $rail down; done")
    # Longer than the 30 s after which a keeper that can't be heard is gone.
    scene.cluster.wait_until(lambda: not scene.look().serving, 90)
    scene.sleep(60)
    scene.repair()


@fault("network", SERVING_AGAIN, within=HUNG)
def worker_loses_its_fabric_address(scene: Scene) -> None:
    """Somebody deletes the worker's address on the first rail and puts another one there; a minute later it is back."""
    right, wrong, rail = "192.168.100.12/24", "192.168.100.77/24", RAILS[0]
    scene.breaks()
    scene.undo.callback(
        scene.sh, scene.worker, f"ip address replace {right} dev {rail}; ip address delete {wrong} dev {rail}"
    )
    scene.sh(scene.worker, f"ip address delete {right} dev {rail}; ip address add {wrong} dev {rail}")
    scene.cluster.wait_until(lambda: not scene.look().serving, 120)
    scene.sleep(30)
    scene.repair()
