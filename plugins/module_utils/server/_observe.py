# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the nodes showed of themselves, and whether a plan can work on them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, fields

from .._errors import Problem
from .._results import trouble
from ..fabric._fabric import Interface
from ..keeper._unit import instance_of
from ..model._folder import ModelFolder
from ..model._split import indivisible
from ._beside import MoeConfigs, parse_moe
from ._request import Draft

# Bytes for secrets, the last good plan and the journals, all of a few kilobytes.
STATE_ROOM = 2**20


@dataclass(frozen=True)
class Probe:
    """One node as it is now. `container` is the public view of the instance's container, empty when there is none.

    `running`: the instances that run; `beside`: another instance -> its model's folder; `state`: path and room (bytes)
    of the folder for secrets and the last good plan.
    """

    node: str
    error: str = ""
    hint: str = ""
    docker_error: str = ""
    sdk_missing: bool = False
    gpu_runtime: bool = True
    image_id: str = ""
    image_digests: tuple[str, ...] = ()
    image_sglang: str = ""
    container: t.Mapping[str, t.Any] = field(default_factory=dict)
    ports: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    interfaces: tuple[Interface, ...] = ()
    memory: t.Mapping[str, t.Any] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    state: t.Mapping[str, t.Any] = field(default_factory=dict)
    model: ModelFolder | None = None
    beside: t.Mapping[str, ModelFolder] = field(default_factory=dict)
    moe: MoeConfigs = field(default_factory=MoeConfigs)
    moe_trouble: Problem | None = None

    @property
    def model_bytes(self) -> int:
        return self.model.bytes if self.model else 0


def parse_probe(
    node: str,
    looked: t.Mapping[str, t.Any] | None,
    model: t.Mapping[str, t.Any] | None,
    image: t.Mapping[str, t.Any] | None,
    moe: t.Mapping[str, t.Any] | None = None,
    beside: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
) -> Probe:
    """Return the probe from the results of node_probe, model_inventory, sglang_image and moe_config, whichever way
    those ended. `beside`: instance -> its model's folder as model_inventory tells it."""
    for name, raw, proof in (
        ("node_probe", looked, "probe"),
        ("model_inventory", model, "models"),
        ("sglang_image", image or {"image_id": ""}, "image_id"),
    ):
        if proof not in (raw or {}):
            problem = trouble(raw, name)
            return Probe(node, error=problem.what, hint=problem.hint)
    found, folder = t.cast("dict[str, t.Any]", looked)["probe"], t.cast("dict[str, t.Any]", model)["models"][0]
    return Probe(
        node=node,
        docker_error=found["docker_error"],
        sdk_missing=found["sdk_missing"],
        gpu_runtime=found["gpu_runtime"],
        image_id=found["image_id"],
        image_digests=tuple(found["image_digests"]),
        image_sglang=(image or {}).get("sglang", ""),
        container=found["container"],
        ports=found["ports"],
        interfaces=tuple(Interface(**{**face, "addresses": tuple(face["addresses"])}) for face in found["interfaces"]),
        memory=found["memory"],
        running=frozenset(item["name"] for item in found["containers"] if item["running"]),
        state=found["state"],
        model=_folder(folder),
        beside={name: _folder(item) for name, item in (beside or {}).items()},
        moe=parse_moe(moe),
        moe_trouble=trouble(moe, "moe_config") if moe and not moe.get("skipped") and "folder" not in moe else None,
    )


def _folder(raw: t.Mapping[str, t.Any]) -> ModelFolder:
    """Return the verdict over a model folder from a result, whose lists are tuples here, and which may tell more."""
    known: dict[str, t.Any] = {item.name: raw[item.name] for item in fields(ModelFolder) if item.name in raw}
    known.update({key: tuple(value) for key, value in known.items() if isinstance(value, list)})
    return ModelFolder(**known)


def problems_of(drafted: Draft, probes: t.Mapping[str, Probe], strict: bool) -> list[Problem]:
    """Return every reason of the nodes against the plan."""
    found: list[Problem] = []
    for node in drafted.placement.nodes:
        probe = probes[node.name]
        if probe.error:
            found.append(Problem(f"{node.name} {probe.error}", probe.hint))
            continue
        found += _engine_problems(probe, drafted.request.gpus if strict else "none")
        found += _port_problems(probe, drafted.ports[node.name], drafted.request.instance)
        found += _state_problems(probe)
        found += _content_problems(probe, drafted) if strict else []
    looked = [probes[node.name] for node in drafted.placement.nodes]
    if strict and not found:
        found = _differences(looked) or _split_problems(drafted, looked[0])
    return found or _image_problems(drafted, looked, strict)


