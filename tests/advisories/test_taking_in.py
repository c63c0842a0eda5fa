"""Feeds come in: unchanged ones write nothing, torn ones change nothing, and a broken record spoils no other."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.advisories.samples import DATA, NOON, compressed, folder, provenance, sample, tar
from tidegate.advisories import taking_in
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.history import History, Provenance
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.statement import Piece, Problem, Score, Status
from tidegate.advisories.taking_in import NotTakenInError, OlderFeedError, TakenIn, epss_lines, take_in, take_in_scores

OSV, TRACKER, VEX = FEEDS["ubuntu-osv"], FEEDS["ubuntu-tracker"], FEEDS["ubuntu-vex"]
CVE = "CVE-2026-0001"
APRIL_20 = 1_776_643_200


@pytest.fixture
def history() -> History:
    return MemoryHistory()


def file(*lines: str, cve: str = CVE) -> Piece:
    """A file of Ubuntu's tracker."""
    return Piece(f"active/{cve}", "\n".join([f"Candidate: {cve}", *lines]).encode())


def many(count: int) -> list[Piece]:
    return [file("noble_bash: needed", cve=f"CVE-2026-{number:05}") for number in range(count)]


def take(history: History, at: int, *pieces: Piece | Problem, **options: Any) -> TakenIn:
    return take_in(history, TRACKER, pieces, provenance(TRACKER.name, at), **options)


def statuses(history: History, as_of: int | None = None) -> list[Status]:
    return [said.statement.status for said in history.said(CVE, as_of)]


def osv(identity: str, modified: str, summary: str = "") -> Piece:
    document = json.loads(sample("ubuntu-osv/UBUNTU-CVE-2026-35352.json"))
    document |= {"id": identity, "modified": modified, "summary": summary}
    return Piece(f"osv/{identity}.json", json.dumps(document).encode())


@pytest.mark.parametrize(
    ("feed", "path", "records", "statements"),
    [
        ("ubuntu-osv", "ubuntu-osv", 7, 17),
        ("ubuntu-tracker", "ubuntu-tracker", 3, 18),
        ("ubuntu-vex", "ubuntu-vex", 5, 52),
        ("ubuntu-security-api", "ubuntu-security-api.json", 1, 7),
        ("ubuntu-notices", "ubuntu-notices.json", 2, 0),
        ("debian-tracker", "debian-tracker.json", 4, 8),
        ("debian-osv", "debian-osv", 3, 3),
        ("kev", "kev.json", 1, 0),
    ],
)
def test_every_feed_comes_in_from_its_files_and_not_twice(
    tmp_path: Path, feed: str, path: str, records: int, statements: int
) -> None:
    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        first = take_in(history, FEEDS[feed], FEEDS[feed].pieces(DATA / path), provenance(feed))
        assert (first.problems, first.seen, first.read, first.statements_changed) == ((), records, records, statements)
        again = take_in(history, FEEDS[feed], FEEDS[feed].pieces(DATA / path), provenance(feed, NOON + 10))
        assert (again.seen, again.read, again.statements_changed) == (records, 0, 0)


def test_an_archive_as_ubuntu_publishes_it_comes_in(tmp_path: Path, history: History) -> None:
    (tmp_path / "osv-all.tar.xz").write_bytes(compressed(tar(folder("ubuntu-osv")), ".xz"))
    taken = take_in(history, OSV, OSV.pieces(tmp_path / "osv-all.tar.xz"), provenance(OSV.name))
    assert (taken.seen, taken.problems) == (7, ())
    # Copy Fail: the notice that mitigates it is found, though its own list of CVEs is empty.
    assert [one.record.id for one in history.mentions("CVE-2026-31431")] == ["USN-8226-1"]
    assert {said.statement.package for said in history.said("USN-8226-1")} == {"kmod"}


def test_an_unchanged_feed_is_not_even_read_and_writes_only_that_it_was_seen(tmp_path: Path) -> None:
    def unread() -> Iterator[Piece]:
        yield pytest.fail("read")

    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        take_in(history, TRACKER, many(3), provenance(TRACKER.name, NOON, b"same"))
        before = history._write.total_changes
        taken = take_in(history, TRACKER, unread(), provenance(TRACKER.name, NOON + 10, b"same"))
        assert taken == TakenIn(unchanged=True)
        assert history._write.total_changes - before == 1
        state = history.feed(TRACKER.name)
    assert state is not None
    assert (state.provenance.fetched_at, state.confirmed_at) == (NOON, NOON + 10)


def test_a_record_that_cannot_be_read_spoils_no_other_and_what_it_said_stands(history: History) -> None:
    take(history, NOON, *many(3), file("noble_bash: needed"))
    taken = take(history, NOON + 10, *many(3), file("noble_bash: released (soon, maybe)"))
    assert [str(problem) for problem in taken.problems] == [
        "CVE-2026-0001 (active/CVE-2026-0001: line 2): upstream part of version 'soon, maybe'"
    ]
    assert (taken.seen, taken.retracted, statuses(history)) == (3, 0, [Status.NEEDED])
    assert [(one.problem.record, one.since) for one in history.unreadable()] == [(CVE, NOON + 10)]
    take(history, NOON + 20, *many(3), file("noble_bash: needed"))
    assert history.unreadable() == ()
    assert [(said.since, said.until) for said in history.spans(CVE)] == [(NOON, None)]


