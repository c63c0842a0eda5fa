"""What is exploited, and how likely what is not yet."""

import json

import pytest

from tests.advisories.samples import at, records, sample
from tidegate.advisories import epss, json_members, kev
from tidegate.advisories.statement import Kind, Problem, Score
from tidegate.advisories.taking_in import epss_lines
from tidegate.archive.errors import FormatError


def test_an_entry_of_kev_says_since_when_and_until_when() -> None:
    members = dict(records(json_members.members([sample("kev.json")])))
    assert set(members) == {"title", "catalogVersion", "dateReleased", "count", "vulnerabilities/0"}
    record, statements = kev.parse(members["vulnerabilities/0"])
    assert (record.id, record.kind, record.cves) == ("CVE-2022-21971", Kind.EXPLOITED, ("CVE-2022-21971",))
    assert record.title == "Microsoft Windows Runtime Remote Code Execution Vulnerability"
    assert record.published == at("2022-08-18 00:00:00")
    assert dict(record.facts)["Due"] == "2022-09-08"
    assert statements == ()


def test_an_entry_of_kev_with_a_bad_value_is_refused() -> None:
    good = {"cveID": "CVE-2026-0001", "dateAdded": "2026-05-01", "dueDate": "2026-05-15"}
    assert kev.parse(json.dumps(good).encode()).record.title == ""
    for bad in ({"cveID": "CVE-1"}, {"dateAdded": "May"}, {"dueDate": "soon"}, {"dateAdded": None}):
        with pytest.raises(FormatError):
            kev.parse(json.dumps(good | bad).encode())


@pytest.mark.parametrize(
    ("day", "scored_at", "scores"),
    [
        ("2021-04-14", None, [Score("CVE-2020-5902", 0.65117, None), Score("CVE-2018-19571", 0.04773, None)]),
        (
            "2021-09-01",
            None,
            [
                Score("CVE-2020-5902", 0.65117, 0.9981063485700858),
                Score("CVE-2018-19571", 0.04773, 0.8715910818693242),
            ],
        ),
        (
            "2022-02-04",
            at("2022-02-04 00:00:00"),
            [Score("CVE-2020-5902", 0.96817, 0.99999), Score("CVE-2018-19571", 0.17187, 0.93112)],
        ),
    ],
)
def test_scores_are_read_in_the_three_forms_that_were_published(
    day: str, scored_at: int | None, scores: list[Score]
) -> None:
    lines = list(epss_lines([sample(f"epss-{day}.csv")]))
    assert list(epss.parse(lines)) == scores
    assert epss.scored_at(lines[0]) == scored_at


def test_a_score_that_is_none_spoils_no_other() -> None:
    lines = [b"cve,epss,percentile", b"CVE-2026-0001,0.1,0.2"]
    bad = [b"CVE-2026-0002,unknown,0.1", b"CVE-2026-0003,1.5,0.1", b"CVE-2026-0004,nan,0.1", b"CVE-2026-0005,0.1"]
    bad += [b"nobody,0.1,0.2", b"CVE-2026-0006,\xff,0.2", b"CVE-2026-0007,0.1," + b"0" * 10_000, b"CVE-2026-0008,,"]
    found = list(epss.parse([*lines, *bad, b"CVE-2026-0009,1e-05,1.0"]))
    assert [one for one in found if isinstance(one, Score)] == [
        Score("CVE-2026-0001", 0.1, 0.2),
        Score("CVE-2026-0009", 1e-05, 1.0),
    ]
    assert [one.record for one in found if isinstance(one, Problem)] == [
        "CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0004", "CVE-2026-0005", "", "CVE-2026-0006", "CVE-2026-0007",
        "CVE-2026-0008",
    ]  # fmt: skip


def test_another_table_is_no_epss() -> None:
    for lines in ([], [b"#model_version:v1"], [b"cve,cvss"], [b"<html>"]):
        with pytest.raises(FormatError, match="no EPSS heading"):
            list(epss.parse(lines))
