"""The outage of 2026-04-30, hour by hour, with the real apt: what `make demo` shows, held to what it promises."""

import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.drill.judged import judged_by_gpgv
from tidegate.drill.clients import Apt
from tidegate.drill.shipped import shipped
from tidegate.incidents.draft import draft
from tidegate.wiring.drill import _played, in_lab

if TYPE_CHECKING:
    from tidegate.wiring.drill_lab import Progress

LENGTH_S_MAX = 100.0
"""With the set-up of a bare machine that is less than two minutes."""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_through_the_outage_hosts_are_served_nothing_is_wrong_and_each_number_told_is_one_that_was_counted(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    out = tmp_path / "out"
    scenario, stop = shipped("canonical-2026"), threading.Event()
    lab = tmp_path / "lab"

    def tell(one: "Progress") -> None:
        said.append(one.said)

    report = in_lab(scenario, "canonical", lab, out, by="a test", tell=tell, stop=stop)
    verdicts = {one.measure: (one.verdict, one.measured) for one in report.expectations}
    assert set(Counter(verdict for verdict, _ in verdicts.values())) == {"passed"}, verdicts
    assert report.requests == report.served > 300
    assert verdicts["detected-s"][1] is not None
    assert report.seconds < LENGTH_S_MAX
    assert [one for one in said if one] == [one.text for one in report.steps]
    if Apt.is_there():
        assert report.apt_runs > 10
        judged_by_gpgv(lab, ("apt-0",))

    played = _played(lab / "gateway/state", report.name)
    assert {one.drill for one in played.events} == {report.name}
    (ended,) = (one for one in played.events if one.kind == "drill-ended")
    assert (played.events[0].kind, ended.data["verdict"]) == ("drill-begun", "passed")
    assert all((out / name).stat().st_size for name in report.files)
    assert "<script" not in (out / "run.svg").read_text()
    (incident, *_) = sorted(played.incidents, key=lambda one: one.severity)
    made = draft(incident, played.newest)
    text = " ".join(str(part) for section in made.sections for part in section.parts)
    numbers = {one.what: one for one in report.numbers}
    counted = numbers[f"requests during {incident.id}"]
    octets = numbers[f"bytes given during {incident.id}"]
    assert counted.agrees
    (claims,) = (section for section in made.sections if "claims" in section.title)
    assert "It was us." in str(claims.parts)
    assert f"0 of {counted.told:,.0f} requests" in text
    assert f"with {octets.told:,.0f} bytes" in text
    assert (out / "status-during/index.html").exists()
    assert "nothing new comes in" in (out / "status-during/index.html").read_text()
    assert (out / "status/index.html").exists()
    assert (out / f"postmortem-{incident.id}.md").exists()
