"""Drills in the laboratory that do not end well: tests/drill/test_incident.py has the one that does."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tidegate.cli.exit_codes import ExitCode
from tidegate.drill.scenario import read
from tidegate.web.drill_report import DrillReport
from tidegate.wiring.drill import Played, _played, in_lab

STOP_S = 30.0
# As operator-lost, and shorter.
SHORT = b"""\
title = "Short"
ends = "+1h"
refresh = "+10m"
[clients]
hosts = 2
every = "+3m"
uses = ["kmod", "openssl"]
[[source]]
name = "origin"
operator = "vendor"
[[source]]
name = "mirror"
operator = "university"
[[pace]]
until = "+1h"
factor = 450.0
[[fault]]
at = "+5m"
until = "+40m"
on = ["origin"]
kind = "refuse"
[[publish]]
at = "+10m"
package = "openssl"
version = "1.1"
[[expect]]
measure = "served-percent"
at_least = 100
[[expect]]
measure = "wrong-bytes"
at_most = 0
[[expect]]
measure = "apt-failed"
at_most = 0
[[expect]]
measure = "events:adopted"
at_least = 1
[[expect]]
measure = "rule:last-operator"
at_least = 1
[[expect]]
measure = "incidents-unclosed"
at_most = 0
[[expect]]
measure = "numbers-wrong"
at_most = 0
"""


def drilled(root: Path, scenario: bytes) -> tuple[DrillReport, Played]:
    report = in_lab(
        read(scenario), "short", root / "lab", root / "out", by="a test", tell=lambda _: None, stop=threading.Event()
    )
    return report, _played(root / "lab/gateway/state", report.name)


@pytest.mark.slow
def test_what_does_not_come_true_fails_the_drill(tmp_path: Path) -> None:
    impossible = SHORT.replace(b'"rule:last-operator"', b'"events:violation"').replace(b'"+1h"', b'"+20m"')
    impossible = impossible.replace(b'"+40m"', b'"+15m"')
    report, played = drilled(tmp_path, impossible)
    assert report.verdict == "failed"
    assert [one.measure for one in report.expectations if one.verdict == "failed"] == ["events:violation"]
    assert next(one for one in played.events if one.kind == "drill-ended").data["verdict"] == "failed"


@pytest.mark.slow
def test_a_drill_that_is_told_to_stop_ends_at_once_and_one_that_is_killed_leaves_no_gateway_behind(
    tmp_path: Path,
) -> None:
    scenario = tmp_path / "short.toml"
    scenario.write_bytes(SHORT)
    command = [sys.executable, "-m", "tidegate", "drill", str(scenario), "--lab", "--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def begun() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert process.stderr is not None
        assert "refuse" in process.stderr.readline()
        return process

    with begun() as process:
        process.terminate()
        out, _ = process.communicate(timeout=STOP_S)
    assert process.returncode == ExitCode.NO
    assert json.loads(out)["verdict"] == "stopped"
    assert not gateways_below(tmp_path)
    with begun() as process:
        assert gateways_below(tmp_path)
        process.kill()
    deadline = time.monotonic() + STOP_S
    while gateways_below(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gateways_below(folder: Path) -> list[str]:
    """Processes whose command names something in this folder, but for drills themselves."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if "serve" in words and any(word.startswith(str(folder)) for word in words):
                found.append(path.parent.name)
    return found
