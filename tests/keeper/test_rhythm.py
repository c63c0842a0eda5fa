"""When a suite's silence is suspicious: against its own rhythm, and only where there are signs of life."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.keeper.rhythm import GAPS_MIN, Suite, possible_freeze, rhythm_of

HOUR_S, DAY_S = 3600, 86_400
START = 1_790_000_000
HOURLY = tuple(START + HOUR_S * number for number in range(24))
LAST = HOURLY[-1]


def suite(
    dates: tuple[int, ...] = HOURLY,
    *,
    others: dict[str, int] | None = None,
    valid_until: int | None = None,
    mark: int | None = None,
) -> Suite:
    return Suite(dates[-1], valid_until, dates, dates[-1] if mark is None else mark, others or {})


ALIVE = {"noble-updates": LAST + 3 * DAY_S}


def test_a_suite_that_falls_silent_while_its_neighbours_move_on_may_be_frozen() -> None:
    said = possible_freeze(suite(others=ALIVE), LAST + 3 * DAY_S)
    assert said is not None
    assert "no Release since" in said
    assert "3 d" in said
    assert "every 60 min" in said
    assert "noble-updates moved on" in said


@pytest.mark.parametrize("after_s", [HOUR_S, 23 * HOUR_S, DAY_S])
def test_silence_within_the_rhythm_or_a_day_is_no_sign(after_s: int) -> None:
    assert possible_freeze(suite(others=ALIVE), LAST + after_s) is None


def test_a_slow_suite_may_be_silent_for_longer() -> None:
    weekly = tuple(START + 7 * DAY_S * number for number in range(10))
    alive = {"other": weekly[-1] + 60 * DAY_S}
    assert possible_freeze(suite(weekly, others=alive), weekly[-1] + 27 * DAY_S) is None
    assert possible_freeze(suite(weekly, others=alive), weekly[-1] + 29 * DAY_S) is not None


def test_where_nothing_else_moves_the_vendor_may_be_at_rest() -> None:
    assert possible_freeze(suite(), LAST + 30 * DAY_S) is None
    assert possible_freeze(suite(others={"noble-updates": LAST + HOUR_S}), LAST + 30 * DAY_S) is None


def test_a_newer_release_whose_set_was_nowhere_whole_is_a_sign_of_life() -> None:
    said = possible_freeze(suite(mark=LAST + HOUR_S), LAST + 3 * DAY_S)
    assert said is not None
    assert "could not be had whole" in said


def test_too_few_releases_are_no_rhythm() -> None:
    assert rhythm_of(HOURLY[:GAPS_MIN]) is None
    assert rhythm_of(HOURLY[: GAPS_MIN + 1]) is not None
    assert possible_freeze(suite(HOURLY[:GAPS_MIN], others=ALIVE), LAST + 30 * DAY_S) is None


def test_a_release_near_its_end_should_have_been_replaced() -> None:
    def said(left_s: int) -> str | None:
        return possible_freeze(suite(valid_until=LAST + 8 * DAY_S), LAST + 8 * DAY_S - left_s)

    assert said(3 * DAY_S) is None
    near, over = said(2 * DAY_S), said(-2 * HOUR_S)
    assert near is not None
    assert over is not None
    assert "ends in 2 d" in near
    assert "ends 2 h ago" in over


@given(st.lists(st.integers(START, START + 10_000), max_size=80))
def test_a_rhythm_is_within_the_gaps_it_was_learned_from(dates: list[int]) -> None:
    rhythm = rhythm_of(dates)
    ordered = sorted(set(dates))
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    assert (rhythm is None) == (len(gaps) < GAPS_MIN)
    if rhythm is not None:
        assert min(gaps) <= rhythm.usual_s <= rhythm.longest_usual_s <= max(gaps)
