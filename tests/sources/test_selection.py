"""Which source is asked, in which order, and who is passed over and why."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.standing import DEB, NOW, A, B, C, Clock, failed, measured, source
from tidegate.sources.archive import Source
from tidegate.sources.breaker import State
from tidegate.sources.failure import Failure
from tidegate.sources.health import Health
from tidegate.sources.naming import index_paths
from tidegate.sources.selection import SLOW_S, is_lasting, plan
from tidegate.sources.words import clock, span

INDEX = "dists/s/main/by-hash/SHA256/00"
BIG = 200_000_000


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def health(now: Clock) -> Health:
    return Health(now=now, random=lambda: 0.0)


def order(health: Health, *sources: Source, path: str = DEB, size: int | None = None) -> list[Source]:
    planned = plan(sources or (A, B, C), (path,), health, health.now(), size=size)
    return [candidate.source for candidate in planned.candidates]


def reasons(health: Health, *sources: Source, path: str = DEB) -> dict[str, str]:
    return {one.source: one.reason for one in plan(sources, (path,), health, health.now()).excluded}


# Order


def test_sources_that_nobody_has_measured_keep_their_configured_order(health: Health) -> None:
    assert order(health) == [A, B, C]
    assert order(health, C, A, B) == [C, A, B]


def test_priorities_come_before_the_configured_order(health: Health) -> None:
    first, second = source("first", priority=1), source("second", priority=2)
    assert order(health, second, first, A) == [A, first, second]


def test_each_source_is_asked_for_the_surest_name_first(health: Health) -> None:
    planned = plan((A, B), ("x/by-hash/SHA256/0", "x/Packages"), health, NOW)
    assert [(c.source, c.path, c.lasting) for c in planned.candidates] == [
        (A, "x/by-hash/SHA256/0", True),
        (A, "x/Packages", False),
        (B, "x/by-hash/SHA256/0", True),
        (B, "x/Packages", False),
    ]


def test_small_things_go_by_latency_and_large_ones_by_rate(health: Health) -> None:
    measured(health, A, 0.01, 1e6)
    measured(health, B, 0.2, 50e6)
    assert order(health, A, B, size=10_000) == [A, B]
    assert order(health, A, B, size=BIG) == [B, A]


def test_a_rate_that_is_not_known_yet_is_guessed_for_large_things(health: Health) -> None:
    measured(health, A, 0.01)
    measured(health, B, 0.2, 50e6)
    assert order(health, A, B, size=10_000) == [A, B]
    assert order(health, A, B, size=BIG) == [B, A]


def test_sources_that_are_about_as_fast_keep_the_order_that_their_owner_gave_them(health: Health) -> None:
    measured(health, A, 0.030)
    measured(health, B, 0.010)
    assert order(health, A, B) == [A, B]


def test_somebody_unknown_is_asked_before_somebody_known_to_be_slow_and_after_somebody_known_to_be_quick(
    health: Health,
) -> None:
    measured(health, A, 2.0)
    measured(health, C, 0.01)
    assert order(health) == [C, B, A]


def test_an_owners_priority_holds_against_a_faster_source_but_not_where_its_own_is_slow(health: Health) -> None:
    near, far = source("near", priority=1), source("far", priority=2)
    measured(health, near, 0.3)
    measured(health, far, 0.01)
    assert order(health, near, far) == [near, far]
    measured(health, near, SLOW_S + 0.4)
    measured(health, near, SLOW_S + 0.4)
    measured(health, near, SLOW_S + 0.4)
    assert order(health, near, far) == [far, near]


def test_the_next_one_is_of_another_operator_where_there_is_one(health: Health) -> None:
    http, https, other = source("http", "vendor"), source("https", "vendor"), source("other", "university", priority=5)
    assert order(health, http, https, other) == [http, other, https]


def test_an_operator_is_no_reason_to_ask_somebody_slow(health: Health) -> None:
    http, https, other = source("http", "vendor"), source("https", "vendor"), source("other", "university")
    measured(health, other, 5.0)
    assert order(health, http, https, other) == [http, https, other]


def test_who_was_overtaken_comes_later_until_it_is_forgotten(health: Health, now: Clock) -> None:
    health.superseded(A.url, "no byte within 0.5 s")
    assert order(health, A, B) == [B, A]
    now.now += 3600
    assert order(health, A, B) == [A, B]


def test_who_does_not_answer_what_it_is_being_asked_comes_later_at_once(health: Health, now: Clock) -> None:
    health.asked(A.url)
    assert order(health, A, B) == [A, B]
    now.now += 0.5
    assert order(health, A, B) == [B, A]
    health.answered(A.url, 0.5)
    health.answered(B.url, 0.5)
    assert order(health, A, B) == [A, B]


def test_who_often_lacks_what_is_asked_comes_later(health: Health) -> None:
    measured(health, A, 0.2)
    measured(health, B, 0.3)
    assert order(health, A, B) == [A, B]
    for _ in range(40):
        failed(health, A, Failure.STATUS, 404)
    assert order(health, A, B) == [B, A]


def test_without_sources_there_is_nobody_to_ask(health: Health) -> None:
    planned = plan((), (DEB,), health, NOW)
    assert (planned.candidates, planned.excluded, planned.again_at) == ((), (), None)


def test_each_candidate_says_how_long_it_may_take(health: Health) -> None:
    measured(health, A, 0.1)
    planned = plan((A, B), (DEB,), health, NOW)
    assert [c.hedge_after_s for c in planned.candidates] == [pytest.approx(0.3), health.settings.hedge_after_unknown_s]


# Out


def test_a_source_that_failed_a_moment_ago_is_not_asked_and_then_comes_last(health: Health, now: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    assert order(health) == [B, C]
    assert plan((A, B), (DEB,), health, now.now).again_at == NOW + 0.5
    now.now += 0.5
    assert order(health) == [B, C, A]
    health.asked(A.url)
    assert order(health) == [B, C]  # somebody is trying it
    health.succeeded(A.url, size=1, seconds=0.1)
    assert order(health) == [A, B, C]


def test_who_is_out_is_told_in_words_for_tired_people(health: Health, now: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    assert reasons(health, A, B) == {
        A.url: "cannot be reached (in a test), since 22:13 UTC, once; next try in 1 s",
    }
    for _ in range(9):
        now.now = health.of(A.url).breaker.until
        health.asked(A.url)
        failed(health, A, Failure.UNREACHABLE)
    assert reasons(health, A, B) == {
        A.url: "cannot be reached (in a test), since 22:13 UTC, 10 times in a row; next try in 60 s",
    }
    now.now = health.of(A.url).breaker.until
    health.asked(A.url)
    now.now += 3
    assert reasons(health, A, B) == {
        A.url: "cannot be reached (in a test), since 22:13 UTC; is being tried again for 3 s",
    }
    failed(health, B, Failure.WRONG_BYTES)
    assert reasons(health, B, C) == {
        B.url: "gave wrong bytes at 22:17 UTC: in a test; asked again not before 23:17 UTC, unless nothing else is left"
    }


def test_where_all_are_out_the_plan_is_empty_and_says_when_to_ask_again(health: Health, now: Clock) -> None:
    for one in (A, B):
        failed(health, one, Failure.UNREACHABLE)
    planned = plan((A, B), (DEB,), health, now.now)
    assert planned.candidates == ()
    assert planned.again_at == NOW + 0.5
    now.now += 0.5
    assert order(health, A, B) == [A, B]


def test_a_source_that_mostly_works_comes_last_while_it_is_out(health: Health, now: Clock) -> None:
    measured(health, A, 0.01, 5e6)
    failed(health, A, Failure.CUT)
    failed(health, B, Failure.CUT)
    now.now += 0.1
    assert health.of(A.url).breaker.state is State.OPEN
    assert order(health) == [C, A]
    assert reasons(health, A, B, C).keys() == {B.url}
    now.now += 0.5
    assert order(health) == [C, A, B]
    for _ in range(8):
        failed(health, A, Failure.CUT)
    assert order(health) == [C, B]


def test_where_all_but_one_on_trial_are_out_the_trials_end_is_looked_for_soon(health: Health, now: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    now.now += 0.5
    health.asked(A.url)
    planned = plan((A,), (DEB,), health, now.now)
    assert planned.candidates == ()
    assert planned.again_at is not None
    assert now.now < planned.again_at < now.now + 1


def test_a_source_that_gave_wrong_bytes_is_not_asked_even_after_its_time_while_somebody_else_is(
    health: Health, now: Clock
) -> None:
    failed(health, A, Failure.WRONG_BYTES)
    assert order(health) == [B, C]
    now.now += health.settings.violation_s + 1
    assert order(health) == [B, C]
    assert "once a probe" in reasons(health, A, B)[A.url]
    assert order(health, A) == [A]


def test_a_source_that_gave_wrong_bytes_is_asked_where_nothing_else_is_left(health: Health, now: Clock) -> None:
    failed(health, A, Failure.WRONG_BYTES)
    assert plan((A,), (DEB,), health, now.now).again_at == NOW + 0.5
    failed(health, B, Failure.UNREACHABLE)
    assert order(health, A, B) == []
    now.now += 0.6
    assert order(health, A, B) == [B]
    health.asked(B.url)
    assert order(health, A, B) == [A]
    assert reasons(health, A, B).keys() == {B.url}


# Behind


def test_a_source_that_is_behind_is_not_asked_for_what_it_cannot_have(health: Health) -> None:
    health.note_behind(A.url, "dists/s/", 7300)
    assert order(health, A, B, path=INDEX) == [B]
    assert reasons(health, A, B, path=INDEX) == {A.url: "is behind by 2 h for dists/s"}
    assert order(health, A, B, path="dists/s-updates/main/by-hash/SHA256/00") == [B, A]
    assert order(health, A, B, path=DEB) == [B, A]


def test_where_all_are_behind_all_are_asked(health: Health) -> None:
    for one in (A, B):
        health.note_behind(one.url, "dists/s/", 60)
    assert order(health, A, B, path=INDEX) == [A, B]
    failed(health, C, Failure.UNREACHABLE)
    assert order(health, path=INDEX) == [A, B]


def test_the_release_itself_is_asked_of_who_is_behind_since_it_may_have_caught_up(health: Health) -> None:
    health.note_behind(A.url, "dists/s/", 60)
    assert set(order(health, A, B, path="dists/s/InRelease")) == {A, B}
    assert set(order(health, A, B, path="")) == {A, B}


def test_a_flat_suites_packages_are_not_taken_for_its_indices(health: Health) -> None:
    health.note_behind(A.url, "", 60)
    assert order(health, A, B, path="Packages.gz") == [B]
    assert set(order(health, A, B, path="hello_1_amd64.deb")) == {A, B}


def test_of_two_that_are_about_as_fast_the_one_that_is_not_behind_comes_first(health: Health) -> None:
    for one in (A, B):
        measured(health, one, 0.01)
    health.note_behind(A.url, "dists/s/", 7200)
    assert order(health, A, B) == [B, A]


def test_a_near_mirror_that_is_behind_keeps_its_packages(health: Health) -> None:
    measured(health, A, 0.01)
    measured(health, B, 0.5)
    health.note_behind(A.url, "dists/s/", 7200)
    assert order(health, A, B) == [A, B]


# Whatever happened

HAPPENED = st.sampled_from(("asked", "answered", "succeeded", "superseded", "violated", "behind", *Failure))
SOURCES = tuple(source(f"s{number}", f"operator-{number % 3}", number % 2) for number in range(5))
HISTORIES = st.lists(
    st.tuples(st.sampled_from(SOURCES), HAPPENED, st.floats(0.0, 2.0) | st.floats(0.0, 4000.0)), max_size=30
)


def after(history: list[tuple[Source, str, float]]) -> Health:
    now = Clock()
    health = Health(now=now, random=lambda: 0.5)
    for one, event, later in history:
        match event:
            case "asked":
                health.asked(one.url)
            case "answered":
                health.answered(one.url, later)
            case "succeeded":
                health.succeeded(one.url, size=int(later * 100_000), seconds=later)
            case "superseded":
                health.superseded(one.url, "slow")
            case "violated":
                health.violated(one.url, "signed by nobody")
            case "behind":
                health.note_behind(one.url, "dists/s/", int(later))
            case failure:
                failed(health, one, Failure(failure), 503)
        now.now += later
    return health


@given(HISTORIES, st.sampled_from((DEB, INDEX, "")), st.none() | st.integers(0, BIG))
def test_every_source_is_asked_or_excluded_with_a_reason_and_somebody_is_asked_if_anybody_may_be(
    history: list[tuple[Source, str, float]], path: str, size: int | None
) -> None:
    health = after(history)
    now = health.now()
    planned = plan(SOURCES, (path,), health, now, size=size)
    asked = [candidate.source.url for candidate in planned.candidates]
    barred = [one.source for one in planned.excluded]
    assert sorted(asked + barred) == sorted(one.url for one in SOURCES)
    assert all(one.reason for one in planned.excluded)
    assert planned == plan(SOURCES, (path,), health, now, size=size)
    if any(health.of(one.url).breaker.state is State.CLOSED for one in SOURCES):
        assert planned.candidates
        closed = [health.of(url).breaker.state is State.CLOSED for url in asked]
        assert closed == sorted(closed, reverse=True)
    if not planned.candidates:
        assert planned.again_at is not None
        assert now < planned.again_at <= now + health.settings.retry_after_max_s
    later = planned.again_at
    assert later is None or later > now


@given(st.lists(st.sampled_from(SOURCES), unique=True))
def test_neighbours_differ_in_their_operator_where_that_can_be(sources: list[Source]) -> None:
    planned = plan(sources, (DEB,), Health(now=Clock()), NOW)
    operators = [candidate.source.operator for candidate in planned.candidates]
    for index, (one, following) in enumerate(pairwise(operators)):
        assert one != following or set(operators[index + 1 :]) == {one}


@given(HISTORIES)
def test_a_plan_asks_nobody_whose_time_has_not_come(history: list[tuple[Source, str, float]]) -> None:
    health = after(history)
    for candidate in plan(SOURCES, (DEB,), health, health.now()).candidates:
        breaker = health.of(candidate.source.url).breaker
        assert breaker.state is State.CLOSED or health.now() >= breaker.next_at


# Names and words


def test_pool_files_and_by_hash_names_last_and_other_names_do_not() -> None:
    for path in (DEB, "dists/s/main/by-hash/SHA256/00", "a_1.dsc", "a_1.orig.tar.xz", "x/Packages.diff/2026-11-22.gz"):
        assert is_lasting(path)
    for path in (
        "dists/s/InRelease",
        "dists/s/Release",
        "dists/s/Release.gpg",
        "dists/s/main/binary-amd64/Packages.xz",
        "dists/s/main/source/Sources.gz",
        "dists/s/main/i18n/Translation-de.bz2",
        "dists/s/main/Contents-amd64.gz",
        "dists/s/main/binary-amd64/Packages.diff/Index",
        "dists/s/main/installer-amd64/current/images/SHA256SUMS",
        "Packages",
    ):
        assert not is_lasting(path)


def test_an_index_is_asked_for_by_its_digest_and_then_by_its_plain_name() -> None:
    digest = bytes(range(32))
    lasting = f"dists/s/main/by-hash/SHA256/{digest.hex()}"
    assert index_paths("dists/s/main/Packages", digest) == (lasting, "dists/s/main/Packages")
    assert index_paths("dists/s/main/Packages", digest, by_hash=False) == ("dists/s/main/Packages",)
    assert index_paths("Packages", digest)[0] == f"by-hash/SHA256/{digest.hex()}"


def test_spans_and_moments_are_told_as_people_say_them() -> None:
    assert [span(s) for s in (-3, 0.2, 12, 119, 120, 7200, 90_000, 200_000)] == [
        "1 s", "1 s", "12 s", "119 s", "2 min", "2 h", "25 h", "2 d"
    ]  # fmt: skip
    assert clock(NOW, NOW) == "22:13 UTC"
    assert clock(NOW - 86_400, NOW) == "2023-11-13 22:13 UTC"
