# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is disturbed in the middle of a change: by its own death, a second run, a node, the network or a disk."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dgxspark.sglang.tests.faults.fault import (
    REFUSED,
    SERVING_AGAIN,
    SERVING_AS_BEFORE,
    STAND_IN,
    Catalogue,
)
from ansible_collections.dgxspark.sglang.tests.faults.wanted import OTHER_PLAN, stand_in

CATALOGUE = Catalogue()
fault = CATALOGUE.fault

if t.TYPE_CHECKING:
    from ansible_collections.dgxspark.sglang.tests.faults.scene import Scene


@fault("controller", SERVING_AS_BEFORE, "Cluster pair is locked by", "wait until that run has ended", quick=True)
def two_operators(scene: Scene) -> None:
    """A second run begins while another one works on the cluster: it is told who, and the first one ends green."""
    first = scene.begin("site.yml")
    first.until(r"TASK \[dgxspark.sglang.doctor : ")
    scene.breaks()
    scene.refused("site.yml", **OTHER_PLAN)
    scene.green(scene.finish(first))


def kill_in_a_switch(scene: Scene) -> None:
    """Kill the run, all of its processes at once, when the new plan's containers have been started."""
    run = scene.begin("switch_model.yml", **stand_in("never_ready"))
    run.until(r"TASK \[dgxspark.sglang.server : Converge \| Wait until it serves\]")
    scene.breaks()
    run.kill()


@fault("controller", SERVING_AGAIN, "An interrupted run left its lock", engine=STAND_IN)
def controller_killed_then_run_again(scene: Scene) -> None:
    """The run is killed in the middle of a switch, and site.yml is run again."""
    kill_in_a_switch(scene)
    scene.green(scene.play("site.yml"))


@fault("controller", SERVING_AGAIN, engine=STAND_IN)
def controller_killed_then_all_rebooted(scene: Scene) -> None:
    """The run is killed in the middle of a switch, nobody comes back, and all nodes are rebooted."""
    kill_in_a_switch(scene)
    scene.reboot(*scene.cluster.nodes)


@fault("network", SERVING_AGAIN, engine=STAND_IN, within=420.0)
def ssh_lost_in_the_middle(scene: Scene) -> None:
    """The worker's ssh is cut off while a switch waits for the new plan; when it is back, site.yml is run again."""
    run = scene.begin("switch_model.yml", **stand_in("never_ready", server_start_timeout=30))
    run.until(r"TASK \[dgxspark.sglang.server : Converge \| Wait until it serves\]")
    scene.without_ssh(scene.worker)
    played = scene.finish(run)
    scene.red(played)
    if not re.search(r"unreachable|can't be reached", played.output, re.IGNORECASE):
        scene.wrong.append("the play did not say that the worker could not be reached")
    scene.repair()
    scene.green(scene.play("site.yml"))


@fault("network", SERVING_AS_BEFORE, "nothing was touched: what ran before runs on")
def ssh_lost_while_nothing_changes(scene: Scene) -> None:
    """The worker's ssh is cut off when site.yml has looked at everything and found it as planned."""
    run = scene.begin("site.yml")
    run.until(r"TASK \[dgxspark.sglang.server : Plan \| All nodes must have come to the same plan\]", times=2)
    scene.without_ssh(scene.worker)
    scene.red(scene.finish(run))
    scene.repair()


@fault("node", SERVING_AGAIN, engine=STAND_IN, within=420.0)
def node_lost_halfway(scene: Scene) -> None:
    """The worker loses its power while a switch waits for the new plan; when it is back, site.yml is run again."""
    run = scene.begin("switch_model.yml", **stand_in("never_ready", server_start_timeout=30))
    run.until(r"TASK \[dgxspark.sglang.server : Converge \| Wait until it serves\]")
    scene.breaks()
    scene.power(scene.worker, "off")
    played = scene.finish(run)
    scene.red(played)
    scene.repair()
    scene.green(scene.play("site.yml"))


@fault("disk", REFUSED, "spark-02: /etc/dgxspark-sglang has 0 KiB free", "make room there")
def state_folder_full(scene: Scene) -> None:
    """The disk below the worker's /etc/dgxspark-sglang is full when a change of plan begins."""
    scene.full_disk(scene.worker, "/etc/dgxspark-sglang")
    scene.red(scene.play("site.yml", **OTHER_PLAN))