def test_while_a_record_without_a_name_cannot_be_read_nothing_is_retracted(history: History) -> None:
    take(history, NOON, *many(3), file("noble_bash: needed"))
    taken = take(history, NOON + 10, *many(3), Problem("", "line 4", "more than 10 bytes"))
    assert (taken.retracted, statuses(history)) == (0, [Status.NEEDED])
    taken = take(history, NOON + 20, *many(3))
    assert (taken.retracted, statuses(history), statuses(history, NOON + 19)) == (1, [], [Status.NEEDED])


def test_single_records_retract_no_other(history: History) -> None:
    take(history, NOON, *many(3), file("noble_bash: needed"))
    taken = take(history, NOON + 10, file("noble_bash: ignored"), whole=False)
    assert (taken.seen, taken.retracted, taken.statements_changed) == (1, 0, 1)
    state = history.feed(TRACKER.name)
    assert state is not None
    assert (state.whole, state.records) == (False, 4)


def test_a_single_record_ends_the_trouble_with_it_though_its_bytes_are_the_old_ones(history: History) -> None:
    take(history, NOON, *many(1), file("noble_bash: needed"))
    take(history, NOON + 10, *many(1), file("noble_bash: broken"))
    assert len(history.unreadable()) == 1
    take(history, NOON + 20, file("noble_bash: needed"), whole=False)
    assert history.unreadable() == ()


def test_a_record_that_is_there_twice_is_taken_once_and_the_later_one_counts(history: History) -> None:
    older, newer = (osv("UBUNTU-CVE-2026-0001", f"2026-05-0{day}T00:00:00Z", f"day {day}") for day in (1, 2))
    for at, pieces in enumerate(([older, newer], [newer, older, newer])):
        fresh = MemoryHistory()
        taken = take_in(fresh, OSV, pieces, provenance(OSV.name, NOON + at))
        assert [problem.what for problem in taken.problems][:1] == ["there twice, with different content"]
        edition = fresh.record(OSV.name, "UBUNTU-CVE-2026-0001")
        assert edition is not None
        assert edition.record.title == "day 2"
        assert fresh.unreadable() == ()
    taken = take_in(history, OSV, [older, older], provenance(OSV.name))
    assert (taken.seen, taken.read, taken.problems) == (1, 1, ())


def test_a_record_does_not_become_older(history: History) -> None:
    take_in(history, OSV, [osv("UBUNTU-CVE-2026-0001", "2026-05-02T00:00:00Z", "new")], provenance(OSV.name))
    older = osv("UBUNTU-CVE-2026-0001", "2026-05-01T00:00:00Z", "old")
    taken = take_in(history, OSV, [older], provenance(OSV.name, NOON + 10))
    assert [problem.what for problem in taken.problems] == ["older than what is known of it"]
    edition = history.record(OSV.name, "UBUNTU-CVE-2026-0001")
    assert edition is not None
    assert edition.record.title == "new"


def test_a_feed_that_lost_most_of_its_records_is_torn_and_changes_nothing(history: History) -> None:
    take(history, NOON, *many(1500))
    with pytest.raises(NotTakenInError, match="200 of 1500 records are gone; taken for torn"):
        take(history, NOON + 10, *many(1300))
    state = history.feed(TRACKER.name)
    assert state is not None
    assert (state.provenance.fetched_at, state.records) == (NOON, 1500)
    assert take(history, NOON + 10, *many(1401)).retracted == 99
    assert take(history, NOON + 20, *many(10), may_vanish=True).retracted == 1391


def test_a_feed_without_one_readable_record_is_none(history: History) -> None:
    for pieces in ([], [Piece("CVE-2026-0001", b"<html>captive portal</html>")]):
        with pytest.raises(NotTakenInError, match="not one record that can be read"):
            take(history, NOON, *pieces)
    assert history.feeds() == ()


def test_too_many_problems_end_an_import(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_in, "PROBLEMS_MAX", 5)
    broken = [Piece(f"CVE-2026-{number:05}", b"") for number in range(7)]
    with pytest.raises(NotTakenInError, match="more than 5 records that cannot be read"):
        take(history, NOON, *many(3), *broken)
    assert history.feeds() == ()


def test_an_older_fetch_or_an_older_publication_is_refused(history: History) -> None:
    take(history, NOON, *many(3))
    with pytest.raises(NotTakenInError, match="fetched before"):
        take(history, NOON - 1, *many(3))
    stale = provenance(TRACKER.name, NOON + 10)
    stale = replace(stale, published=NOON - 1000)
    with pytest.raises(NotTakenInError, match="published before"):
        take_in(history, TRACKER, many(3), stale)


