"""What is written down of an archive that hangs on its last operator, and of what nobody showed to be fresh."""

from collections.abc import Iterator

import pytest

from tests.sources.standing import NOW, A, B, C, Clock, failed
from tidegate.holding.margins import FRESHNESS_EVERY_S, START_GRACE_S, Margins
from tidegate.sources.archive import Archive
from tidegate.sources.failure import Failure
from tidegate.sources.health import Health
from tidegate.store.catalogue import Adoption, Snapshot
from tidegate.store.journal_kinds import objection
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.memory_catalogue import MemoryCatalogue
from tidegate.store.memory_journal import MemoryJournal
from tidegate.trust.keyring import Keyring

ARCHIVE = Archive("debian", Keyring(()), ("s",), (), (), False, (), (A, B, C), True, (), False, True)
LATE_S = Health().settings.alone_after_s
LOST_S = 21_600.0


class Life:
    """One life of a gateway over a journal and a catalogue that outlive it."""

    def __init__(self, journal: MemoryJournal, now: Clock, catalogue: MemoryCatalogue, archive: Archive) -> None:
        self.health = Health(now=now, random=lambda: 0.0)
        self.pen = JournalWriter(journal, pytest.fail)
        archives = {archive.name: archive}
        self.margins = Margins(archives, self.health, catalogue, self.pen, lost_after_s=lambda: LOST_S, now=now)
        self.margins.remember(journal.last(100))


class World:
    """Time, what is served, the journal, and the life of the moment."""

    def __init__(self) -> None:
        self.now, self.journal, self.catalogue = Clock(), MemoryJournal(), MemoryCatalogue()
        self.life = self._born(ARCHIVE)

    def _born(self, archive: Archive) -> Life:
        return Life(self.journal, self.now, self.catalogue, archive)

    def restart(self, archive: Archive = ARCHIVE) -> None:
        health = self.life.health.sources
        self.life.pen.close()
        self.life = self._born(archive)
        self.life.health.sources = health

    def after(self, seconds: float) -> None:
        self.now.now += seconds
        self.life.margins.look()

    def lose(self, *sources: object) -> None:
        for one in (A, B, C):
            if one in sources:
                failed(self.life.health, one, Failure.UNREACHABLE)

    def serve(self, confirmed_at: float) -> None:
        at = int(confirmed_at)
        snapshot = Snapshot("debian", "s", at, None, b"p" * 32, A.url, at, at, confirmed_by=("a", "b"))
        self.catalogue.adopt(Adoption(snapshot, (), {}))

    def told(self) -> list[tuple[str, dict[str, object]]]:
        self.life.pen.close()
        events = self.journal.last(100)
        assert [why for event in events if (why := objection(event.kind, event.data))] == []
        return [(event.kind, dict(event.data)) for event in events]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.life.pen.close()


def test_one_of_three_operators_out_is_no_news(world: World) -> None:
    world.lose(A)
    world.after(10 * LATE_S)
    assert world.told() == []


def test_an_archive_on_its_last_operator_is_told_once_with_who_that_is_and_since_when(world: World) -> None:
    world.lose(A)
    world.after(100)
    world.lose(B)
    world.after(0)
    for _ in range(3):
        world.after(LATE_S)
    begun = {"since": NOW + 100, "operator": "c", "operators": 3}
    assert world.told() == [("last-operator-begun", begun)]


def test_when_all_go_at_once_nobody_is_left(world: World) -> None:
    world.lose(A, B, C)
    world.after(LATE_S)
    assert world.told() == [("last-operator-begun", {"since": NOW, "operator": "", "operators": 3})]


def test_when_another_answers_again_it_is_over_over_a_restart_too(world: World) -> None:
    world.lose(A, B)
    world.after(LATE_S)
    world.restart()
    world.after(1000)
    world.life.health.asked(A.url)
    world.life.health.vouched(A.url)
    world.after(0)
    world.after(5)
    assert [kind for kind, _ in world.told()] == ["last-operator-begun", "last-operator-ended"]
    assert world.told()[1][1] == {"since": NOW, "duration_s": 1000 + LATE_S}


def test_an_archive_that_always_had_one_operator_is_told_by_other_means(world: World) -> None:
    world.restart(Archive("debian", Keyring(()), ("s",), (), (), False, (), (A,), True, (), False, True))
    world.lose(A)
    world.after(LATE_S)
    assert world.told() == []


def test_an_archive_whose_other_operators_were_taken_out_of_the_settings_hangs_on_one_by_choice(world: World) -> None:
    world.lose(A, B)
    world.after(LATE_S)
    world.restart(Archive("debian", Keyring(()), ("s",), (), (), False, (), (C,), True, (), False, True))
    world.after(1)
    assert [kind for kind, _ in world.told()] == ["last-operator-begun", "last-operator-ended"]


def test_what_nobody_showed_to_be_the_newest_for_too_long_is_told_once(world: World) -> None:
    world.serve(NOW)
    world.after(LOST_S)
    assert world.journal.last(1) == ()
    for _ in range(3):
        world.after(FRESHNESS_EVERY_S)
    assert world.told() == [("freshness-lost", {"confirmed_at": int(NOW), "limit_s": LOST_S})]


def test_what_is_shown_to_be_the_newest_again_is_told(world: World) -> None:
    world.serve(NOW)
    world.after(LOST_S + 1)
    world.restart()
    world.catalogue.confirm("debian", "s", int(world.now.now), ("b", "c"))
    world.after(FRESHNESS_EVERY_S)
    world.after(FRESHNESS_EVERY_S)
    at = int(NOW + LOST_S + 1)
    assert world.told()[1:] == [("freshness-confirmed", {"confirmed_at": at, "confirmed_by": "b,c"})]


def test_a_gateway_that_was_off_for_a_day_looks_before_it_complains(world: World) -> None:
    world.serve(NOW - 86_400)
    world.after(0)
    world.after(START_GRACE_S - 1)
    assert world.journal.last(1) == ()
    world.after(FRESHNESS_EVERY_S)
    assert [kind for kind, _ in world.told()] == ["freshness-lost"]


def test_offline_nothing_of_it_is_news(world: World) -> None:
    world.life.health.offline = True
    world.serve(NOW)
    world.lose(A, B, C)
    world.after(10 * LOST_S)
    assert world.told() == []
