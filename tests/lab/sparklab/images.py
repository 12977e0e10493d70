# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, each kept in the lab's engine under the hash of what it is made of."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from . import config, debian, engine, sitetree, ui

NODE = config.HERE / "node"
ENGINE = config.HERE / "engine"
FAULTY = config.HERE / "faulty"
COMPANIONS = config.HERE / "companions"

# A node is an ordinary machine with what DGX OS brings along. python3-docker is not part of that.
NODE_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo", "docker.io", "pigz", "iptables",
    "iproute2", "iputils-ping", "ethtool", "procps", "psmisc", "kmod", "curl", "ca-certificates", "rsync", "less",
    "python3", "python3-apt", "uuid-runtime", "logrotate", "cron", "udev", "netplan.io", "ufw", "avahi-daemon",
    "avahi-utils", "libnss-mdns", "openssh-client", "iputils-arping",
)  # fmt: skip
ENGINE_PACKAGES = ("python3", "ca-certificates", "curl")


def digest(*parts: object) -> str:
    """Hash over strings and over names and contents of files and folders."""
    total = hashlib.sha256()
    for part in parts:
        for chunk in _chunks(part):
            total.update(hashlib.sha256(chunk).digest())
    return total.hexdigest()[:16]


def _chunks(part: object) -> Iterable[bytes]:
    if not isinstance(part, Path):
        yield repr(part).encode()
        return
    for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.name.encode()
            yield path.read_bytes()


def exists(image: str) -> bool:
    return bool(engine.query("image", "inspect", "--format", "{{.Id}}", image))


def base(purpose: str, packages: tuple[str, ...]) -> str:
    """A minimal system, straight from the machine's apt sources: no image comes from a registry."""
    image = f"{config.LABEL}/{purpose}-base:{digest(packages, debian.sources(), debian.codename(), 1)}"
    if not exists(image):
        archive = config.BUILD / f"{purpose}.tar"
        with ui.step(f"system for {purpose} images (mmdebstrap, {len(packages)} packages)"):
            debian.root_filesystem(packages, archive)
            engine.docker("import", archive, image)
            archive.unlink()
    return image


def node() -> str:
    """The image of a simulated Spark."""
    authority = config.DATA / "tls" / "ca.crt"
    public_key = config.SSH_KEY.with_suffix(".pub")
    parent = base("node", NODE_PACKAGES)
    image = f"{config.LABEL}/node:{digest(parent, NODE, authority, public_key, config.PASSWORD)}"
    if not exists(image):
        with ui.step("node image"):
            context = _fresh(config.BUILD / "node")
            shutil.copytree(NODE, context, dirs_exist_ok=True)
            shutil.copy(authority, context / "lab-ca.crt")
            shutil.copy(public_key, context / "authorized_keys")
            _build(image, context, FROM=parent, SPARK_USER=config.USER, SPARK_PASSWORD=config.PASSWORD)
    return image


def engines() -> dict[str, str]:
    """The engine images, and the stand-ins for what runs beside one: public name -> image in the lab's engine."""
    parent = base("engine", ENGINE_PACKAGES)
    versions = sorted(set(config.ENGINES.values()))
    recipe = Path(sitetree.__file__)
    common = f"{config.LABEL}/engine-common:{digest(parent, config.TORCH, config.XGRAMMAR, ENGINE, recipe)}"
    built = {v: f"{config.LABEL}/engine:{v}-{digest(common, v)}" for v in versions}
    if not all(exists(image) for image in built.values()):
        trees = sitetree.make(_fresh(config.BUILD / "engine"), versions)
        with ui.step("image of what the engine images share"):
            _engine_layer(common, parent, trees.torch)
            _engine_layer(common, common, trees.shared)
        for version, image in built.items():
            with ui.step(f"engine image, SGLang {version}"):
                _engine_layer(image, common, trees.own[version])
        shutil.rmtree(config.BUILD / "engine")
    return {name: built[version] for name, version in config.ENGINES.items()} | {
        config.FAULTY_ENGINE: _faulty(built[config.ENGINES[config.DEFAULT_ENGINE]]),
        **{name: _companion(stage, parent) for name, stage in config.COMPANIONS.items()},
    }


def _faulty(parent: str) -> str:
    """An image of which the server is a stand-in that fails."""
    image = f"{config.LABEL}/engine:faulty-{digest(parent, FAULTY)}"
    if not exists(image):
        with ui.step("engine image that fails"):
            _build(image, FAULTY, FROM=parent)
    return image


def _companion(stage: str, parent: str) -> str:
    """A stand-in for a service that runs beside the server: a small program on what the engines have below them."""
    image = f"{config.LABEL}/companion:{stage}-{digest(parent, COMPANIONS)}"
    if not exists(image):
        with ui.step(f"stand-in for {stage}"):
            _build(image, COMPANIONS, f"--target={stage}", FROM=parent)
    return image


def _engine_layer(image: str, parent: str, tree: Path) -> None:
    """One more layer on `parent`. One COPY only: each costs a look at all that is below it."""
    context = tree.parent / f"{tree.name}.context"
    site = context / "root" / "usr" / "local" / "lib" / f"python{config.PYTHON}" / "dist-packages"
    site.parent.mkdir(parents=True)
    tree.rename(site)
    if tree.name == "torch":
        shutil.copytree(ENGINE / "stand_ins", context / "root" / "opt" / "cpu-stand-ins")
    shutil.copy(ENGINE / "Dockerfile", context)
    _build(image, context, FROM=parent)
    shutil.rmtree(context)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _build(image: str, context: Path, *options: str, **arguments: str) -> None:
    pairs = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    engine.docker("build", "--network=none", "--force-rm", f"--tag={image}", *options, *pairs, context)
