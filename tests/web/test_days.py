"""The last ninety days: what was, for how long, and what is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.store.journal import Event, Value
from tidegate.web.days import DAY_S, DAYS, Level, Record, Stretch, date_of, days, record

NOW = 1_777_566_817.0
TODAY = int(NOW) // DAY_S * DAY_S
ALWAYS = Record(((0.0, NOW),), {})


def event(seq: int, kind: str, at: float, subject: str = "gateway", **data: Value) -> Event:
    return Event(seq, at, at, "boot", kind, subject, data)


def test_day_is_of_the_worst_that_it_came_to_and_says_for_how_long() -> None:
    noon = TODAY - DAY_S + 43_200
    found = days(
        [
            Stretch(noon - 7200, noon + 7200, Level.RISK),
            Stretch(noon, noon + 600, Level.PARTLY),
            Stretch(noon + 300, noon + 900, Level.PARTLY),
        ],
        ALWAYS,
        NOW,
    ).all
    assert (found[-2].level, found[-2].seconds) == (Level.PARTLY, 900)
    assert {day.level for day in found[:-2]} | {found[-1].level} == {Level.WORKS}


def test_trouble_over_midnight_is_on_both_days() -> None:
    found = days([Stretch(TODAY - 60, TODAY + 30, Level.FAILS)], ALWAYS, NOW).all
    assert [day.seconds for day in found[-2:]] == [60, 30]


def test_day_without_a_gateway_is_not_known_and_never_well() -> None:
    found = days([], Record(((TODAY - 2 * DAY_S + 5, TODAY - 2 * DAY_S + 6), (TODAY + 1, NOW)), {}), NOW)
    assert [day.level for day in found.all[-3:]] == [Level.WORKS, Level.UNKNOWN, Level.WORKS]
    assert found.sentence == "2 days without trouble, 88 not known"


def test_day_of_which_a_summary_is_left_is_well_only_if_it_counts_no_trouble() -> None:
    summed = {date_of(TODAY - 3 * DAY_S): True, date_of(TODAY - 2 * DAY_S): False}
    found = days([], Record((), summed), NOW).all
    assert [day.level for day in found[-4:]] == [Level.WORKS, Level.UNKNOWN, Level.UNKNOWN, Level.UNKNOWN]


@given(st.lists(st.tuples(st.integers(0, 100 * DAY_S), st.integers(0, 30 * DAY_S), st.sampled_from(Level)), max_size=8))
def test_ninety_days_add_up(spans: list[tuple[int, int, Level]]) -> None:
    found = days([Stretch(NOW - ago, min(NOW, NOW - ago + long), level) for ago, long, level in spans], ALWAYS, NOW).all
    assert len({day.date for day in found}) == len(found) == DAYS
    assert found[-1].date == date_of(NOW)
    assert all(0 <= day.seconds <= DAY_S for day in found)


def test_run_that_ended_in_a_crash_ends_with_its_last_word() -> None:
    turns = [event(1, "started", 100), event(9, "started", 500), event(12, "stopped", 600), event(13, "started", 900)]
    assert record(turns, {9: 300.0}, (), 950).runs == ((100, 300.0), (500, 600), (900, 950))


def test_journal_whose_beginning_was_removed_begins_with_a_run() -> None:
    turns = [event(400, "served", 100), event(410, "stopped", 200)]
    assert record(turns, {}, (), 300).runs == ((100, 200),)


@pytest.mark.parametrize(("kind", "well"), [("served", True), ("adopted", True), ("alone-begun", False)])
def test_summaries_of_one_day_count_together(kind: str, well: bool) -> None:
    summaries = [event(1, "summary", 1, "2026-04-30", **{f"n.{kind}": 1}), event(2, "summary", 1, "2026-04-30")]
    assert record((), {}, summaries, 0).summed == {"2026-04-30": well}
