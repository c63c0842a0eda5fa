"""Which sources are out for which worker, and what of that is news for the gateway as a whole."""

import pytest

from tidegate.sources.breaker import Breaker, Cause, State
from tidegate.sources.outages import SLOT_BYTES, Outages, is_news_for_all

WELL = Breaker()
OUT = Breaker(State.OPEN, Cause.UNREACHABLE)
ON_TRIAL = Breaker(State.HALF_OPEN, Cause.UNREACHABLE)
LIED = Breaker(State.OPEN, Cause.VIOLATION)


@pytest.mark.parametrize(
    ("before", "after", "elsewhere", "is_news"),
    [
        (WELL, OUT, set(), True),
        (WELL, OUT, {Cause.UNREACHABLE}, False),
        (WELL, OUT, {Cause.VIOLATION}, False),
        (WELL, LIED, {Cause.UNREACHABLE}, True),
        (OUT, LIED, {Cause.UNREACHABLE}, True),
        (WELL, LIED, {Cause.VIOLATION}, False),
        (OUT, WELL, set(), True),
        (OUT, WELL, {Cause.UNREACHABLE}, False),
        (LIED, WELL, {Cause.UNREACHABLE}, False),
        (OUT, ON_TRIAL, set(), False),
    ],
)
def test_a_source_is_out_while_it_is_for_any_worker(
    before: Breaker, after: Breaker, elsewhere: set[Cause], *, is_news: bool
) -> None:
    assert is_news_for_all(before, after, elsewhere) is is_news


def test_each_worker_sees_what_the_others_left() -> None:
    outages = Outages(3)
    outages.write(0, {"http://a": Cause.UNREACHABLE})
    outages.write(1, {"http://a": Cause.VIOLATION, "http://b": Cause.UNREACHABLE})
    assert outages.elsewhere(2, "http://a") == {Cause.UNREACHABLE, Cause.VIOLATION}
    assert outages.elsewhere(0, "http://a") == {Cause.VIOLATION}
    assert outages.elsewhere(1, "http://b") == frozenset()
    outages.write(1, {})
    assert outages.elsewhere(2, "http://b") == frozenset()


def test_while_a_worker_writes_it_counts_what_it_wrote_before() -> None:
    outages = Outages(2)
    outages.write(0, {"http://a": Cause.UNREACHABLE})
    assert outages.elsewhere(1, "http://a")
    outages._memory[8] ^= 0xFF
    assert outages.elsewhere(1, "http://a")


def test_more_than_a_slot_holds_is_nobodys_news_but_that_workers() -> None:
    outages = Outages(2)
    outages.write(0, {f"http://{number}.example/{'x' * 200}": Cause.UNREACHABLE for number in range(SLOT_BYTES // 200)})
    assert outages.read(0) == {}
