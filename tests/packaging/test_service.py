"""The systemd unit: as closed as it can be, and not closer than the product can live in."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "tidegate.service"
EXPOSURE_TENTHS_MAX = 12
"""`systemd-analyze security`, 0 to 100. What is left: it talks IP with anybody, and lives in the host's tree."""

PR_GET_MDWE = 66
SOURCE = """
import ctypes, mmap
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0, "prctl"
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    raise AssertionError("not in force")
import importlib, pkgutil, tidegate, uvloop
for module in pkgutil.walk_packages(tidegate.__path__, "tidegate."):
    if module.name != "tidegate.__main__":
        importlib.import_module(module.name)
async def nothing(): ...
uvloop.run(nothing())
"""


def test_exposure_is_no_more_than_recorded() -> None:
    # An old systemd-analyze takes a bare name for a unit in the search path, so the path is whole.
    said = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--no-pager",
            f"--threshold={EXPOSURE_TENTHS_MAX}",
            str(UNIT),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert said.returncode == 0, said.stdout[-400:] + said.stderr


def test_no_setting_of_the_unit_is_unknown_to_systemd() -> None:
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(UNIT)], capture_output=True, text=True, timeout=30, check=False
    )
    complaints = [line for line in said.stderr.splitlines() if UNIT.name in line]
    # The program is where `make setup` in /opt puts it, not on this machine.
    assert [line for line in complaints if "is not executable" not in line] == []


def test_whole_product_lives_without_memory_that_is_writable_and_executable() -> None:
    if ctypes.CDLL(None).prctl(PR_GET_MDWE, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel (before 6.3) cannot deny it to a single process")
    said = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
