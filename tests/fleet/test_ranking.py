"""What to close first, by whose word."""

import pytest

from tests.advisories.samples import NOON
from tidegate.advisories.history import Edition
from tidegate.advisories.statement import Kind, Record, Score, Severity
from tidegate.fleet.ranking import Rank, base_score, rank_of

CVE = "CVE-2026-0001"
NETWORK = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
LOCAL = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"


def mention(kind: Kind = Kind.CVE, *severities: Severity, facts: tuple[tuple[str, str], ...] = ()) -> Edition:
    record = Record(
        "x", kind, CVE, published=NOON if kind is Kind.EXPLOITED else None, severities=severities, facts=facts
    )
    return Edition("feed", record, bytes(32), NOON, None)


def test_each_word_is_kept_apart() -> None:
    exploited = mention(Kind.EXPLOITED, facts=(("Due", "2026-05-15"),))
    said = mention(Kind.CVE, Severity("Ubuntu", "high"), Severity("CVSS_V3", LOCAL))
    assert rank_of([exploited, said], [], Score(CVE, 0.25, 0.9)) == Rank(NOON, "2026-05-15", "high", 7.8, 0.25)
    assert rank_of([], [], None) == Rank()


def test_of_several_priorities_the_worst_counts_and_one_that_says_nothing_does_not() -> None:
    said = [mention(Kind.CVE, Severity("Ubuntu", "untriaged")), mention(Kind.CVE, Severity("Ubuntu", "low"))]
    assert rank_of(said, ["not yet assigned", "Medium"], None).priority == "medium"


def test_a_notices_own_severity_is_not_the_cves() -> None:
    assert rank_of([mention(Kind.NOTICE, Severity("CVSS_V3", NETWORK))], [], None).cvss is None


def test_exploited_comes_before_priority_before_cvss_before_epss() -> None:
    ordered = [
        Rank(exploited=NOON, priority="low"),
        Rank(priority="critical"),
        Rank(priority="high", cvss=9.8),
        Rank(priority="high", cvss=9.8, epss=None),
        Rank(priority="high", cvss=5.0, epss=0.9),
        Rank(priority="high", cvss=5.0, epss=0.1),
        Rank(priority="high"),
        Rank(cvss=10.0),
        Rank(),
    ]
    assert sorted(ordered, key=lambda one: one.key, reverse=True) == ordered


@pytest.mark.parametrize(
    ("scheme", "value", "expected"),
    [
        ("CVSS_V3", NETWORK, 9.8),
        ("CVSS_V3", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
        ("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
        ("CVSS_V3_BASE", "7.8", 7.8),
        ("CVSS_V3_BASE", "78", None),
        ("CVSS_V3_BASE", "high", None),
        ("CVSS_V3", "CVSS:3.1/AV:N", None),
        ("CVSS_V3", "rubbish", None),
        ("Ubuntu", "high", None),
    ],
)
def test_scores_are_those_of_the_specification_and_rubbish_has_none(
    scheme: str, value: str, expected: float | None
) -> None:
    assert base_score(scheme, value) == expected
