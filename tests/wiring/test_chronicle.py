"""What was served and what readiness says, as events; and a journal that stays within its bounds."""

import sys
import time

import msgspec
import pytest

from tests.sources.standing import NOW, Clock
from tidegate.holding.readiness import Disk, Facts, Readiness, Thresholds, judge
from tidegate.holding.stock import Kind, Share, Stock
from tidegate.store.journal import Happening
from tidegate.store.journal_kinds import objection
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.memory_journal import MemoryJournal
from tidegate.store.settings import JournalSettings
from tidegate.wiring.chronicle import Chronicle, cut, shorten
from tidegate.wiring.tallies import Tally

DAY_US = 86_400 * 1_000_000
QUIET = Facts((), (), Disk(free_bytes=1 << 40, floor_bytes=0))
BEFORE = Tally(bytes=100, by_how={"hit": 5}, by_status={"200": 5}, lacking=0)


def stock(held: int) -> Stock:
    share = Share(kind=Kind.UPDATES, wanted=10, held=held, wanted_bytes=10, held_bytes=held, percent=held * 10.0)
    return Stock(at=1, hot=10, shares=(share,), lacking=10 - held)


class Desk:
    """A chronicle over counts that a test sets."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.tally, self.stock, self.now = BEFORE, None, Clock()
        self._journal = journal
        self.pen = JournalWriter(journal, pytest.fail)
        self.chronicle = Chronicle(
            self.pen, lambda: self.tally, lambda: self.stock, self._judged, lambda: 60.0, now=self.now
        )

    stock: Stock | None

    def _judged(self) -> Readiness | None:
        return None if self.stock is None else judge(self.stock, QUIET, Thresholds(), 1)

    def told(self) -> list[tuple[str, dict[str, object]]]:
        self.pen.close()
        events = self._journal.last(100)
        assert [why for event in events if (why := objection(event.kind, event.data))] == []
        return [(event.kind, dict(event.data)) for event in events]


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryJournal())


def test_what_was_served_since_the_last_time_is_written_down_with_how(desk: Desk) -> None:
    desk.now.now += 60
    desk.tally = Tally(bytes=350, by_how={"hit": 9, "refused": 3}, by_status={"200": 9, "503": 2, "404": 1}, lacking=2)
    desk.chronicle.note_served()
    desk.now.now += 60
    desk.chronicle.note_served()
    desk.now.now += 60
    desk.chronicle.note_served()
    (kind, data), (_, quiet) = desk.told()
    assert kind == "served"
    assert (quiet["requests"], quiet["lacking"], quiet["since"]) == (0, 0, NOW + 60), "the lack is over"
    assert data == {
        "since": NOW,
        "until": NOW + 60,
        "requests": 7,
        "bytes": 250,
        "lacking": 2,
        "how.hit": 4,
        "how.refused": 3,
        "status.200": 4,
        "status.404": 1,
        "status.503": 2,
    }


def test_at_the_end_what_was_served_comes_first(desk: Desk) -> None:
    desk.tally = msgspec.structs.replace(BEFORE, by_status={"200": 6})
    desk.chronicle.note_end()
    assert [kind for kind, _ in desk.told()] == ["served", "stopped"]


def test_a_verdict_is_written_down_when_it_is_another_one(desk: Desk) -> None:
    for held in (10, 10, 3, 4, 10):
        desk.stock = stock(held)
        desk.chronicle.note_readiness()
    told = [(data["before"], data["after"], data["lacking"], data["updates"]) for _, data in desk.told()]
    assert told == [("unknown", "ok", 0, 100.0), ("ok", "critical", 7, 30.0), ("critical", "ok", 0, 100.0)]


def test_a_verdict_that_was_written_down_in_an_earlier_life_is_no_news(desk: Desk) -> None:
    desk.pen.note("readiness", "gateway", before="unknown", after="ok", lacking=0, reason="")
    desk.told()
    again = Desk(desk._journal)
    again.chronicle.remember(desk._journal.last(1, kinds=("readiness",)))
    again.stock = stock(10)
    again.chronicle.note_readiness()
    assert len(again.told()) == 1


# Bounds


def aged(*days: float) -> MemoryJournal:
    """Events that are so many days old."""
    journal = MemoryJournal()
    journal.append([Happening("stopped", "gateway", {}) for _ in days])
    now = int(time.time() * 1e6)
    journal._rows = [row._replace(at_us=now - int(age * DAY_US)) for row, age in zip(journal._rows, days, strict=True)]
    return journal


def everything() -> int:
    return sys.maxsize


@pytest.mark.parametrize(
    ("days", "settings", "first"),
    [
        ([30, 20, 10, 1], JournalSettings(keep_days=15), 3),
        ([30, 20, 10, 1], JournalSettings(keep_days=400), 0),
        ([30, 20, 18, 16], JournalSettings(keep_days=15), 4),
        ([1, 30, 30, 1], JournalSettings(keep_days=15), 0),
    ],
)
def test_what_is_too_old_goes_but_for_the_newest_and_what_a_stepped_clock_dated(
    days: list[float], settings: JournalSettings, first: int
) -> None:
    assert cut(aged(*days), settings, time.time(), everything) == first


def test_beyond_how_many_there_may_be_the_oldest_go() -> None:
    journal = aged(*[0.0] * 2_500)
    assert cut(journal, JournalSettings(events_max=1_000), time.time(), everything) == 1_501


def test_an_event_that_is_needed_stays_with_all_behind_it() -> None:
    journal = aged(30, 20, 10, 1)
    assert cut(journal, JournalSettings(keep_days=5), time.time(), lambda: 2) == 2


def test_no_incident_keeps_more_than_twice_as_many_events_as_there_may_be() -> None:
    journal = aged(*[0.0] * 2_500)
    assert cut(journal, JournalSettings(events_max=1_000), time.time(), lambda: 1) == 501


def test_shortened_again_and_again_there_comes_an_end() -> None:
    journal = aged(*[30.0] * 100, 1)
    assert shorten(journal, JournalSettings(keep_days=5), time.time(), everything)
    assert not shorten(journal, JournalSettings(keep_days=5), time.time(), everything)
    assert [event.kind for event in journal.read()] == ["stopped", "summary"]


def test_an_empty_journal_is_not_shortened() -> None:
    assert not shorten(MemoryJournal(), JournalSettings(), time.time(), everything)