def _engine_problems(probe: Probe, gpus: str) -> list[Problem]:
    if probe.docker_error and not probe.sdk_missing:
        return [Problem(f"{probe.node}: {probe.docker_error}")]
    if gpus == "all" and not probe.sdk_missing and not probe.gpu_runtime:
        return [
            Problem(
                f"{probe.node}: Docker knows no NVIDIA runtime, so no container gets the GPU.",
                "install nvidia-container-toolkit and restart Docker (DGX OS ships it).",
            )
        ]
    container = probe.container
    if container and not container["ours"]:
        return [
            Problem(
                f"{probe.node}: a container named {container['name']} exists that this collection did not make.",
                "rename or remove it, or choose another name with server_instance; it is not touched.",
            )
        ]
    return []


def _state_problems(probe: Probe) -> list[Problem]:
    """A plan that serves and can't be kept would leave a cluster that does not come back."""
    if not probe.state or probe.state["room"] >= STATE_ROOM:
        return []
    path, free = probe.state["path"], probe.state["room"] // 1024
    what = (
        f"{probe.node}: {path} has {free} KiB free, needed are {STATE_ROOM // 1024} KiB for the plan and its secrets."
    )
    return [Problem(what, f"make room there (df -h {path} on the node names the file system).")]


def _port_problems(probe: Probe, ports: t.Mapping[str, int], instance: str) -> list[Problem]:
    found = []
    for setting, port in ports.items():
        owner = probe.ports.get(str(port))
        if owner and instance not in (owner["container"], instance_of(owner.get("unit", ""))):
            who = f"container {owner['container']}" if owner["container"] else f"{owner['process'] or 'somebody'}"
            found.append(
                Problem(
                    f"{probe.node}: port {port} is taken by {who} (pid {owner['pid'] or 'unknown'}).",
                    f"stop it, or choose another {setting}.",
                )
            )
    return found


def _content_problems(probe: Probe, drafted: Draft) -> list[Problem]:
    """What the engine reads: the model, which a bring-up fetches, and the configs made for it."""
    found = []
    if probe.model is not None and not probe.model.complete:
        profile = drafted.profile
        revision = f" --revision {profile.revision}" if profile.revision else ""
        hint = f"on {probe.node}: hf download {profile.repo}{revision} --local-dir {drafted.model_path}"
        found = [Problem(f"{probe.node}: {what}.", hint) for what in probe.model.problems]
    if probe.moe_trouble and not found:
        found = [Problem(f"{probe.node} {probe.moe_trouble.what}", probe.moe_trouble.hint)]
    return found


def _differences(probes: t.Sequence[Probe]) -> list[Problem]:
    """The ranks share one model: weights of two revisions answer nonsense, and nothing in the engine notices."""
    folders = [(probe.node, probe.model) for probe in probes if probe.model]
    first, model = folders[0] if folders else ("", None)
    for node, other in folders[1:]:
        for name in ("revision", "bytes", "config"):
            one, two = getattr(model, name), getattr(other, name)
            if one and two and one != two:
                shown = f"{name} {one} and {two}" if name != "config" else "two different config.json"
                what = f"{first} and {node} have different models in {other.path}: {shown}."
                return [Problem(what, "remove the wrong folder; the role model (site.yml) brings the other one there.")]
    return []


def _split_problems(drafted: Draft, probe: Probe) -> list[Problem]:
    config = probe.model.config if probe.model else None
    reasons = indivisible(config or {}, drafted.tp_size, drafted.args)
    what, hint = f"{drafted.profile.name} can't be split over {drafted.tp_size} ranks", "set another server_nodes."
    return [Problem(f"{what}: {why}.", hint) for why in reasons]


def _image_problems(drafted: Draft, probes: t.Sequence[Probe], strict: bool) -> list[Problem]:
    if not strict:
        return []
    image = drafted.image
    lacking = [probe.node for probe in probes if not probe.image_id]
    if lacking:
        return [
            Problem(f"Image {image.name} is not on {', '.join(lacking)}.", "run the role image first (site.yml does).")
        ]
    # The ID depends on the engine's image store, the digest of the registry does not.
    shared = set.intersection(*(set(probe.image_digests) for probe in probes))
    if not shared and len({probe.image_id for probe in probes}) > 1:
        shown = ", ".join(f"{probe.node} {probe.image_id[7:19]}" for probe in probes)
        return [
            Problem(
                f"{image.name} is not the same image on every node ({shown}).",
                "pull it anew everywhere with -e image_pull=always, or pin it by digest in server_image.",
            )
        ]
    other = next((probe for probe in probes if probe.image_sglang and probe.image_sglang != image.sglang), None)
    if other:
        return [
            Problem(
                f"{image.name} has SGLang {other.image_sglang}, the plan was made for {image.sglang}.",
                f"set server_sglang: {other.image_sglang} (its flags are checked then), or choose another image.",
            )
        ]
    return []
