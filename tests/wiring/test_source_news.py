"""Two workers over one store: what each learns of a source stands in the journal once."""

import pytest

from tidegate.sources.breaker import Breaker, Cause, State
from tidegate.sources.health import Health, Standing
from tidegate.sources.outages import Outages
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.memory_journal import MemoryJournal
from tidegate.wiring.source_news import SourceNews

SOURCE = "http://mirror.example/ubuntu"
OUT = Breaker(State.OPEN, Cause.UNREACHABLE, reason="502")


class Workers:
    """Their breakers, and what was told."""

    def __init__(self) -> None:
        self.journal, self.said = MemoryJournal(), list[str]()
        self.pen = JournalWriter(self.journal, pytest.fail)
        self.outages = Outages(2)
        self.health = [Health(), Health()]
        self.news = [self.begun(number) for number in range(2)]

    def begun(self, number: int) -> SourceNews:
        tell = self.said
        return SourceNews(
            self.health[number], dict, self.outages, number, self.pen, lambda news: tell.append(news.text)
        )

    def turn(self, number: int, after: Breaker) -> None:
        standing = self.health[number].of(SOURCE)
        before, standing.breaker = standing.breaker, after
        self.news[number].turned(SOURCE, before, after)

    def told(self) -> list[object]:
        self.pen.close()
        return [event.data["after"] for event in self.journal.read()]


@pytest.fixture
def workers() -> Workers:
    return Workers()


def test_a_source_that_is_out_for_both_is_out_once_and_well_once(workers: Workers) -> None:
    for number in (0, 1):
        workers.turn(number, OUT)
    for number in (0, 1):
        workers.turn(number, Breaker())
    assert workers.told() == ["open", "closed"]
    assert workers.said == [f"{SOURCE} is left alone: 502", f"{SOURCE} is well again; it had been out: 502"]


def test_what_was_out_for_a_worker_that_died_is_told_to_be_over_by_its_successor(workers: Workers) -> None:
    workers.turn(1, OUT)
    workers.health[1].sources[SOURCE] = Standing()
    workers.news[1] = workers.begun(1)
    workers.begun(1)
    assert workers.told() == ["open", "closed"]


def test_a_successor_that_leaves_it_alone_as_well_has_no_news(workers: Workers) -> None:
    workers.turn(1, OUT)
    workers.news[1] = workers.begun(1)
    assert workers.told() == ["open"]
    assert workers.outages.elsewhere(0, SOURCE) == {Cause.UNREACHABLE}
