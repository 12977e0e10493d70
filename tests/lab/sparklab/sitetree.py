# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip installs for SGLang, split into the parts that the engine images share and those they don't."""

from __future__ import annotations

import csv
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import config, ui

ENGINE = config.HERE / "engine"
# Never read by a server: command line tools, type stubs, headers, test suites.
UNUSED = ("bin", "jedi/third_party", "torch/include", "torch/test", "torch/share")


@dataclass(frozen=True)
class Trees:
    """Folders with disjoint parts of one site-packages folder."""

    torch: Path
    shared: Path
    own: dict[str, Path]


def make(folder: Path, versions: list[str]) -> Trees:
    """Install every version, then move what is the same in all of them into common folders."""
    own = {version: folder / version for version in versions}
    with ui.step(f"pip: SGLang {', '.join(versions)} with torch {config.TORCH}"), ThreadPoolExecutor() as pool:
        list(pool.map(_install, own.values(), own))
    with ui.step("strip and split what pip installed"):
        for tree in own.values():
            _strip(tree)
        trees = Trees(folder / "torch", folder / "shared", own)
        first, *others = own.values()
        for distribution in sorted(set.intersection(*(_distributions(tree) for tree in own.values()))):
            target = trees.torch if distribution.startswith("torch-") else trees.shared
            for name in _files(first, distribution):
                _move(first / name, target / name)
                for other in others:
                    (other / name).unlink(missing_ok=True)
        for tree in (trees.torch, trees.shared, *own.values()):
            _compile(tree)
    return trees


def _install(tree: Path, version: str) -> None:
    python = shutil.which(f"python{config.PYTHON}")
    if not python:
        raise ui.LabError(f"a Python {config.PYTHON} with pip is needed to fetch the engine's packages")
    pip = [python, "-m", "pip", "install", "--no-compile", "--quiet", "--root-user-action=ignore", "--target", tree]
    ui.run([*pip, f"torch=={config.TORCH}", "--requirement", ENGINE / f"requirements-{version}.txt"])
    # Without dependencies: the declared ones exist for CUDA only; the pins hold what the CPU path needs.
    ui.run([*pip, "--no-deps", f"sglang=={version}", f"xgrammar=={config.XGRAMMAR[version]}"])


def _strip(tree: Path) -> None:
    for name in UNUSED:
        shutil.rmtree(tree / name, ignore_errors=True)
    # torch insists on one of its programs when it is imported.
    programs = [path for path in (tree / "torch" / "bin").iterdir() if path.name != "torch_shm_manager"]
    for path in [*programs, *tree.rglob("tests"), *tree.rglob("*.a")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _distributions(tree: Path) -> set[str]:
    """Names with versions, such as `numpy-2.4.6`."""
    return {path.name.removesuffix(".dist-info") for path in tree.glob("*.dist-info")}


def _files(tree: Path, distribution: str) -> list[Path]:
    """Relative paths of the files of one distribution that are still there."""
    with (tree / f"{distribution}.dist-info" / "RECORD").open(newline="") as record:
        names = [Path(row[0]) for row in csv.reader(record)]
    return [name for name in names if ".." not in name.parts and (tree / name).is_file()]


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _compile(tree: Path) -> None:
    """Byte code saves every container some ten seconds of start-up on a small machine.

    Unchecked, because file times change on the way into a layer; tracebacks name the paths of the image.
    """
    python = shutil.which(f"python{config.PYTHON}")
    inside = f"/usr/local/lib/python{config.PYTHON}/dist-packages"
    mode = ["--invalidation-mode", "unchecked-hash"]
    ui.run([python, "-m", "compileall", "-q", "-j", "0", *mode, "-s", tree, "-p", inside, tree], check=False)
