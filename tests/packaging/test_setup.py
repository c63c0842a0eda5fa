"""The set-up on machines that lack something: it says what, or installs it when root. And the image."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9/simple"


class Machine:
    """A clone with nothing set up, and programs of our choosing before the machine's own on PATH."""

    def __init__(self, root: Path) -> None:
        self.clone = root / "clone"
        self.programs = root / "bin"
        self.programs.mkdir(parents=True)
        for name in ("packaging", "requirements"):
            shutil.copytree(ROOT / name, self.clone / name)
        shutil.copy(ROOT / "pyproject.toml", self.clone)

    def program(self, name: str, body: str) -> Path:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def python_without_ensurepip(self) -> Path:
        return self.program("python3", f'case "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"')

    def user(self, number: int) -> None:
        self.program("id", f"echo {number}")

    def set_up(self, kind: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
        return set_up(self.clone, kind, {"PATH": f"{self.programs}:{os.environ['PATH']}", **environment})


def set_up(clone: Path, kind: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(clone / "packaging" / "setup.sh"), kind],
        env={"PATH": os.environ["PATH"], "HOME": str(clone), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_python_that_is_too_old_is_named_with_what_to_install(machine: Machine) -> None:
    old = machine.program("python3.9", '[ "$1" = -V ] && echo "Python 3.9.2" && exit\nexit 1')
    done = machine.set_up(PYTHON=str(old))
    assert done.returncode == 1
    assert "3.11 or later" in done.stderr
    assert "is Python 3.9.2" in done.stderr
    assert "apt-get install python3.11 python3.11-venv" in done.stderr


def test_python_that_is_not_there_is_said_so(machine: Machine) -> None:
    done = machine.set_up(PYTHON="python9")
    assert done.returncode == 1
    assert "there is no python9" in done.stderr


def test_plain_user_without_venv_is_told_the_package(machine: Machine) -> None:
    machine.user(1000)
    machine.program("apt-get", "echo must not be called >&2; exit 1")
    done = machine.set_up(PYTHON=str(machine.python_without_ensurepip()))
    assert done.returncode == 1
    assert re.search(r"sudo apt-get install python3(\.\d+)?-venv$", done.stderr.strip())
    assert "must not be called" not in done.stderr


def test_root_without_venv_has_the_package_installed_from_fresh_lists(machine: Machine, tmp_path: Path) -> None:
    machine.user(0)
    calls = tmp_path / "calls"
    machine.program("apt-get", f'echo "$*" >> {calls}; [ "$1" = update ]')
    done = machine.set_up(PYTHON=str(machine.python_without_ensurepip()))
    assert done.returncode == 1  # this apt-get installs nothing
    install, update, again = calls.read_text().splitlines()
    assert re.search(r"^install .*--no-install-recommends python3(\.\d+)?-venv$", install)
    assert update.startswith("update")
    assert again == install


def test_plain_user_without_what_the_tests_drive_is_told_all_of_it_at_once(machine: Machine) -> None:
    machine.user(1000)
    (machine.clone / "packaging/test-packages").write_text(
        "# command package why\nsh dash here\nno-such-one one x\n/no/such/file two x\nno-such-three three x\n"
    )
    done = machine.set_up("dev", PYTHON=sys.executable)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("sudo apt-get install --no-install-recommends one two three")


def test_index_out_of_reach_is_said_and_nothing_half_made_is_taken_for_whole(machine: Machine) -> None:
    environment = {"PYTHON": sys.executable, "PIP_INDEX_URL": NOWHERE, "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    for _ in range(2):
        done = machine.set_up(**environment)
        assert done.returncode == 1
        assert "Is a package index reachable?" in done.stderr


def test_set_up_again_with_nothing_changed_needs_no_network() -> None:
    if not (ROOT / ".venv" / ".tidegate-setup").exists():
        pytest.skip("this environment was not made by make")
    done = set_up(ROOT, "run", {"PIP_INDEX_URL": NOWHERE, "PIP_RETRIES": "0", "PYTHON": os.environ.get("PYTHON", "")})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_makefile_tells_of_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    told = set(re.findall(r"^#   make (\w+)", text, re.MULTILINE))
    there = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    assert told == there


def test_image_names_no_registry_and_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert all(re.fullmatch(r"[a-z]+:[a-z0-9.-]+", image) for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    user = re.findall(r"^USER (\S+)", text.rpartition("\nFROM ")[2], re.MULTILINE)
    assert user == ["3142:3142"]
    assert "/healthz" in text[text.index("HEALTHCHECK") :]
