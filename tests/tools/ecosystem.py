"""Run the checks of the Ansible world on a clean copy of the tree, two at a time, and report on every one of them.

The copy holds what git tracks or would track, so caches and half-made files neither fail a check nor make it slow.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import setup
from steps import LOGS, REPO, VENV, Outcome, clock, heading, run_logged, say, show_tail, tool_env

COLLECTION = Path("ansible_collections", "dgxspark", "sglang")
SANITY_HOME = REPO / ".cache" / "ansible-test-home"
# A module runs on any of these on a node; the newest of them also runs the controller side.
SANITY_PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# ansible-test fetches pip from a host of its own; with Python's own copy an ordinary package index is enough.
GET_PIP = """\
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
"""
# Where a log names its faults, they say more than its end.
FAULT = re.compile(r"^(ERROR: |\[(WARNING|ERROR)\])")
IMPORTER_SETTINGS = """\
[galaxy-importer]
run_ansible_doc = True
run_ansible_lint = False
run_flake8 = False
check_required_tags = True
require_v1_or_greater = False
"""


@dataclass(frozen=True)
class Tree:
    """The copy: `root` is what Ansible looks in for collections, `top` is the collection in it."""

    root: Path
    top: Path

    def env(self, **extra: str) -> dict[str, str]:
        return tool_env(VENV, ANSIBLE_COLLECTIONS_PATH=str(self.root), **extra)


@dataclass(frozen=True)
class Check:
    name: str
    expect: str
    run: Callable[[Tree], Outcome]


@dataclass(frozen=True)
class Result:
    name: str
    ok: bool
    seconds: float
    log: Path


def copy_tree(root: Path) -> Tree:
    top = root / COLLECTION
    listing = subprocess.run(
        # A checkout may belong to another user than the one who tests it.
        ["git", "-c", f"safe.directory={REPO}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        source, target = REPO / name, top / name
        if not source.is_symlink() and not source.is_file():
            continue  # deleted here, not yet in git
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    # Several tools ask git which files there are.
    subprocess.run(["git", "init", "--quiet", "."], cwd=top, check=True)
    subprocess.run(["git", "add", "--all"], cwd=top, check=True)
    return Tree(root, top)


def pip_settings() -> str:
    """pip's settings as a file: ansible-test hands none of the PIP_* variables to its pip, and gets another home."""
    listing = subprocess.run([VENV / "bin" / "pip", "config", "list"], capture_output=True, text=True, check=True)
    sections: dict[str, dict[str, str]] = {}
    for line in listing.stdout.splitlines():
        found = re.match(r"(?P<section>[^.]+)\.(?P<key>[\w-]+)=(?P<value>.*)$", line)
        if found:
            section = "global" if found["section"] == ":env:" else found["section"]
            value = str(ast.literal_eval(found["value"]))
            sections.setdefault(section, {})[found["key"]] = "\n    ".join(value.split("\n"))
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        for section, values in sections.items()
    )


def sanity_home() -> Path:
    """A home of ansible-test's own: its caches go away with `make clean`, and the user's home stays as it is."""
    settings = SANITY_HOME / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.touch(mode=0o600)
    settings.write_text(pip_settings())
    requirements = next(VENV.glob("lib/python*/site-packages/ansible_test/_internal/python_requirements.py"))
    version = re.search(r"pip=['\"]([\d.]+)['\"]", requirements.read_text())
    if version is None:
        raise SystemExit("ecosystem: cannot see which pip ansible-test wants")
    cache = SANITY_HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{version[1].replace('.', '_')}.py").write_text(GET_PIP)
    return SANITY_HOME


def sanity(tree: Tree) -> Outcome:
    # Real interpreters: a pyenv shim answers by the folder it is called in.
    folders = [str(Path(found).parent) for found in map(setup.interpreter, SANITY_PYTHONS) if found]
    env = tree.env(HOME=str(sanity_home()))
    env["PATH"] = os.pathsep.join([str(VENV / "bin"), *dict.fromkeys(folders), env["PATH"]])
    # They are about what is shipped. Ruff looks at the rest, and mypy at the tools.
    argv = ["ansible-test", "sanity", "--venv", "--color", "no", "--exclude", "tests/", "--exclude", "molecule/"]
    return run_logged("ecosystem-sanity", argv, cwd=tree.top, env=env)


