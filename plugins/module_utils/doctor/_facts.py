# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor knows of a node (Facts), and what the inventory asks of a cluster (Wanted)."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..companion._systemd import Unit
from ..fabric import _cx7, _fabric
from ..fabric._fabric import Interface


@dataclass(frozen=True)
class Wanted:
    """What the inventory asks of one cluster. `addresses`: node -> its fabric addresses, first rail first.

    `address_fault` and `refusal`: what is wrong with the addresses, or with the request, and the next step.
    `ranks` are the nodes that get a rank, `fraction` is SGLang's mem_fraction_static, `ports`: node -> setting -> the
    port that must be free there.
    """

    nodes: tuple[str, ...]
    ranks: tuple[str, ...]
    head: str = ""
    gpus: str = "all"
    transport: str = _fabric.RDMA
    image: str = ""
    instance: str = "sglang"
    ports: t.Mapping[str, t.Mapping[str, int]] = field(default_factory=dict)
    mtu: int = 9000
    fraction: float = 0.75
    addresses: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    address_fault: tuple[str, str] = ("", "")
    refusal: tuple[str, str] = ("", "")

    @property
    def multi(self) -> bool:
        """Whether ranks must meet."""
        return len(self.nodes) > 1

    @property
    def rdma(self) -> bool:
        return self.multi and self.transport == _fabric.RDMA


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi shows it; clocks in MHz, use in percent, -1 for what it does not tell."""

    name: str
    driver: str
    clock: int = -1
    use: int = -1
    reasons: int = 0


@dataclass(frozen=True)
class App:
    """A process that computes on the GPU; `memory` in bytes, -1 when unknown."""

    pid: int
    process: str
    memory: int = -1
    container: str = ""
    ours: bool = False


@dataclass(frozen=True)
class Container:
    """A container of the node; `ours` when this collection made it."""

    id: str
    name: str
    image: str
    running: bool
    ours: bool


@dataclass(frozen=True)
class Disk:
    """The file system at `path`, in bytes."""

    path: str
    free: int
    total: int


@dataclass(frozen=True)
class Facts:
    """One node as it is now. With an `error` it could not be looked at, and nothing else is known.

    Memory, disk and model in bytes, `offset` of its clock to the controller's in seconds (positive: it is ahead) known
    to within `uncertainty`; None means that it was not asked or could not be told.
    """

    node: str
    error: str = ""
    hint: str = ""
    os: t.Mapping[str, str] = field(default_factory=dict)
    dgx: str = ""
    machine: str = ""
    kernel: str = ""
    cmdline: tuple[str, ...] = ()
    bios: str = ""
    hostname: str = ""
    own_addresses: tuple[str, ...] = ()
    memory: t.Mapping[str, int] = field(default_factory=dict)
    load: float = 0.0
    cores: int = 0
    user: str = ""
    groups: tuple[str, ...] = ()
    memlock: str = ""
    gpus: tuple[Gpu, ...] = ()
    gpu_error: str = ""
    cuda: str = ""
    apps: tuple[App, ...] = ()
    docker_error: str = ""
    docker: str = ""
    sdk: bool = True
    toolkit: bool = True
    gpu_ways: tuple[str, ...] = ()
    proxy: bool = False
    containers: tuple[Container, ...] = ()
    engines: tuple[Unit, ...] = ()
    image_id: str = ""
    image_digests: tuple[str, ...] = ()
    image_size: int = 0
    nccl: str | None = None
    nccl_error: str = ""
    docker_disk: Disk | None = None
    model_disk: Disk | None = None
    model_bytes: int = 0
    synchronized: bool | None = None
    offset: float | None = None
    uncertainty: float = 0.0
    ports: t.Mapping[int, t.Mapping[str, t.Any]] = field(default_factory=dict)
    interfaces: tuple[Interface, ...] = ()
    prefixes: t.Mapping[str, int] = field(default_factory=dict)
    default_interface: str = ""
    functions: tuple[_cx7.Function, ...] = ()
    hotplug: bool = False
    registry: str = ""
    registry_found: bool = True

    @property
    def serving(self) -> bool:
        """Whether a server of ours runs here: what it holds is no obstacle to it."""
        return any(container.ours and container.running for container in self.containers)

    def interface_of(self, address: str) -> Interface | None:
        return next((face for face in self.interfaces if address in face.addresses), None)
