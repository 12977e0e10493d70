# Copyright (c) 2026 The dgxspark.sglang authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that the nodes serve: tiny, random, and real to SGLang."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from . import config, engine, images, ui

RECIPE = config.HERE / "model"
SPARK_ID = 1000


def ensure(image: str) -> bytes:
    """Make the model with the transformers of an engine image; returns the archive to unpack in a node's /."""
    folder = config.DATA / "model" / images.digest(RECIPE)
    if not (folder / "config.json").exists():
        with ui.step("tiny model"):
            unfinished = config.BUILD / "model"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            engine.docker(
                "run", "--rm", "--network=none", f"--volume={unfinished}:/out", f"--volume={RECIPE}:/recipe:ro",
                "--env=OMP_NUM_THREADS=1", image, "python3", "/recipe/tiny_llama.py", "/out",
            )  # fmt: skip
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
    return _archive(folder)


def _archive(folder: Path) -> bytes:
    """The model below the home of the nodes' user, every folder and file owned by that user."""
    root = PurePosixPath(config.MODEL_ROOT) / config.MODEL
    home = PurePosixPath("/home") / config.USER
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for parent in [path for path in reversed(root.parents) if path.is_relative_to(home) and path != home] + [root]:
            entry = tarfile.TarInfo(str(parent).lstrip("/"))
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o755, SPARK_ID, SPARK_ID
            archive.addfile(entry)
        for path in sorted(folder.iterdir()):
            entry = archive.gettarinfo(str(path), arcname=f"{root}/{path.name}".lstrip("/"))
            entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o644, SPARK_ID, SPARK_ID, "", ""
            with path.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()
