"""When somebody else is asked beside a source that is late."""

from hypothesis import given
from hypothesis import strategies as st

from tests.sources.sinks import settings
from tidegate.sources.pace import LOOK_S, RATE_WINDOW_S, Pace

LIMITS = settings(stall_hedge_s=0.6, rate_min_bytes_s=8_192)
PATIENCE_S = 0.5


def asked(now: float = 100.0) -> Pace:
    pace = Pace(LIMITS)
    pace.asked(now, PATIENCE_S)
    return pace


def test_a_source_has_its_own_patience_before_it_is_late() -> None:
    pace = asked(100.0)
    assert pace.late(100.4) is None
    assert pace.look_in_s(100.4) <= 0.11
    assert pace.late(100.5) == "no byte within 0.50 s"


def test_one_that_is_late_with_nobody_to_help_is_looked_at_now_and_then_and_not_without_end() -> None:
    pace = asked(100.0)
    assert pace.look_in_s(107.0) == LOOK_S


def test_bytes_that_stop_are_late_after_the_stall() -> None:
    pace = asked(100.0)
    pace.progressed(100.3, 100_000)
    assert pace.late(100.8) is None
    assert pace.late(100.9) == "no byte for 0.60 s"


def test_bytes_that_trickle_are_late_after_a_window_below_the_minimum_rate() -> None:
    pace = asked(100.0)
    for step in range(11):
        pace.progressed(100.0 + step / 10, 100)
    assert pace.late(100.0 + RATE_WINDOW_S) == "1,100 B/s"
    assert pace.late(101.1) is None  # the next window has only begun


def test_whoever_is_asked_beside_it_has_its_own_time() -> None:
    pace = asked(100.0)
    pace.progressed(100.1, 10)
    assert pace.late(100.8) is not None
    pace.asked(100.8, PATIENCE_S)
    assert pace.late(101.3) is None
    assert pace.late(101.4) == "no byte for 0.60 s"


def test_after_an_attempt_has_ended_silence_is_the_next_ones() -> None:
    pace = asked(100.0)
    pace.progressed(100.1, 10)
    pace.stopped()
    pace.asked(103.0, PATIENCE_S)
    assert pace.late(103.4) is None


@given(st.lists(st.tuples(st.floats(0.01, 0.5), st.integers(20_000, 1_000_000)), max_size=50))
def test_who_keeps_up_is_never_late(steps: list[tuple[float, int]]) -> None:
    pace, now = asked(0.0), 0.0
    for wait, count in steps:
        now += wait
        assert pace.late(now - wait / 2) is None
        assert pace.look_in_s(now) > 0
        pace.progressed(now, count)
        assert pace.late(now) is None