def ansible_lint(tree: Tree) -> Outcome:
    argv = ["ansible-lint", "--offline", "--profile", "production", "--strict", "--nocolor", "--format", "pep8"]
    return run_logged("ecosystem-ansible-lint", argv, cwd=tree.top, env=tree.env())


def antsibull_docs(tree: Tree) -> Outcome:
    argv = ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", "."]
    return run_logged("ecosystem-antsibull-docs", argv, cwd=tree.top, env=tree.env())


def changelog(tree: Tree) -> Outcome:
    return run_logged("ecosystem-changelog", ["antsibull-changelog", "lint"], cwd=tree.top, env=tree.env())


def galaxy_importer(tree: Tree) -> Outcome:
    out = tree.root.parent / "galaxy"
    out.mkdir(exist_ok=True)
    settings = out / "galaxy-importer.cfg"
    settings.write_text(IMPORTER_SETTINGS)
    env = tree.env(GALAXY_IMPORTER_CONFIG=str(settings))
    build = ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(out)]
    built = run_logged("ecosystem-galaxy-build", build, cwd=tree.top, env=env)
    if not built.ok:
        return built
    artifact = next(out.glob("dgxspark-sglang-*.tar.gz"))
    importer = [str(VENV / "bin" / "python"), "-m", "galaxy_importer.main", str(artifact)]
    imported = run_logged("ecosystem-galaxy-importer", importer, cwd=out, env=env)
    # The importer only warns about what it would show on the collection's page as a fault.
    warned = re.search(r"^(WARNING|ERROR)", imported.log.read_text(), re.MULTILINE)
    seconds = built.seconds + imported.seconds
    return Outcome(1 if warned else imported.returncode, seconds, imported.log)


def reference(tree: Tree) -> Outcome:
    argv = [str(VENV / "bin" / "python"), "tests/tools/docs.py", "--check"]
    return run_logged("ecosystem-reference", argv)


def ruff(tree: Tree) -> Outcome:
    both = "ruff check --no-cache . && ruff format --no-cache --check --diff ."
    return run_logged("ecosystem-ruff", ["sh", "-c", both], cwd=tree.top, env=tree.env())


def mypy(tree: Tree) -> Outcome:
    env = tree.env(MYPYPATH=str(tree.root))
    argv = ["mypy", "--config-file", str(tree.top / "pyproject.toml"), "--cache-dir", str(REPO / ".cache" / "mypy")]
    checked = [str(COLLECTION / name) for name in ("plugins", "tests/tools", "tests/lab/ask.py")]
    return run_logged("ecosystem-mypy", [*argv, *checked], cwd=tree.root, env=env)


CHECKS = (
    Check("sanity", "1-2 min, the first time 2-3", sanity),
    Check("ansible-lint", "40 s", ansible_lint),
    Check("antsibull-docs", "40 s", antsibull_docs),
    Check("galaxy-importer", "40 s", galaxy_importer),
    Check("reference", "5 s", reference),
    Check("mypy", "10 s", mypy),
    Check("ruff", "1 s", ruff),
    Check("changelog", "2 s", changelog),
)


def timed(check: Check, tree: Tree) -> Result:
    started = time.monotonic()
    outcome = check.run(tree)
    return Result(check.name, outcome.ok, time.monotonic() - started, outcome.log)


def run_checks(only: list[str] | None = None, jobs: int = 2) -> list[Result]:
    checks = [check for check in CHECKS if not only or check.name in only]
    results = []
    with tempfile.TemporaryDirectory(prefix="dgxspark-sglang-") as folder:
        tree = copy_tree(Path(folder) / "tree")
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            running = [pool.submit(timed, check, tree) for check in checks]
            for done in as_completed(running):
                result = done.result()
                say(f"   {'ok    ' if result.ok else 'FAILED'}  {result.name:<16} {clock(result.seconds):>14}")
                results.append(result)
    for result in results:
        if not result.ok:
            say()
            show_tail(result.log, worth_reading=FAULT)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = [check.name for check in CHECKS]
    parser.add_argument("--only", action="append", choices=names, help="run this check alone (may be repeated)")
    parser.add_argument("--jobs", type=int, default=2, help="checks at a time (default: %(default)s)")
    options = parser.parse_args()
    heading("ecosystem: " + ", ".join(options.only or names), "2-3 min")
    results = run_checks(options.only, options.jobs)
    failed = [result.name for result in results if not result.ok]
    say(f"\n{len(results) - len(failed)} ok, {len(failed)} failed; logs in {LOGS.relative_to(REPO)}")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
