"""What is written down of an archive's solitude and of Releases that expire: once each, restarts or not."""

from collections.abc import Iterator

import pytest

from tests.sources.standing import NOW, A, B, Clock, failed
from tidegate.holding.solitude import Solitude
from tidegate.sources.archive import Archive
from tidegate.sources.failure import Failure
from tidegate.sources.health import Health
from tidegate.store.catalogue import Adoption, Snapshot
from tidegate.store.journal import Event
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.memory_catalogue import MemoryCatalogue
from tidegate.store.memory_journal import MemoryJournal
from tidegate.trust.keyring import Keyring

ARCHIVE = Archive("debian", Keyring(()), ("s",), (), (), False, (), (A, B), True, (), False, True)
LATE_S = Health().settings.alone_after_s


class Life:
    """One life of a gateway over a journal that outlives it."""

    def __init__(self, journal: MemoryJournal, now: Clock, catalogue: MemoryCatalogue) -> None:
        self.health = Health(now=now, random=lambda: 0.0)
        self.pen = JournalWriter(journal, pytest.fail)
        self.solitude = Solitude({ARCHIVE.name: ARCHIVE}, self.health, catalogue, self.pen, now=now)
        self.solitude.remember(journal.last(100))

    def lose(self) -> None:
        for one in (A, B):
            failed(self.health, one, Failure.UNREACHABLE)


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    return MemoryCatalogue()


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def life(journal: MemoryJournal, now: Clock, catalogue: MemoryCatalogue) -> Iterator[Life]:
    made = Life(journal, now, catalogue)
    yield made
    made.pen.close()


def told(life: Life, journal: MemoryJournal) -> list[tuple[str, str, dict[str, object]]]:
    life.pen.close()
    return [(event.kind, event.subject, dict(event.data)) for event in journal.last(100)]


def test_it_begins_when_the_last_source_went_out_and_is_told_once_that_has_lasted(
    life: Life, journal: MemoryJournal, now: Clock
) -> None:
    failed(life.health, A, Failure.UNREACHABLE)
    now.now += 100
    failed(life.health, B, Failure.UNREACHABLE)
    life.solitude.look()
    now.now += LATE_S
    for _ in range(3):
        life.solitude.look()
    assert told(life, journal) == [("alone-begun", "debian", {"since": NOW + 100, "sources": 2})]


def test_a_source_that_is_back_ends_it_at_once_with_how_long_it_was(
    life: Life, journal: MemoryJournal, now: Clock
) -> None:
    life.lose()
    now.now += 54_000
    life.solitude.look()
    life.health.asked(A.url)
    life.health.vouched(A.url)
    assert told(life, journal)[1:] == [("alone-ended", "debian", {"since": NOW, "duration_s": 54_000.0})]


def test_a_restart_in_the_middle_begins_nothing_twice_and_ends_what_was_begun(
    life: Life, journal: MemoryJournal, now: Clock, catalogue: MemoryCatalogue
) -> None:
    life.lose()
    now.now += LATE_S
    life.solitude.look()
    life.pen.close()
    second = Life(journal, now, catalogue)
    second.health.sources = life.health.sources
    now.now += 600
    second.solitude.look()
    second.health.asked(B.url)
    second.health.vouched(B.url)
    assert [kind for kind, _, _ in told(second, journal)] == ["alone-begun", "alone-ended"]
    assert journal.last(1)[0].data["duration_s"] == LATE_S + 600


def test_an_outage_that_was_over_before_it_lasted_is_none(life: Life, journal: MemoryJournal, now: Clock) -> None:
    life.lose()
    now.now += LATE_S / 2
    life.solitude.look()
    life.health.asked(A.url)
    life.health.vouched(A.url)
    now.now += LATE_S
    life.solitude.look()
    assert told(life, journal) == []


def test_offline_is_no_outage(life: Life, journal: MemoryJournal, now: Clock) -> None:
    life.lose()
    life.health.offline = True
    now.now += 3600
    life.solitude.look()
    assert told(life, journal) == []


def test_a_release_that_expires_while_it_is_served_is_told_once(
    life: Life, journal: MemoryJournal, now: Clock, catalogue: MemoryCatalogue
) -> None:
    date, until = int(NOW) - 100, int(NOW) + 100
    snapshot = Snapshot("debian", "s", date, until, b"p" * 32, A.url, date, date)
    catalogue.adopt(Adoption(snapshot, (), {}))
    life.solitude.look()
    assert journal.last(1) == ()
    now.now = until + 1
    for _ in range(2):
        life.solitude.look()
    life.pen.close()
    again = Life(journal, now, catalogue)
    again.solitude.look()
    assert told(again, journal) == [("suite-expired", "debian s", {"date": date, "valid_until": until})]


def test_an_event_that_says_no_moment_begins_nothing(life: Life, journal: MemoryJournal, now: Clock) -> None:
    life.solitude.remember([Event(1, NOW, 0.0, "boot", "alone-begun", "debian", {"since": "yesterday"})])
    life.solitude.look()
    assert told(life, journal) == []
