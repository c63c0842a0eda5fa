"""The fleet's exposure as OpenVEX, as CSV and as metrics: valid, inert, and never clean where it is not known."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from tests.advisories.samples import NOON, provenance
from tidegate.advisories.history import FeedState
from tidegate.advisories.statement import Status
from tidegate.answers import openvex, table
from tidegate.answers.age import DAY_S, Age, age_of
from tidegate.answers.exposure_table import HEADING, exposure_lines
from tidegate.answers.metrics import exposure_metrics, feed_metrics
from tidegate.answers.openvex import Judged, TooManyStatementsError, document
from tidegate.fleet.freshness import DEFAULT_LIMITS
from tidegate.fleet.verdict import Dormant, Effect, Exposure, Finding, Mitigation, Untriaged, Verdict

SCHEMA = Path(__file__).parent.parent / "data" / "answers" / "openvex.schema.json"
KMOD = Mitigation("USN-8226-1", "kmod", "31-1", Effect.EFFECTIVE, True, "algif_aead is not loaded")


def feed(name: str, at: int = NOON) -> FeedState:
    return FeedState(provenance(name, at), at, whole=True, reader=1, records=7, unreadable=1)


def age(days: int = 0) -> Age:
    return age_of([feed("ubuntu-osv")], NOON + days * DAY_S, DEFAULT_LIMITS)


def finding(exposure: Exposure, **changed: Any) -> Finding:
    values: dict[str, Any] = {
        "about": "CVE-2026-0001", "package": "linux", "exposure": exposure, "status": Status.RELEASED,
        "version": "6.8.0-1.1+x~1", "binaries": ("linux-image-6.8.0-1-generic",), "reason": "a reason", "since": NOON,
        "fixed": "6.8.0-2.2", **changed,
    }  # fmt: skip
    return Finding(**values)


def judged(*findings: Finding, **changed: Any) -> Judged:
    verdict = Verdict("host-1", NOON, NOON, NOON, changed.pop("unknown_since", None), findings=findings, **changed)
    return Judged(verdict, "ubuntu", "noble", "web-1.example")


def everything() -> Judged:
    return judged(
        *(finding(one, mitigations=(KMOD,) if one is Exposure.MITIGATION_ONLY else ()) for one in Exposure),
        untriaged=(Untriaged("CVE-2026-0002", "bash", Status.NEEDS_TRIAGE, NOON),),
        dormant=(Dormant("CVE-2026-0003", "linux", "6.8.0-0-generic", "6.8.0-0.0"),),
    )


def made(hosts: Iterable[Judged], of: Age | None = None) -> Any:
    pieces = document(hosts, of or age(), identity="https://tidegate.example/openvex.json", author="ops@example.org")
    assert pieces is not None
    found = json.loads(b"".join(pieces))
    jsonschema.validate(found, json.loads(SCHEMA.read_text()), jsonschema.Draft202012Validator)
    return found


def test_openvex_is_valid_and_each_class_has_its_status() -> None:
    found = made([everything()])
    statuses = [(one["vulnerability"]["name"], one["status"]) for one in found["statements"]][: len(Exposure) + 2]
    assert statuses == [
        *[("CVE-2026-0001", "affected")] * 5,
        ("CVE-2026-0001", "under_investigation"),
        ("CVE-2026-0002", "under_investigation"),
        ("CVE-2026-0003", "not_affected"),
    ]
    first = found["statements"][0]
    assert first["products"] == [
        {
            "@id": "urn:tidegate:host:host-1",
            "subcomponents": [
                {
                    "@id": (purl := "pkg:deb/ubuntu/linux-image-6.8.0-1-generic@6.8.0-1.1%2Bx~1?distro=noble"),
                    "identifiers": {"purl": purl},
                }
            ],
        }
    ]
    assert first["action_statement"].endswith("Fixed in linux 6.8.0-2.2.")
    assert "The mitigation of USN-8226-1 is in force." in found["statements"][2]["action_statement"]


def test_openvex_says_how_old_it_is_and_nothing_is_made_of_nothing() -> None:
    assert "UNKNOWN since" in made([everything()], age(days=9))["tooling"]
    assert document([judged()], age(), identity="urn:x", author="x") is None


def test_openvex_that_would_be_too_long_is_broken_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvex, "STATEMENTS_MAX", 3)
    pieces = document([everything()], age(), identity="urn:x", author="x")
    assert pieces is not None
    with pytest.raises(TooManyStatementsError):
        list(pieces)


@given(st.text(max_size=30), st.text(max_size=30))
def test_openvex_is_valid_whatever_a_host_says(text: str, reason: str) -> None:
    made([judged(finding(Exposure.NO_FIX, package=text or "x", version=text, binaries=(text,), reason=reason))])


def rows(lines: Iterable[str]) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(lines), newline="")))


def test_csv_has_a_row_for_each_finding_and_for_each_host_without_any() -> None:
    unknown = judged(unknown_since=NOON - 5, why=("the newest feed is 900 hours old",))
    found = rows(exposure_lines([everything(), judged(), unknown]))
    assert found[0] == list(HEADING)
    assert all(len(row) == len(HEADING) for row in found)
    assert [row[5] for row in found[1:]] == [*(one.value for one in Exposure), "untriaged", "none", "unknown"]
    assert "900 hours" in found[-1][10]


@given(st.lists(st.lists(st.text(max_size=20) | st.integers() | st.none(), min_size=2, max_size=4), max_size=4))
def test_csv_is_read_back_as_it_was_but_for_what_makes_formulas_inert(cells: list[list[table.Cell]]) -> None:
    def shown(cell: table.Cell) -> str:
        text = "" if cell is None else str(cell)
        return table.INERT + text if isinstance(cell, str) and text.startswith(table.FORMULA) else text

    text = "".join(table.lines(("a", "b"), cells))
    assert text.startswith("a,b\r\n")
    assert rows([text])[1:] == [[shown(cell) for cell in row] for row in cells]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_csv_no_cell_begins_a_formula(formula: str) -> None:
    reason = rows(exposure_lines([judged(finding(Exposure.NO_FIX, reason=formula))]))[1][10]
    assert reason == "'" + formula


def scraped(metrics: Sequence[Any]) -> dict[str, float]:
    class Collector:
        def collect(self) -> Sequence[Any]:
            return metrics

    registry = CollectorRegistry()
    registry.register(Collector())
    lines = (line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_tell_the_feeds_ages_and_counts() -> None:
    found = scraped(feed_metrics([feed("kev"), feed("ubuntu-osv", NOON - 9 * DAY_S)], NOON, DEFAULT_LIMITS))
    assert found['tidegate_feed_old{feed="kev"}'] == 0
    assert found['tidegate_feed_old{feed="ubuntu-osv"}'] == 1
    assert found['tidegate_feed_confirmed_seconds{feed="ubuntu-osv"}'] == NOON - 9 * DAY_S
    assert found['tidegate_feed_records{feed="kev"}'] == 7
    assert found['tidegate_feed_unreadable_records{feed="kev"}'] == 1


def test_metrics_tell_every_class_of_exposure_even_where_there_is_none() -> None:
    found = scraped(exposure_metrics({Exposure.NO_FIX: 5}, {Exposure.NO_FIX: 2}, silent=1, clean=3))
    assert found['tidegate_exposure_findings{class="no-fix"}'] == 5
    assert found['tidegate_exposure_hosts{class="unknown"}'] == 0
    assert (found["tidegate_hosts_silent"], found["tidegate_hosts_clean"]) == (1, 3)
