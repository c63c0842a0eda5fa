"""The breaker: who failed is left alone for a doubling while, who lied for long, and nobody for ever."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.sources import breaker as breakers
from tidegate.sources.breaker import (
    TABLE,
    Breaker,
    Cause,
    Event,
    Guard,
    State,
    asked,
    backoff_s,
    may_ask,
    may_ask_at_last,
    requests_max,
    restored,
    succeeded,
    vouched,
)
from tidegate.sources.settings import HealthSettings

RULES = HealthSettings()
NOW = 1_700_000_000.0
WINDOW_S = 600.0
PROMISED = 20
"""Requests in ten minutes, as docs/breaker.md has it."""
DOCUMENT = Path(__file__).parents[2] / "docs/breaker.md"


def failed(
    breaker: Breaker,
    now: float,
    *,
    cause: Cause = Cause.UNREACHABLE,
    jitter: float = 0.0,
    retry_after_s: float | None = None,
    mostly_works: bool = False,
) -> Breaker:
    return breakers.failed(
        breaker,
        now,
        RULES,
        cause=cause,
        reason="in a test",
        jitter=jitter,
        retry_after_s=retry_after_s,
        mostly_works=mostly_works,
    )


def violated(breaker: Breaker, now: float) -> Breaker:
    return failed(breaker, now, cause=Cause.VIOLATION)


def tried(breaker: Breaker, now: float) -> Breaker:
    """Asked as soon as it is due."""
    return asked(breaker, max(now, breaker.until), RULES)


# The table


def test_each_state_has_a_row_for_each_event_whatever_the_condition() -> None:
    for state in State:
        for event in Event:
            guards = [row.guard for row in TABLE if (row.before, row.event) == (state, event)]
            assert guards
            assert guards[-1] is Guard.ALWAYS
            assert guards.count(Guard.ALWAYS) == 1


def test_the_documentation_shows_this_very_table() -> None:
    rows = [f"| {row.before} | {row.event} | {row.guard} | {row.after} | {row.effect} |" for row in TABLE]
    assert "\n".join(rows) in DOCUMENT.read_text()


def test_the_documentation_promises_what_the_settings_give() -> None:
    assert requests_max(WINDOW_S, RULES) <= PROMISED
    assert f"at most {PROMISED} requests" in DOCUMENT.read_text()


def test_the_picture_has_each_change_of_state_that_the_table_has() -> None:
    picture = (DOCUMENT.parent / "img/breaker.svg").read_text()
    for row in TABLE:
        if row.before is not row.after:
            assert f'data-from="{row.before}" data-to="{row.after}"' in picture


# Unreachable


def test_a_new_source_is_asked() -> None:
    assert may_ask(Breaker(), NOW)
    assert asked(Breaker(), NOW, RULES) == succeeded(Breaker(), NOW, RULES) == Breaker()


def test_a_source_that_failed_is_left_alone_and_then_tried_by_one_request() -> None:
    out = failed(Breaker(), NOW)
    assert (out.state, out.cause, out.since, out.reason) == (State.OPEN, Cause.UNREACHABLE, NOW, "in a test")
    assert not may_ask(out, NOW + RULES.backoff_base_s - 0.01)
    due = NOW + RULES.backoff_base_s
    assert may_ask(out, due)
    trial = asked(out, due, RULES)
    assert trial.state is State.HALF_OPEN
    assert not may_ask(trial, due)
    assert not may_ask_at_last(trial, due)


def test_waits_double_up_to_the_cap_and_chance_only_takes_off() -> None:
    waits, breaker, now = [], Breaker(), NOW
    for _ in range(10):
        breaker = failed(breaker, now)
        waits.append(breaker.until - now)
        now = breaker.until
        breaker = asked(breaker, now, RULES)
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [backoff_s(strikes, RULES, 1.0) for strikes in (1, 2, 50)] == [0.4, 0.8, 48]


def test_a_trial_that_goes_well_closes_it() -> None:
    closed = succeeded(tried(failed(Breaker(), NOW), NOW), NOW + 1, RULES)
    assert (closed.state, closed.cause, closed.since) == (State.CLOSED, None, NOW + 1)
    assert may_ask(closed, NOW + 1)


def test_what_fails_again_before_it_was_calm_waits_twice_as_long_as_before() -> None:
    closed = succeeded(tried(failed(Breaker(), NOW), NOW), NOW + 1, RULES)
    again = failed(closed, NOW + 2)
    assert again.until - (NOW + 2) == 2 * RULES.backoff_base_s
    calm = NOW + 1 + RULES.calm_s
    assert failed(closed, calm).until - calm == RULES.backoff_base_s
    assert succeeded(closed, calm, RULES).strikes == 0
    assert succeeded(closed, calm - 1, RULES).strikes == 1


def test_requests_that_were_on_their_way_when_it_opened_strike_no_further() -> None:
    out = failed(Breaker(), NOW)
    for _ in range(30):
        out = failed(out, NOW + 0.1)
    assert (out.strikes, out.until) == (1, NOW + RULES.backoff_base_s)


def test_an_answer_of_one_that_was_on_its_way_closes_nothing_before_its_time() -> None:
    out = failed(Breaker(), NOW)
    assert succeeded(out, NOW + 0.1, RULES) == out
    assert succeeded(out, out.until, RULES).state is State.CLOSED


def test_a_probe_that_goes_well_ends_the_wait_and_keeps_the_strikes() -> None:
    out = failed(Breaker(), NOW)
    back = vouched(out, NOW + 0.1, RULES)
    assert (back.state, back.cause, back.strikes) == (State.CLOSED, None, 1)
    assert vouched(tried(out, NOW), NOW + 1, RULES).state is State.CLOSED
    assert vouched(Breaker(), NOW, RULES) == Breaker()


def test_a_probe_that_goes_well_makes_up_for_no_lie() -> None:
    liar = failed(Breaker(), NOW, cause=Cause.VIOLATION)
    told = vouched(liar, NOW + 0.1, RULES)
    assert (told.state, told.cause) == (State.OPEN, Cause.VIOLATION)
    assert may_ask_at_last(told, NOW + 0.1)


def test_a_trial_that_brings_no_news_is_followed_by_another_but_not_at_once() -> None:
    trial = tried(failed(Breaker(), NOW), NOW)
    assert not may_ask(trial, trial.at + RULES.trial_s - 0.1)
    another = asked(trial, trial.at + RULES.trial_s, RULES)
    assert another.state is State.HALF_OPEN
    assert another.strikes == trial.strikes + 1
    assert not may_ask(another, another.at + RULES.trial_s - 0.1)


def test_going_out_and_coming_back_are_news_and_trials_in_between_are_not() -> None:
    out = failed(Breaker(), NOW)
    trial = tried(out, NOW)
    again = failed(trial, trial.at)
    assert breakers.is_news(Breaker(), out)
    assert not breakers.is_news(out, trial)
    assert not breakers.is_news(trial, again)
    assert breakers.is_news(again, violated(again, NOW + 1))
    assert breakers.is_news(trial, succeeded(trial, NOW + 1, RULES))


def test_a_trial_that_is_being_answered_brings_it_to_hand_where_nothing_else_is_left() -> None:
    trial = tried(failed(Breaker(), NOW), NOW)
    answering = breakers.answered(trial, NOW + 1, RULES)
    assert may_ask_at_last(answering, NOW + 1)
    assert not may_ask(answering, NOW + 1)


@pytest.mark.parametrize(("told_s", "waited_s"), [(30.0, 30.0), (0.0, 0.5), (1e9, 3600.0)])
def test_a_source_that_says_when_to_come_again_is_taken_at_its_word_within_a_bound(
    told_s: float, waited_s: float
) -> None:
    out = failed(Breaker(), NOW, retry_after_s=told_s, mostly_works=True)
    assert out.until == out.next_at == NOW + waited_s
    later = failed(failed(Breaker(), NOW), NOW + 0.1, retry_after_s=told_s)
    assert later.until - NOW == pytest.approx(max(0.5, 0.1 + min(told_s, 3600.0)))


def test_a_source_that_mostly_works_stays_at_hand_where_nothing_else_is_left() -> None:
    out = failed(Breaker(), NOW, mostly_works=True)
    assert not may_ask(out, NOW)
    assert may_ask_at_last(out, NOW)
    assert may_ask_at_last(asked(out, out.until, RULES), out.until)
    assert not may_ask_at_last(failed(out, NOW + 0.1), NOW + 0.1)  # it does not work any more


# Violations


def test_a_source_that_gave_wrong_bytes_is_out_at_once_and_for_long_for_another_cause() -> None:
    for before in (Breaker(), failed(Breaker(), NOW), tried(failed(Breaker(), NOW), NOW)):
        out = violated(before, NOW + 1)
        assert (out.state, out.cause) == (State.OPEN, Cause.VIOLATION)
        assert not may_ask(out, NOW + RULES.violation_s)
        assert may_ask(out, NOW + 1 + RULES.violation_s)


def test_where_nothing_else_is_left_a_liar_is_asked_again_after_a_doubling_wait() -> None:
    now, waits, out = NOW, [], Breaker()
    for _ in range(4):
        out = violated(out, now)
        waits.append(out.next_at - now)
        assert not may_ask_at_last(out, out.next_at - 0.01)
        now = out.next_at
        assert may_ask_at_last(out, now)
        out = asked(out, now, RULES)
    assert waits == [0.5, 1, 2, 4]
    unreachable = failed(out, now)
    assert (unreachable.next_at - now, unreachable.cause) == (8, Cause.VIOLATION)


def test_one_right_answer_does_not_make_up_for_a_lie_but_keeps_it_at_hand() -> None:
    out = violated(Breaker(), NOW)
    right = succeeded(out, NOW + 1, RULES)
    assert (right.state, right.cause, right.until) == (State.OPEN, Cause.VIOLATION, out.until)
    assert may_ask_at_last(right, NOW + 1)
    assert succeeded(tried(out, NOW), out.until + 1, RULES).state is State.CLOSED


def test_a_liar_that_cannot_be_reached_either_stays_a_liar() -> None:
    out = failed(tried(violated(Breaker(), NOW), NOW), NOW + RULES.violation_s + 1)
    assert (out.cause, out.since) == (Cause.VIOLATION, NOW)


def test_wrong_bytes_that_were_on_their_way_together_count_once() -> None:
    out = violated(violated(violated(Breaker(), NOW), NOW), NOW + 0.1)
    assert (out.strikes, out.next_at, out.since) == (1, NOW + RULES.backoff_base_s, NOW)
    assert failed(out, NOW + 0.2) == out


def test_a_liars_trial_is_nothing_to_fall_back_on() -> None:
    trial = tried(violated(Breaker(), NOW), NOW)
    assert trial.state is State.HALF_OPEN
    assert not may_ask_at_last(trial, trial.at + 0.1)
    assert not may_ask_at_last(breakers.answered(trial, trial.at + 0.1, RULES), trial.at + 0.1)


# The promise


@pytest.mark.parametrize("lone", [False, True])
@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.parametrize("fails_after_s", [0.0, 5.0])
def test_a_dead_source_gets_no_more_requests_than_promised(cause: Cause, lone: bool, fails_after_s: float) -> None:
    chance = random.Random(f"{cause} {lone} {fails_after_s}")
    allowed = may_ask_at_last if lone else may_ask
    breaker, on_their_way, sent = failed(Breaker(), NOW, cause=cause), list[float](), 1
    for tick in range(int(WINDOW_S * 10)):  # ten clients a second
        now = NOW + tick / 10
        while on_their_way and on_their_way[0] <= now:
            on_their_way.pop(0)
            breaker = failed(breaker, now, cause=cause, jitter=chance.random())
        if allowed(breaker, now) and not (lone and on_their_way):
            breaker = asked(breaker, now, RULES)
            sent += 1
            on_their_way.append(now + fails_after_s)
    assert sent > 1 or cause is Cause.VIOLATION
    assert sent <= PROMISED


def test_trials_that_never_bring_news_are_bounded_as_well() -> None:
    breaker, sent = failed(Breaker(), NOW), 1
    for tick in range(int(WINDOW_S * 10)):
        now = NOW + tick / 10
        if may_ask(breaker, now):
            breaker, sent = asked(breaker, now, RULES), sent + 1
    assert 5 < sent <= PROMISED


def test_a_flapping_source_is_tried_more_and_more_rarely() -> None:
    trials, breaker = [NOW], failed(Breaker(), NOW)
    for _ in range(6):
        now = breaker.until
        breaker = succeeded(asked(breaker, now, RULES), now, RULES)
        breaker = failed(breaker, now + 0.1)
        trials.append(now)
    waits = [later - earlier for earlier, later in pairwise(trials)]
    assert all(later > 1.8 * earlier for earlier, later in pairwise(waits[1:]))


# Restart, and clocks


def test_a_wall_clock_that_is_stepped_back_makes_it_due() -> None:
    year_s = 365 * 86_400
    for out in (failed(Breaker(), NOW), violated(Breaker(), NOW), tried(failed(Breaker(), NOW), NOW)):
        assert may_ask(out, NOW - year_s)
        again = failed(asked(out, NOW - year_s, RULES), NOW - year_s)
        assert not may_ask(again, NOW - year_s)
        assert again.until <= NOW - year_s + RULES.violation_s


def test_what_was_written_down_is_held_to_the_caps_of_today() -> None:
    year_s = 365 * 86_400
    out = failed(Breaker(), NOW, retry_after_s=3600.0)
    assert restored(out, NOW, RULES) == out
    assert restored(out, NOW - year_s, RULES).until <= NOW - year_s + RULES.retry_after_max_s
    shorter = HealthSettings(violation_s=60.0)
    assert restored(violated(Breaker(), NOW), NOW, shorter).until == NOW + 60.0
    assert restored(Breaker(strikes=10**9, at=NOW + year_s), NOW, RULES).at == NOW


def test_a_trial_that_a_restart_ended_is_due_again() -> None:
    trial = tried(failed(Breaker(), NOW), NOW)
    again = restored(trial, NOW + 1, RULES)
    assert again.state is State.OPEN
    assert may_ask(again, NOW + 1)


# Whatever happens

MOMENTS = st.one_of(st.floats(0.0, 2.0), st.floats(0.0, 120.0), st.floats(0.0, 5000.0))


class Sources(RuleBasedStateMachine):
    """A breaker under any history, beside a plainer account of when it must be left alone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.breaker = Breaker()
        self.alone_until = 0.0
        self.barred_until = 0.0

    @rule(seconds=MOMENTS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.floats(1.0, 1e8))
    def clock_steps_back(self, seconds: float) -> None:
        self.now -= seconds
        self.alone_until = self.barred_until = 0.0
        if self.now < self.breaker.at:
            assert may_ask(self.breaker, self.now)

    @precondition(lambda self: may_ask(self.breaker, self.now))
    @rule()
    def is_asked(self) -> None:
        assert self.now >= self.alone_until
        assert self.now >= self.barred_until
        was_out = self.breaker.state is not State.CLOSED
        self.breaker = asked(self.breaker, self.now, RULES)
        if was_out:
            assert self.breaker.state is State.HALF_OPEN
            assert not may_ask(self.breaker, self.now)  # one trial at a time
            self.alone_until = self.now + RULES.trial_s

    @rule()
    def succeeds(self) -> None:
        was_due = self.breaker.state is State.HALF_OPEN or may_ask(self.breaker, self.now)
        self.breaker = succeeded(self.breaker, self.now, RULES)
        assert (self.breaker.state is State.CLOSED) == was_due
        if was_due:
            self.alone_until = self.barred_until = 0.0

    @rule()
    def is_probed_well(self) -> None:
        lied = self.breaker.state is State.OPEN and self.breaker.cause is Cause.VIOLATION
        barred = lied and not may_ask(self.breaker, self.now)
        self.breaker = vouched(self.breaker, self.now, RULES)
        assert (self.breaker.state is State.CLOSED) != barred
        if not barred:
            self.alone_until = self.barred_until = 0.0

    @rule(jitter=st.floats(0, 1), told_s=st.none() | st.floats(0, 1e6), works=st.booleans())
    def fails(self, jitter: float, told_s: float | None, works: bool) -> None:
        before = self.breaker
        self.breaker = failed(before, self.now, jitter=jitter, retry_after_s=told_s, mostly_works=works)
        assert self.breaker.state is State.OPEN
        if before.cause is None:
            self.alone_until = self.now + max(0.4, min(told_s or 0.0, RULES.retry_after_max_s))

    @rule(jitter=st.floats(0, 1))
    def violates(self, jitter: float) -> None:
        self.breaker = failed(self.breaker, self.now, cause=Cause.VIOLATION, jitter=jitter)
        self.barred_until = self.now + RULES.violation_s

    @rule()
    def restarts(self) -> None:
        was_trial = self.breaker.state is State.HALF_OPEN
        self.breaker = restored(self.breaker, self.now, RULES)
        if was_trial:
            self.alone_until = 0.0

    @invariant()
    def is_sound(self) -> None:
        breaker = self.breaker
        assert (breaker.state is State.CLOSED) == (breaker.cause is None)
        assert breaker.next_at <= breaker.until
        assert 0 <= breaker.strikes <= breakers.STRIKES_MAX
        if breaker.state is not State.CLOSED and self.now >= breaker.at:
            assert breaker.until - self.now <= RULES.violation_s + 1e-6
        if may_ask(breaker, self.now):
            assert may_ask_at_last(breaker, self.now)


TestSources = Sources.TestCase
TestSources.settings = examples(max_examples=60, stateful_step_count=30, deadline=None)
