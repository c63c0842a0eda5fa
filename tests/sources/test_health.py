"""What requests teach about a source, and what its breaker hears of it."""

import pytest

from tests.sources.standing import DEB, A, Clock, failed
from tidegate.sources.breaker import Breaker, Cause, State
from tidegate.sources.estimate import SAMPLES_MAX, Latency, blended, decayed
from tidegate.sources.failure import IN_WORDS, Failure, FetchError, retry_after_s
from tidegate.sources.health import (
    RATE_FROM_BYTES,
    SILENT_MAX_S,
    SUITES_MAX,
    SUPERSEDED_HALF_LIFE_S,
    SUPERSEDED_MAX_S,
    Health,
)
from tidegate.sources.selection import plan
from tidegate.sources.settings import HealthSettings

URL = A.url
NOT_THE_SOURCES = {Failure.DISK, Failure.OFFLINE}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(now=clock, random=lambda: 0.0)


def state(health: Health) -> State:
    return health.of(URL).breaker.state


# What is counted


def test_what_came_is_counted_and_the_last_failure_is_kept(health: Health, clock: Clock) -> None:
    health.succeeded(URL, size=100, seconds=1.0)
    clock.now += 5
    failed(health, A, Failure.CUT)
    standing = health.of(URL)
    assert (standing.fetched, standing.fetched_bytes, standing.failed) == (1, 100, 1)
    assert (standing.last_success_at, standing.last_failure_at) == (int(clock.now) - 5, int(clock.now))
    assert standing.last_failure == "cut: in a test"


@pytest.mark.parametrize(
    ("failure", "status"), [(Failure.STATUS, 404), (Failure.STATUS, 410), (Failure.OTHER_VERSION, None)]
)
def test_what_a_source_lacks_is_counted_apart_and_blamed_on_nobody(
    health: Health, failure: Failure, status: int | None
) -> None:
    failed(health, A, failure, status)
    standing = health.of(URL)
    assert (standing.failed, standing.breaker) == (0, Breaker())
    assert standing.lacking > 0
    for _ in range(200):
        failed(health, A, failure, status)
    assert 0.9 < standing.lacking <= 1.0
    for _ in range(200):
        health.succeeded(URL, size=1, seconds=1.0)
    assert standing.lacking < 0.1


def test_a_full_disk_is_not_held_against_the_source(health: Health) -> None:
    failed(health, A, Failure.DISK)
    assert (health.of(URL).failed, state(health)) == (0, State.CLOSED)


def test_sources_that_are_configured_no_more_are_forgotten(health: Health) -> None:
    health.asked(URL)
    health.asked("http://other.example")
    health.retain({URL})
    assert set(health.sources) == {URL}


# The breaker


@pytest.mark.parametrize(
    "failure", sorted(set(Failure) - NOT_THE_SOURCES - {Failure.OTHER_VERSION, Failure.WRONG_BYTES})
)
def test_each_failure_opens_the_breaker_with_a_sentence(health: Health, failure: Failure) -> None:
    failed(health, A, failure)
    breaker = health.of(URL).breaker
    assert (breaker.state, breaker.cause) == (State.OPEN, Cause.UNREACHABLE)
    assert breaker.reason == f"{IN_WORDS[failure]} (in a test)"


def test_wrong_bytes_and_distrusted_releases_open_it_for_another_cause(health: Health) -> None:
    failed(health, A, Failure.WRONG_BYTES)
    assert health.of(URL).breaker.cause is Cause.VIOLATION
    health.violated("http://b.example", "signed by nobody we trust")
    other = health.of("http://b.example")
    assert (other.breaker.cause, other.breaker.reason) == (Cause.VIOLATION, "signed by nobody we trust")
    assert other.failed == 1


def test_a_trial_that_goes_well_closes_it_and_every_change_is_told(health: Health, clock: Clock) -> None:
    told: list[tuple[str, State, State]] = []
    health.changed.append(lambda source, before, after: told.append((source, before.state, after.state)))
    failed(health, A, Failure.UNREACHABLE)
    failed(health, A, Failure.UNREACHABLE)
    clock.now += 1
    health.asked(URL)
    health.answered(URL, 0.1)
    health.succeeded(URL, size=10, seconds=0.1)
    assert told == [
        (URL, State.CLOSED, State.OPEN),
        (URL, State.OPEN, State.HALF_OPEN),
        (URL, State.HALF_OPEN, State.CLOSED),
    ]


