"""The wheel is the whole product: what it needs beside code is in it, and it rehearses without a clone or a test."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 90.0
WHERE = "import importlib.util as u, tidegate; print(tidegate.__file__, u.find_spec('tests'))"
SHORT = """\
title = "Short"
ends = "+10m"
refresh = "+2m"
[clients]
hosts = 1
every = "+2m"
uses = ["kmod"]
[[source]]
name = "origin"
operator = "vendor"
[[source]]
name = "mirror"
operator = "university"
[[pace]]
until = "+10m"
factor = 200.0
[[fault]]
at = "+2m"
until = "+6m"
on = ["origin"]
kind = "status"
[[expect]]
measure = "served-percent"
at_least = 100
[[expect]]
measure = "wrong-bytes"
at_most = 0
[[expect]]
measure = "numbers-wrong"
at_most = 0
"""


@pytest.mark.slow
def test_an_installed_wheel_has_every_file_and_plays_a_drill_far_from_the_clone(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
        archive.extractall(site)
    source = ROOT / "src"
    wanted = {str(path.relative_to(source)) for path in (source / "tidegate").rglob("*") if path.is_file()}
    assert not {name for name in wanted if "__pycache__" not in name} - there

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "short.toml").write_text(SHORT)
    where = run(
        elsewhere, site, "-c", "import importlib.util as u, tidegate; print(tidegate.__file__, u.find_spec('tests'))"
    )
    assert where.split() == [str(site / "tidegate/__init__.py"), "None"]
    listed = told(elsewhere, site, "drill")
    assert {"canonical-2026", "canonical-2026-36h"} <= {one["name"] for one in listed["scenarios"]}
    report = told(elsewhere, site, "drill", "short.toml", "--lab", "--out", "out")
    assert (report["verdict"], report["requests"]) == ("passed", report["served"])
    assert all((elsewhere / "out" / name).stat().st_size for name in report["files"] if not name.endswith(".jsonl"))


def told(folder: Path, site: Path, *words: str) -> Any:
    return json.loads(run(folder, site, "-m", "tidegate", *words, "--json"))


def run(folder: Path, site: Path, *words: str) -> str:
    """Of this environment only what the wheel needs is there: the wheel's own code comes before the clone's."""
    done = subprocess.run(
        [sys.executable, "-P", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(site), "LC_ALL": "C.UTF-8"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
