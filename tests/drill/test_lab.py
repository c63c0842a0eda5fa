"""A whole drill in the laboratory, judged by an oracle that is not our code."""

import json
import re
import threading
from pathlib import Path

import pytest

from tests.drill.judged import judged_by_gpgv
from tidegate.drill.clients import Apt
from tidegate.drill.scenario import read
from tidegate.incidents.draft import draft
from tidegate.web.drill_report import DrillReport
from tidegate.wiring.drill import Played, _played, in_lab

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
def test_a_drill_passes_its_clients_were_given_what_gpgv_accepts_and_its_numbers_are_those_counted(
    tmp_path: Path,
) -> None:
    report, played = drilled(tmp_path, SHORT)
    assert report.verdict == "passed", report
    assert report.requests == report.served > 0
    assert all(one.at_least == one.told == one.at_most for one in report.numbers if "drill" in one.what)
    begun = played.events[0]
    ended = next(one for one in played.events if one.kind == "drill-ended")
    assert (begun.kind, ended.kind, ended.data["verdict"]) == ("drill-begun", "drill-ended", "passed")
    (incident,) = played.incidents
    assert incident.drill == report.name
    told = " ".join(str(part) for section in draft(incident, played.newest).sections for part in section.parts)
    counted = next(one for one in report.numbers if one.what == f"requests during {incident.id}")
    assert f"0 of {counted.told:,.0f} requests" in told
    if Apt.is_there():
        judged_by_gpgv(tmp_path / "lab", ("apt-0",))
    assert {"run.svg", "index.html", "status/index.html", "journal.jsonl"} < set(report.files)
    assert all((tmp_path / "out" / name).stat().st_size for name in report.files)
    assert json.loads((tmp_path / "out/report.json").read_bytes())["verdict"] == "passed"
    assert "One operator" not in (picture := (tmp_path / "out/run.svg").read_text())
    assert re.search(r"class=\"out\"", picture), "the source that was out"
    assert "<script" not in picture


@pytest.mark.slow
def test_what_does_not_come_true_fails_the_drill(tmp_path: Path) -> None:
    impossible = SHORT.replace(b'"rule:last-operator"', b'"events:violation"').replace(b'"+1h"', b'"+20m"')
    impossible = impossible.replace(b'"+40m"', b'"+15m"')
    report, played = drilled(tmp_path, impossible)
    assert report.verdict == "failed"
    assert [one.measure for one in report.expectations if one.verdict == "failed"] == ["events:violation"]
    assert next(one for one in played.events if one.kind == "drill-ended").data["verdict"] == "failed"
