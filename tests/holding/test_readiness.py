"""What counts, suites, sources and the disk come to: a verdict, and a sentence on what to do about each line."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from tests.store.catalogue_contract import package
from tidegate.holding.hot_set import Place
from tidegate.holding.readiness import (
    CONFIRMED_OLD_S,
    VALID_SOON_S,
    ArchiveFacts,
    Disk,
    Facts,
    Finding,
    Readiness,
    SuiteFacts,
    Thresholds,
    judge,
    summarize,
)
from tidegate.holding.stock import Kind, LostIndex, Stock, Wanted, count

NOW = 1_795_000_000
GB = 10**9
DEBIAN = ArchiveFacts("debian", sources=3, answering=3)
STABLE = SuiteFacts("debian", "stable", configured=True, date=NOW - 3600, confirmed_at=NOW - 60)
DISK = Disk(free_bytes=10 * GB, floor_bytes=GB)
PLACE = Place("debian", "stable", "bookworm", "main", "amd64")


def wanted(count_of: int) -> list[Wanted]:
    return [Wanted(PLACE, package(f"p{number}"), "asked for by clients") for number in range(count_of)]


def stock(*, held: int = 10, of: int = 10, kinds: Sequence[Kind] = tuple(Kind), known: int = 10) -> Stock:
    files = wanted(of)
    digests = {one.package.sha256 for one in files[:held]}
    return count(dict.fromkeys(kinds, files), digests, at=NOW, hot=known, security_suites=1)


def judged(
    counted: Stock | None = None,
    *,
    suites: Sequence[SuiteFacts] = (STABLE,),
    archives: Sequence[ArchiveFacts] = (DEBIAN,),
    disk: Disk = DISK,
    thresholds: Thresholds | None = None,
) -> Readiness:
    facts = Facts(suites, archives, disk)
    return judge(counted or stock(), facts, thresholds or Thresholds(), NOW)


def only(report: Readiness) -> Finding:
    (finding,) = report.findings
    assert finding.todo
    return finding


def test_where_all_is_held_and_well_there_is_nothing_to_say() -> None:
    report = judged()
    assert (report.verdict, report.findings, report.as_of) == ("ok", (), NOW - 60)


# Shares


@pytest.mark.parametrize(("held", "verdict"), [(100, "ok"), (99, "warning"), (90, "warning"), (89, "critical")])
def test_the_verdict_goes_by_the_thresholds(held: int, verdict: str) -> None:
    assert judged(stock(held=held, of=100)).verdict == verdict


def test_thresholds_may_be_set_and_shares_left_out() -> None:
    counted = stock(held=5, of=10)
    assert judged(counted, thresholds=Thresholds(50.0, 20.0)).verdict == "ok"
    assert judged(counted, thresholds=Thresholds(51.0, 20.0)).verdict == "warning"
    installs = stock(held=0, kinds=(Kind.INSTALL,))
    assert judged(installs, thresholds=Thresholds(of=(Kind.SECURITY, Kind.UPDATES))).verdict == "ok"
    assert judged(installs).verdict == "critical"


def test_a_share_names_what_it_lacks_and_counts_the_others() -> None:
    finding = only(judged(stock(held=3, kinds=(Kind.UPDATES,))))
    assert finding.about == "updates"
    assert finding.what.startswith("3 of 10 are held, 30 %; lacking: p3 1 (amd64), p4 1 (amd64),")
    assert finding.what.endswith("p7 1 (amd64) and 2 more")


def test_what_is_lacking_is_fetched_where_a_source_answers_and_carried_in_where_none_does() -> None:
    counted = stock(held=9, kinds=(Kind.UPDATES,))
    assert "fetched by itself" in only(judged(counted)).todo
    alone = judged(counted, archives=(replace(DEBIAN, answering=0),))
    assert {one.todo.partition(":")[0] for one in alone.stock.lacks} == {"No source of debian answers"}
    assert [one.about for one in alone.findings] == ["updates", "debian"]


def test_what_is_lacking_is_not_fetched_where_no_gateway_runs() -> None:
    counted = stock(held=9, kinds=(Kind.UPDATES,))
    report = judge(counted, Facts((STABLE,), (DEBIAN,), DISK, running=False), Thresholds(), NOW)
    assert "Start the gateway" in only(report).todo


def test_what_only_a_fresh_install_lacks_wants_a_rule_with_its_closure() -> None:
    assert "--closure" in only(judged(stock(held=9, kinds=(Kind.INSTALL,)))).todo


def test_where_nothing_is_known_of_the_fleet_that_is_a_warning_and_never_a_hundred_percent() -> None:
    report = judged(stock(held=0, of=0, known=0))
    assert (report.verdict, only(report).about) == ("warning", "hot set")


def test_what_cannot_be_installed_is_told() -> None:
    counted = msgspec.structs.replace(stock(), unmet=("mail: it depends on an mta",))
    assert "mail: it depends on an mta" in only(judged(counted)).what


# Suites


def test_a_configured_suite_that_was_never_adopted_is_critical_and_one_on_request_is_not() -> None:
    waiting = SuiteFacts("debian", "testing", configured=True)
    report = judged(suites=(STABLE, waiting))
    assert (report.verdict, only(report).about) == ("critical", "debian testing")
    assert judged(suites=(STABLE, replace(waiting, configured=False))).findings == ()


@pytest.mark.parametrize(
    ("valid_until", "word"), [(NOW - 1, "has run out"), (NOW + VALID_SOON_S - 1, "runs out"), (NOW + VALID_SOON_S, "")]
)
def test_a_valid_until_that_is_near_or_over_says_what_happens_then(valid_until: int, word: str) -> None:
    report = judged(suites=(replace(STABLE, valid_until=valid_until),))
    assert "apt refuses it" in report.suites[0].then
    assert report.verdict == ("warning" if word else "ok")
    assert not word or f"Valid-Until {word} at " in only(report).what


def test_a_suite_without_valid_until_says_so() -> None:
    assert "no Valid-Until" in judged().suites[0].then


def test_metadata_that_nobody_confirmed_for_long_or_that_seems_frozen_is_a_warning() -> None:
    old = replace(STABLE, confirmed_at=NOW - CONFIRMED_OLD_S - 1)
    assert "newest since" in only(judged(suites=(old,))).what
    assert judged(suites=(old,)).as_of == old.confirmed_at
    assert only(judged(suites=(replace(STABLE, freeze="its rhythm stopped"),))).what == "its rhythm stopped"


def test_lists_that_are_not_held_are_critical() -> None:
    lost = LostIndex(archive="debian", suite="stable", path="dists/stable/InRelease")
    report = judged(msgspec.structs.replace(stock(), lost=(lost,)))
    assert (report.verdict, only(report).about) == ("critical", "debian stable")


# The disk, and whom an archive hangs on


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (Disk(free_bytes=GB - 1, floor_bytes=GB), "store.free_bytes_min"),
        (Disk(free_bytes=GB + 10, floor_bytes=GB), "are lacking"),
        (Disk(free_bytes=9 * GB, floor_bytes=GB, quota_bytes=100), "are lacking"),
    ],
)
def test_a_disk_without_room_for_what_is_lacking_is_a_warning(disk: Disk, words: str) -> None:
    counted = msgspec.structs.replace(stock(held=9, kinds=(Kind.UPDATES,)), used_bytes=90)
    about = {one.about: one for one in judged(counted, disk=disk).findings}
    assert words in about["disk"].what


def test_a_disk_that_is_nearly_full_is_no_finding_where_nothing_is_lacking() -> None:
    assert judged(disk=Disk(free_bytes=GB, floor_bytes=GB)).findings == ()


@pytest.mark.parametrize(
    ("sources", "answering", "words"),
    [(3, 1, "only one of its 3 sources answers"), (3, 0, "none of its sources answers"), (1, 1, ""), (3, 2, "")],
)
def test_an_archive_that_hangs_on_one_source_that_answers_is_a_warning(
    sources: int, answering: int, words: str
) -> None:
    report = judged(archives=(ArchiveFacts("debian", sources, answering),))
    assert [one.what.partition(";")[0] for one in report.findings] == ([words] if words else [])


def test_an_archive_that_hangs_on_one_operator_is_noted_and_changes_no_verdict() -> None:
    hanging = ("all sources are contoso's; when that fails, nothing new comes", "name a source of somebody else")
    report = judged(archives=(replace(DEBIAN, hanging=hanging),))
    assert (report.verdict, only(report).level) == ("ok", "note")


# All of it


def test_the_worst_comes_first_and_the_summary_agrees() -> None:
    counted = stock(held=1)
    facts = Facts((replace(STABLE, valid_until=NOW - 1),), (replace(DEBIAN, hanging=("a", "b")),), DISK)
    report = judge(counted, facts, Thresholds(), NOW)
    assert [one.level for one in report.findings] == ["critical"] * 3 + ["warning", "note"]
    summary = summarize(counted, facts, NOW)
    assert (summary.verdict, summary.shares, summary.lacking) == (report.verdict, counted.shares, 9)