def test_a_document_that_ends_too_early_changes_nothing(tmp_path: Path, history: History) -> None:
    debian = FEEDS["debian-tracker"]
    take_in(history, debian, debian.pieces(DATA / "debian-tracker.json"), provenance(debian.name))
    path = tmp_path / "json"
    path.write_bytes(sample("debian-tracker.json")[:-5])
    with pytest.raises(ValueError, match="the document ends too early"):
        take_in(history, debian, debian.pieces(path), provenance(debian.name, NOON + 10))
    state = history.feed(debian.name)
    assert state is not None
    assert (state.provenance.fetched_at, state.records) == (NOON, 4)


def test_one_broken_entry_of_a_large_document_is_named_and_kept(tmp_path: Path, history: History) -> None:
    debian = FEEDS["debian-tracker"]
    path = tmp_path / "json"
    document = json.loads(sample("debian-tracker.json"))
    path.write_text(json.dumps(document))
    take_in(history, debian, debian.pieces(path), provenance(debian.name))
    document["389-ds-base"]["CVE-2016-5405"]["releases"]["sid"]["fixed_version"] = "see bug"
    document["bash"] = "nothing"
    path.write_text(json.dumps(document))
    taken = take_in(history, debian, debian.pieces(path), provenance(debian.name, NOON + 10))
    assert sorted(problem.record for problem in taken.problems) == ["389-ds-base/CVE-2016-5405", "bash"]
    assert taken.retracted == 0
    assert len(history.said("CVE-2016-5405")) == 2


def test_another_reader_reads_again_what_has_not_changed(history: History) -> None:
    take(history, NOON, *many(3))
    taken = take_in(history, replace(TRACKER, reader=2), many(3), provenance(TRACKER.name, NOON + 10))
    assert (taken.seen, taken.read, taken.statements_changed) == (3, 3, 0)


def test_scores_come_in_whole_and_a_torn_table_changes_nothing(history: History) -> None:
    table = sample("epss-2022-02-04.csv")
    taken = take_in_scores(history, epss_lines([table[:50], table[50:]]), provenance("epss", NOON, table))
    assert (taken.seen, taken.statements_changed) == (2, 2)
    assert history.score("CVE-2020-5902") == Score("CVE-2020-5902", 0.96817, 0.99999)
    again = take_in_scores(history, iter(()), provenance("epss", NOON + 10, table))
    assert again.unchanged
    with pytest.raises(NotTakenInError, match="not one score"):
        take_in_scores(history, [b"cve,epss"], provenance("epss", NOON + 20))
    many_scores = [b"cve,epss", *(b"CVE-2026-%05d,0.5" % number for number in range(1000))]
    take_in_scores(history, many_scores, provenance("epss", NOON + 30))
    with pytest.raises(NotTakenInError, match="800 of 1000 records are gone"):
        take_in_scores(history, many_scores[:201], provenance("epss", NOON + 40))
    assert history.score("CVE-2026-00999") == Score("CVE-2026-00999", 0.5, None)


def test_a_name_of_a_foreign_file_is_shown_escaped(history: History) -> None:
    taken = take(history, NOON, *many(1), Piece("CVE-2026-\x1b[31m\n", b""))
    assert [problem.where for problem in taken.problems] == ["CVE-2026-\\x1b[31m\\n"]


def osv_record(identity: str, modified: str) -> Piece:
    record = {"schema_version": "1.7.0", "id": identity, "modified": modified, "details": "x", "affected": []}
    return Piece(f"{identity}.json", json.dumps(record).encode())


def test_a_feed_is_as_old_as_its_newest_record() -> None:
    history = MemoryHistory()
    pieces = [
        osv_record("UBUNTU-CVE-2026-0001", "2026-04-01T00:00:00Z"),
        osv_record("UBUNTU-CVE-2026-0002", "2026-04-20T00:00:00Z"),
        osv_record("UBUNTU-CVE-2026-0003", "2099-01-01T00:00:00Z"),
    ]
    undated = Provenance("ubuntu-osv", "x", NOON, b"a")
    take_in(history, FEEDS["ubuntu-osv"], pieces, undated)
    state = history.feed("ubuntu-osv")
    assert state is not None
    assert state.provenance.published == APRIL_20


def test_a_feed_whose_newest_record_is_older_than_what_is_known_is_no_retraction() -> None:
    history = MemoryHistory()
    old = [osv_record("UBUNTU-CVE-2026-0001", "2026-04-01T00:00:00Z")]
    new = [*old, osv_record("UBUNTU-CVE-2026-0002", "2026-04-20T00:00:00Z")]
    feed = FEEDS["ubuntu-osv"]
    take_in(history, feed, new, Provenance("ubuntu-osv", "x", NOON, b"new"))
    with pytest.raises(OlderFeedError, match="older than what is known"):
        take_in(history, feed, old, Provenance("ubuntu-osv", "x", NOON + 60, b"old"))
    assert history.record("ubuntu-osv", "UBUNTU-CVE-2026-0002") is not None
    # Whoever wants it all the same can have it.
    take_in(history, feed, old, Provenance("ubuntu-osv", "x", NOON + 60, b"old"), may_vanish=True)
    assert history.record("ubuntu-osv", "UBUNTU-CVE-2026-0002") is None
