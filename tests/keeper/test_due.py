"""When a source is probed, and for which suite."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.standing import NOW, A, B, Clock, failed
from tidegate.keeper.due import FIRST_AFTER_S, FIRST_WITHIN_S, JITTER, Due, Probed, Why, begun, due, first, suite_for
from tidegate.sources.breaker import requests_max
from tidegate.sources.failure import Failure
from tidegate.sources.health import Health

INTERVAL_S = 300.0
DAY_S = 86_400.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(now=clock, random=lambda: 0.0)


def due_now(health: Health, clock: Clock, **probed: Probed) -> tuple[Due, ...]:
    named = {{"a": A.url, "b": B.url}[name]: one for name, one in probed.items()}
    return due((A.url, B.url), health, named, clock.now, INTERVAL_S)


def test_a_source_is_not_probed_before_it_has_been_known_for_a_moment(health: Health, clock: Clock) -> None:
    probed = first(clock.now, 0.5)
    assert due_now(health, clock) == ()
    assert due_now(health, clock, a=probed) == ()
    clock.now += FIRST_WITHIN_S
    assert due_now(health, clock, a=probed) == (Due(A.url, Why.QUIET),)


@given(st.floats(0, 1))
def test_first_probes_are_spread(chance: float) -> None:
    assert FIRST_AFTER_S <= first(NOW, chance).next_at - NOW <= FIRST_WITHIN_S


def test_a_source_that_is_out_is_probed_at_its_trial_and_not_before(health: Health, clock: Clock) -> None:
    probed = begun(first(clock.now, 0), "stable", clock.now, INTERVAL_S, 0.5)
    failed(health, A, Failure.UNREACHABLE)
    assert due_now(health, clock, a=probed) == ()
    clock.now = health.of(A.url).breaker.until
    assert due_now(health, clock, a=probed) == (Due(A.url, Why.TRIAL),)
    health.asked(A.url)
    assert due_now(health, clock, a=probed) == ()


def test_trials_come_before_all_others_and_then_whoever_has_waited_longest(health: Health, clock: Clock) -> None:
    older, newer = Probed(clock.now - 900, clock.now - 600), Probed(clock.now - 800, clock.now - 500)
    assert [one.source for one in due_now(health, clock, a=newer, b=older)] == [B.url, A.url]
    failed(health, A, Failure.UNREACHABLE)
    clock.now = health.of(A.url).breaker.until
    assert [one.source for one in due_now(health, clock, a=newer, b=older)] == [A.url, B.url]


def test_a_source_with_traffic_is_left_alone_until_its_news_are_old(health: Health, clock: Clock) -> None:
    probed = begun(first(clock.now, 0), "stable", clock.now, INTERVAL_S, 0.5)
    reasons = []
    for _ in range(10):
        clock.now += INTERVAL_S / 2
        health.succeeded(A.url, size=100, seconds=0.1)
        reasons += [one.why for one in due_now(health, clock, a=probed)]
    assert reasons == [Why.NO_NEWS] * 5  # from three intervals on
    clock.now += INTERVAL_S
    assert due_now(health, clock, a=probed) == (Due(A.url, Why.QUIET),)


def test_a_clock_that_is_set_back_by_years_keeps_no_source_unprobed(health: Health, clock: Clock) -> None:
    probed = begun(first(clock.now, 0), "stable", clock.now, INTERVAL_S, 0.5)
    health.succeeded(A.url, size=100, seconds=0.1)
    clock.now -= 1000 * DAY_S
    assert due_now(health, clock, a=probed) == (Due(A.url, Why.QUIET),)


@given(st.floats(0, 1))
def test_a_quiet_source_is_probed_once_an_interval_give_or_take_its_jitter(chance: float) -> None:
    probed = begun(first(NOW, chance), "stable", NOW, INTERVAL_S, chance)
    assert (1 - JITTER) * INTERVAL_S <= probed.next_at - NOW <= (1 + JITTER) * INTERVAL_S


def test_a_source_that_is_dead_all_day_is_probed_no_more_often_than_its_breaker_promises() -> None:
    clock = Clock()
    health = Health(now=clock, random=random.Random(1).random)
    failed(health, A, Failure.UNREACHABLE)
    probed, probes = first(clock.now, 0), 0
    while clock.now < NOW + 600:
        clock.now += 0.5
        if due((A.url,), health, {A.url: probed}, clock.now, INTERVAL_S):
            probed = begun(probed, "stable", clock.now, INTERVAL_S, 0.5)
            health.asked(A.url)
            failed(health, A, Failure.UNREACHABLE)
            probes += 1
    assert 10 < probes <= requests_max(600, health.settings)


def test_suites_take_turns_and_those_it_is_behind_for_come_around_more_often() -> None:
    suites, now = ("stable", "stable-updates", "stable-security"), NOW
    probed, asked = first(now, 0), []
    for _ in range(24):
        suite = suite_for(suites, ["stable-updates"], probed, now, INTERVAL_S)
        assert suite is not None
        asked.append(suite)
        probed = begun(probed, suite, now, INTERVAL_S, 0.5)
        now += INTERVAL_S
    assert asked[:3] == list(suites)
    assert asked.count("stable-updates") > max(asked.count("stable"), asked.count("stable-security"))
    for suite in suites:
        turns = [turn for turn, one in enumerate(asked) if one == suite]
        assert max(later - earlier for earlier, later in itertools.pairwise(turns)) <= 5


def test_an_archive_without_suites_has_nothing_to_ask_for() -> None:
    assert suite_for((), (), first(NOW, 0), NOW, INTERVAL_S) is None