def test_that_it_lacks_something_shows_that_it_can_be_reached_but_not_that_it_is_honest(
    health: Health, clock: Clock
) -> None:
    failed(health, A, Failure.UNREACHABLE)
    clock.now += 1
    health.asked(URL)
    failed(health, A, Failure.STATUS, 404)
    assert state(health) is State.CLOSED
    failed(health, A, Failure.WRONG_BYTES)
    clock.now += health.settings.violation_s
    health.asked(URL)
    failed(health, A, Failure.STATUS, 404)
    assert state(health) is State.HALF_OPEN


def test_a_trial_is_won_by_what_turns_out_right_and_not_by_a_page_that_came_whole(health: Health, clock: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    clock.now += 1
    health.asked(URL)
    health.delivered(URL, size=100, seconds=0.1)
    standing = health.of(URL)
    assert (state(health), standing.fetched, standing.last_success_at) == (State.HALF_OPEN, 1, None)
    health.vouched(URL)
    assert (state(health), standing.last_success_at) == (State.CLOSED, int(clock.now))


def test_being_overtaken_fails_a_trial_but_opens_nothing_that_is_closed(health: Health, clock: Clock) -> None:
    health.superseded(URL, "no byte within 0.5 s")
    assert state(health) is State.CLOSED
    failed(health, A, Failure.UNREACHABLE)
    clock.now += 1
    health.asked(URL)
    health.superseded(URL, "no byte within 0.5 s")
    assert state(health) is State.OPEN
    assert health.of(URL).breaker.reason == "is too slow (no byte within 0.5 s)"


def test_when_to_come_again_is_heard(health: Health, clock: Clock) -> None:
    health.failed(URL, FetchError(Failure.STATUS, "answered 503", 503, retry_after_s=120.0))
    assert health.of(URL).breaker.until == clock.now + 120.0


def test_the_only_source_is_not_cut_off_by_failures_now_and_then(health: Health, clock: Clock) -> None:
    asked = 0
    for turn in range(400):
        clock.now += 0.02
        if not plan((A,), (DEB,), health, clock.now).candidates:
            continue
        asked += 1
        health.asked(URL)
        health.answered(URL, 0.01)
        if turn % 10 == 9:
            failed(health, A, Failure.CUT)
        else:
            health.succeeded(URL, size=100, seconds=0.01)
    assert asked == 400


def test_the_only_source_that_dies_is_given_up_after_a_few_failures(health: Health, clock: Clock) -> None:
    for _ in range(50):
        health.succeeded(URL, size=100, seconds=0.01)
    asked = 0
    for _ in range(1000):
        clock.now += 0.0001
        if plan((A,), (DEB,), health, clock.now).candidates:
            asked += 1
            health.asked(URL)
            failed(health, A, Failure.UNREACHABLE)
    assert asked == 6


# Estimates


def test_quantiles_are_of_the_last_samples() -> None:
    latency = Latency()
    assert latency.quantile(0.5) is None
    for n in range(200):
        latency.add(float(n))
    assert len(latency) == SAMPLES_MAX
    assert latency.samples() == tuple(float(n) for n in range(200 - SAMPLES_MAX, 200))
    assert latency.quantile(0.5) == pytest.approx(200 - SAMPLES_MAX / 2, abs=SAMPLES_MAX / 8)
    assert Latency(range(1000)).samples()[0] == 1000 - SAMPLES_MAX
    lone = Latency([0.25])
    assert [lone.quantile(share) for share in (0.0, 0.5, 1.0)] == [0.25] * 3


def test_averages_begin_with_what_is_seen_first() -> None:
    assert blended(None, 8.0, 0.25) == 8.0
    assert blended(8.0, 4.0, 0.25) == 7.0
    assert decayed(8.0, 20.0, 10.0) == 2.0
    assert decayed(8.0, -20.0, 10.0) == 8.0  # the clock went back


def test_what_to_expect_is_latency_for_small_and_rate_for_large(health: Health) -> None:
    assert health.expected_s(URL, 1) is None
    for _ in range(5):
        health.answered(URL, 0.1)
    health.succeeded(URL, size=RATE_FROM_BYTES - 1, seconds=1000.0)  # too small to tell of the rate
    assert health.expected_s(URL, 1_000_000) == pytest.approx(0.1)
    health.succeeded(URL, size=2_000_000, seconds=2.0)
    assert health.expected_s(URL, 3_000_000) == pytest.approx(3.1)
    health.succeeded(URL, size=10_000_000, seconds=0.0)  # no division by nothing
    assert health.expected_s(URL, 3_000_000) == pytest.approx(0.1, abs=0.1)


def test_a_rival_is_asked_after_three_times_the_usual_time_within_bounds(health: Health) -> None:
    settings = health.settings
    assert health.hedge_after_s(URL) == settings.hedge_after_unknown_s
    for seconds, expected in ((0.001, settings.hedge_after_min_s), (0.1, 0.3), (5.0, settings.hedge_after_max_s)):
        for _ in range(2 * SAMPLES_MAX):
            health.answered(URL, seconds)
        assert health.hedge_after_s(URL) == pytest.approx(expected)


def test_who_is_overtaken_looks_slower_each_time_and_better_with_time_and_right_bodies(
    health: Health, clock: Clock
) -> None:
    standing, seen = health.of(URL), []
    for _ in range(6):
        health.superseded(URL, "slow")
        seen.append(standing.overtaken_s(clock.now))
    assert seen == [1, 3, 7, SUPERSEDED_MAX_S, SUPERSEDED_MAX_S, SUPERSEDED_MAX_S]
    assert standing.overtaken_s(clock.now + SUPERSEDED_HALF_LIFE_S) == SUPERSEDED_MAX_S / 2
    health.succeeded(URL, size=10, seconds=0.1)  # a small answer is no proof
    assert standing.overtaken_s(clock.now) == SUPERSEDED_MAX_S
    health.succeeded(URL, size=RATE_FROM_BYTES, seconds=0.1)
    assert standing.overtaken_s(clock.now) == SUPERSEDED_MAX_S / 4


@pytest.mark.parametrize("failure", [Failure.SLOW, Failure.STALLED])
def test_a_trickling_source_looks_slow_even_where_a_small_trial_goes_well(
    health: Health, clock: Clock, failure: Failure
) -> None:
    health.answered(URL, 0.01)
    failed(health, A, failure)
    clock.now += 1
    health.asked(URL)
    health.answered(URL, 0.01)
    health.succeeded(URL, size=1000, seconds=0.01)
    assert state(health) is State.CLOSED
    assert health.expected_s(URL, 1000) == pytest.approx(1.0, abs=0.1)


def test_a_source_that_does_not_answer_looks_slow_while_it_is_being_asked(health: Health, clock: Clock) -> None:
    health.answered(URL, 0.01)
    health.asked(URL)
    clock.now += 0.4
    health.asked(URL)  # the first of them is the one that counts
    assert health.expected_s(URL, 0) == pytest.approx(0.4, abs=0.001)
    health.answered(URL, 0.01)
    assert health.expected_s(URL, 0) == 0.01


def test_a_request_that_was_cancelled_is_not_waited_for_for_ever(health: Health, clock: Clock) -> None:
    health.answered(URL, 0.01)
    health.asked(URL)
    clock.now += SILENT_MAX_S + 1
    assert health.expected_s(URL, 0) == 0.01
    health.asked(URL)
    clock.now += 0.5
    assert health.expected_s(URL, 0) == pytest.approx(0.5, abs=0.001)


def test_how_far_a_source_is_behind_is_kept_for_each_suite_and_bounded(health: Health, clock: Clock) -> None:
    health.note_behind(URL, "dists/s/", 3600)
    assert health.of(URL).behind == {"dists/s/": 3600}
    health.note_behind(URL, "dists/s/", 0)
    standing = health.of(URL)
    assert (standing.behind, standing.newest) == ({}, {"dists/s/": int(clock.now)})
    for number in range(2 * SUITES_MAX):
        health.note_behind(URL, f"dists/{number}/", 1)
    assert len(standing.behind) == SUITES_MAX


# Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 400, 999_999_999.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:50", 30.0),
        ("Mon, 13 Nov 2023 22:13:50 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0661", None),
        ("Tue, 14 Nov 99999999 22:13:50 GMT", None),
        ("Tue, 99 Nov 2023 99:13:50 GMT", None),
        ("x" * 100_000, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_or_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, 1_700_000_000.0) == seconds


def test_the_settings_that_ship_are_in_order() -> None:
    settings = HealthSettings()
    assert settings.backoff_base_s < settings.backoff_cap_s < settings.violation_s
    assert settings.hedge_after_min_s < settings.hedge_after_unknown_s < settings.hedge_after_max_s
