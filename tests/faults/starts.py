# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A new plan that does not come up, whatever the reason: the last good one is back, or nothing runs."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.dgxspark.sglang.tests.faults.fault import (
    CLEANLY_STOPPED,
    REFUSED,
    SERVING_AGAIN,
    STAND_IN,
    Catalogue,
)
from ansible_collections.dgxspark.sglang.tests.faults.wanted import FAULTY, MODEL_FOLDER, OTHER_PLAN, stand_in

CATALOGUE = Catalogue()
fault = CATALOGUE.fault
BACK = "The last good plan serves again: tiny-llama"

if t.TYPE_CHECKING:
    from ansible_collections.dgxspark.sglang.tests.faults.scene import Scene

# The lines of the engine's log (0.5.23) by which a phase of a rank's start is known; none: its very beginning.
PHASES: dict[str, tuple[str, str]] = {
    "starting": ("", ""),
    "loading": ("Load weight begin", "Load weight begin"),
    "warming-up": ("Application startup complete", "Dummy health check server started"),
}


def killed_while(scene: Scene, rank: int, phase: str) -> None:
    run = scene.begin("site.yml", **OTHER_PLAN)
    scene.kill_engine_at(scene.cluster.nodes[rank], PHASES[phase][min(rank, 1)])
    scene.red(scene.finish(run))


for _rank in (0, 1):
    for _phase in PHASES:
        fault(
            "rank",
            SERVING_AGAIN,
            f"(rank {_rank})",
            BACK,
            name=f"rank-{_rank}-killed-while-{_phase}",
            breaks=f"The engine of rank {_rank} gets SIGKILL while it is {_phase.replace('-', ' ')} for a new plan.",
            # What the gate promises; while a rank is being started, it does not look yet.
            told=3.0 if _phase != "starting" else 0.0,
            quick=(_rank, _phase) == (1, "loading"),
        )(partial(killed_while, rank=_rank, phase=_phase))


def killed_while_pulling(scene: Scene, rank: int) -> None:
    other = "lmsysorg/sglang:spark"
    scene.each(lambda node: scene.sh(node, f"docker rmi --force {other} > /dev/null 2>&1 || true"))
    run = scene.begin("site.yml", server_image=other, server_sglang="0.5.4.post2")
    run.until(r"TASK \[dgxspark.sglang.image : ")
    scene.kill_engine(scene.cluster.nodes[rank])
    scene.green(scene.finish(run))


for _rank in (0, 1):
    fault(
        "rank",
        SERVING_AGAIN,
        name=f"rank-{_rank}-killed-while-pulling",
        breaks=f"The engine of rank {_rank} gets SIGKILL while a run pulls the image of the next plan.",
    )(partial(killed_while_pulling, rank=_rank))


@fault("rank", SERVING_AGAIN, "killed for lack of memory", BACK)
def new_plan_runs_out_of_memory(scene: Scene) -> None:
    """The kernel kills the engine of the new plan, because its container may use 500 MiB only."""
    scene.red(scene.play("site.yml", server_memory=500 * 2**20))


@fault("model", SERVING_AGAIN, "(rank 1)", BACK, engine=STAND_IN)
def new_model_crashes_at_90_percent(scene: Scene) -> None:
    """Rank 1 of a new model is killed when it has loaded nine of its ten shards."""
    scene.red(scene.play("switch_model.yml", **stand_in("killed_at_90")))


@fault("model", SERVING_AGAIN, "memory", BACK, engine=STAND_IN)
def new_model_finds_no_gpu_memory(scene: Scene) -> None:
    """A new model has loaded and finds no memory for its CUDA graphs."""
    scene.red(scene.play("switch_model.yml", **stand_in("out_of_memory")))


@fault("model", SERVING_AGAIN, BACK, engine=STAND_IN)
def new_model_never_gets_ready(scene: Scene) -> None:
    """A new model loads for ever; its start may take 20 s."""
    scene.red(scene.play("switch_model.yml", **stand_in("never_ready", server_start_timeout=20)))


@fault("image", SERVING_AGAIN, "unrecognized arguments", BACK, engine=STAND_IN)
def image_lacks_a_flag(scene: Scene) -> None:
    """The image says that it has SGLang 0.5.23 and lacks one of its flags."""
    scene.red(scene.play("switch_model.yml", **stand_in("lacks_flag")))


@fault("rank", SERVING_AGAIN, BACK)
def worker_never_joins(scene: Scene) -> None:
    """The worker's container of a new plan is frozen right after its start; the start may take 60 s."""
    run = scene.begin("site.yml", **OTHER_PLAN, server_start_timeout=60)
    scene.wait_for_start(scene.worker)
    scene.pause(scene.worker)
    scene.red(scene.finish(run))


@fault("model", CLEANLY_STOPPED, "The last good plan (tiny-llama) did not come up either", engine=STAND_IN)
def last_good_is_broken_too(scene: Scene) -> None:
    """A new model ends at its start, and the worker's folder of the model before has gone meanwhile."""
    other = "lab/tiny-other"
    folder, away = MODEL_FOLDER.removesuffix("lab/tiny-llama") + other, f"{MODEL_FOLDER}.away"
    scene.each(lambda node: scene.sh(node, f"cp -a {MODEL_FOLDER} {folder}"))
    scene.undo.callback(scene.each, lambda node: scene.sh(node, f"rm -rf {folder}"))
    run = scene.begin("switch_model.yml", **stand_in("never_ready", path=other, server_start_timeout=15))
    scene.wait_for_start(scene.worker)
    scene.breaks()
    scene.sh(scene.worker, f"mv {MODEL_FOLDER} {away}")
    scene.undo.callback(scene.sh, scene.worker, f"mv {away} {MODEL_FOLDER}")
    scene.red(scene.finish(run))


@fault(
    "image",
    REFUSED,
    "spark-02: instance-name: sglang is a container of somebody else",
    "rename or remove it",
    serving=False,
)
def stranger_with_our_name(scene: Scene) -> None:
    """Somebody else's container has the server's name on the worker, while nothing serves."""
    stranger = f"docker run --detach --name sglang --network none --entrypoint sleep {FAULTY} 600"
    scene.sh(scene.worker, f"docker rm --force sglang > /dev/null 2>&1; docker pull --quiet {FAULTY}; {stranger}")
    scene.undo.callback(scene.sh, scene.worker, "docker rm --force sglang")
    scene.red(scene.play("site.yml"))
    if "true" not in scene.sh(scene.worker, "docker inspect --format '{{.State.Running}}' sglang"):
        scene.wrong.append("the stranger's container was touched")


def killed_while_stopping(scene: Scene, rank: int) -> None:
    run = scene.begin("stop.yml")
    run.until(r"TASK \[.*Stop the head")
    scene.kill_engine(scene.cluster.nodes[rank])
    scene.green(scene.finish(run))


for _rank in (0, 1):
    fault(
        "rank",
        CLEANLY_STOPPED,
        name=f"rank-{_rank}-killed-while-stopping",
        breaks=f"The engine of rank {_rank} gets SIGKILL while stop.yml stops the cluster.",
    )(partial(killed_while_stopping, rank=_rank))
