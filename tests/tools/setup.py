"""Make the checkout ready for work: two virtual environments and the link by which Ansible finds the collection.

Runs on whatever `python3` is there; what was done before and is still right is left alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
LINK = REPO / ".collections" / "ansible_collections" / "dgxspark" / "sglang"
# (folder, requirements, Pythons in order of preference)
ENVIRONMENTS = (
    (".venv", "requirements-dev.txt", ("3.14", "3.13", "3.12")),
    (".venv-2.19", "requirements-dev-2.19.txt", ("3.11", "3.12", "3.13")),
)
PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


def step(text: str, started: float) -> None:
    print(f"   {text} [{time.monotonic() - started:.1f} s]", flush=True)


def pyenv_folders() -> list[Path]:
    """Folders with real interpreters: pyenv's shims only answer for the versions it has been told to select."""
    root = os.environ.get("PYENV_ROOT")
    if not root and shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
    versions = Path(root or Path.home() / ".pyenv") / "versions"
    return [folder / "bin" for folder in versions.glob("*")] if versions.is_dir() else []


def interpreter(version: str) -> str | None:
    """A working Python of this version that can make virtual environments."""
    folders = [*pyenv_folders(), *map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep))]
    for folder in folders:
        for name in (f"python{version}", "python3"):
            candidate = folder / name
            if not os.access(candidate, os.X_OK):
                continue
            probe = subprocess.run([str(candidate), "-c", PROBE], capture_output=True, text=True, check=False)
            if probe.returncode == 0 and probe.stdout.strip() == version:
                return str(candidate)
    return None


def first_interpreter(versions: tuple[str, ...]) -> str:
    for version in versions:
        found = interpreter(version)
        if found:
            return found
    raise SystemExit(f"setup: no Python with venv and ensurepip of version {' or '.join(versions)} on PATH or in pyenv")


def environment(folder: str, requirements: str, versions: tuple[str, ...]) -> None:
    started = time.monotonic()
    venv, wanted = REPO / folder, REPO / requirements
    stamp = venv / "made-from.sha256"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if (venv / "bin" / "python").exists() and stamp.exists() and stamp.read_text() == digest:
        step(f"{folder}: as {requirements} wants it", started)
        return
    python = first_interpreter(versions)
    print(f"   {folder}: installing {requirements} (about half a minute) ...", flush=True)
    subprocess.run([python, "-m", "venv", "--clear", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "-qq"]
    subprocess.run([*pip, "install", "-r", str(wanted)], check=True, stdin=subprocess.DEVNULL)
    # Written last: an interrupted installation is not mistaken for a finished one.
    stamp.write_text(digest)
    core = subprocess.run([str(venv / "bin" / "ansible"), "--version"], capture_output=True, text=True, check=True)
    name = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    step(f"{folder}: {core.stdout.splitlines()[0]}, {name}", started)


def link() -> None:
    """Show the checkout to Ansible under its collection name, without a copy that could be stale."""
    started = time.monotonic()
    LINK.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(REPO, LINK.parent)
    if not (LINK.is_symlink() and os.readlink(LINK) == target):
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(target)
    step("dgxspark.sglang: linked to this checkout", started)


def main() -> int:
    started = time.monotonic()
    print("== setup", flush=True)
    try:
        for folder, requirements, versions in ENVIRONMENTS:
            environment(folder, requirements, versions)
        link()
    except subprocess.CalledProcessError as error:
        print(f"setup: failed with {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    step("ready", started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
