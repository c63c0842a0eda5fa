"""What is told about sources: the ranks and exclusions that fetches go by, in words, with what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.standing import NOW, A, B, C, Clock, failed, measured
from tidegate.sources.archive import Archive, Source
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import Health
from tidegate.sources.selection import plan
from tidegate.trust.keyring import Keyring
from tidegate.web.source_report import EVERYTHING, SMALL_BYTES, SourceReport, last_ones, sources_of, todo_for

SUITE = "stable"


def archive(*sources: Source, name: str = "debian") -> Archive:
    return Archive(
        name=name,
        keyring=Keyring(()),
        suites=(SUITE,),
        components=(),
        architectures=("amd64",),
        deb_src=False,
        aliases=(),
        sources=sources,
        strict_suite=True,
        unnamed_suites=(),
        accept_info_change=False,
        adopt_on_request=True,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(now=clock, random=lambda: 0.0)


def told(health: Health, clock: Clock, *sources: Source) -> dict[str, SourceReport]:
    return {one.url: one for one in sources_of([archive(*(sources or (A, B, C)))], health, clock.now)}


def test_a_source_that_nobody_asked_is_unused_and_ranked_all_the_same(health: Health, clock: Clock) -> None:
    one = told(health, clock, A)[A.url]
    assert (one.state, one.rank, one.why, one.first_byte_ms, one.rate_bytes_s) == ("unused", 1, None, None, None)


def test_what_was_measured_is_told_and_ranks_come_first(health: Health, clock: Clock) -> None:
    measured(health, C, 0.01, 4_000_000)
    measured(health, A, 0.4, 1_000_000)
    failed(health, B, Failure.UNREACHABLE)
    reports = sources_of([archive(A, B, C)], health, clock.now)
    assert [(one.url, one.rank) for one in reports] == [(C.url, 1), (A.url, 2), (B.url, None)]
    assert (reports[0].first_byte_ms, reports[0].rate_bytes_s, reports[0].state) == (10, 4_000_000, "good")


def test_one_that_cannot_be_reached_says_why_since_when_and_when_again(health: Health, clock: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    clock.now += 0.1
    one = told(health, clock)[A.url]
    (why,) = one.excluded
    assert (one.state, one.rank, one.why) == ("out", None, why.reason)
    assert (why.of, why.since, why.todo) == (EVERYTHING, int(NOW), "")
    assert why.next_try_at == int(health.of(A.url).breaker.until)
    assert why.reason.startswith("cannot be reached (in a test)")


def test_one_that_gave_wrong_bytes_is_told_apart_with_what_to_do(health: Health, clock: Clock) -> None:
    health.violated(A.url, "unsigned: a login page")
    one = told(health, clock)[A.url]
    assert one.state == "wrong bytes"
    assert "Tell its operator" in one.excluded[0].todo


def test_one_on_trial_says_so(health: Health, clock: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    clock.now += 1
    health.asked(A.url)
    assert told(health, clock)[A.url].state == "on trial"


def test_one_that_is_behind_is_ranked_but_not_asked_for_that_suites_indices(health: Health, clock: Clock) -> None:
    health.note_behind(A.url, "dists/stable/", 7200)
    health.note_behind(B.url, "dists/stable/", 0)
    reports = told(health, clock)
    behind = reports[A.url]
    assert (behind.state, behind.behind, behind.rank is not None) == ("behind", {SUITE: 7200}, True)
    (why,) = behind.excluded
    assert why.of == SUITE
    assert "behind by 2 h" in why.reason
    assert "ask its operator" in why.todo
    assert reports[B.url].newest == {SUITE: int(NOW)}


def test_a_suite_that_was_adopted_on_request_counts_as_well(health: Health, clock: Clock) -> None:
    health.note_behind(A.url, "dists/sid/", 60)
    reports = sources_of([archive(A, B)], health, clock.now, {"debian": ["sid"]})
    assert [one.excluded[0].of for one in reports if one.excluded] == ["sid"]


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (Failure.UNRESOLVED, "DNS"),
        (Failure.FORBIDDEN_ADDRESS, "private = true"),
        (Failure.TLS, "clock"),
        (Failure.REDIRECT, "curl -I"),
        (Failure.SILENT, ""),
        (Failure.STATUS, ""),
    ],
)
def test_what_can_be_mended_here_is_said_and_nothing_where_it_passes_by_itself(failure: Failure, word: str) -> None:
    todo = todo_for(str(FetchError(failure, "in a test")))
    assert word in todo
    assert bool(todo) is bool(word)


SOURCES = (A, B, C)
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.sampled_from(["fail", "lie", "behind", "newest", "give", "ask"]),
        st.sampled_from([0.0, 0.3, 5.0, 100.0, 4000.0]),
    ),
    max_size=30,
)


@given(HAPPENINGS)
def test_what_is_told_is_what_fetches_go_by(happenings: list[tuple[Source, str, float]]) -> None:
    clock = Clock()
    health = Health(now=clock, random=lambda: 0.5)
    for source, what, later in happenings:
        match what:
            case "fail":
                failed(health, source, Failure.UNREACHABLE)
            case "lie":
                health.violated(source.url, "in a test")
            case "behind" | "newest":
                health.note_behind(source.url, "dists/stable/", 60 if what == "behind" else 0)
            case "give":
                health.succeeded(source.url, size=100, seconds=0.1)
            case _:
                health.asked(source.url)
        clock.now += later
    planned = plan(SOURCES, ("",), health, clock.now, size=SMALL_BYTES)
    reports = sources_of([archive(*SOURCES)], health, clock.now)
    ranked = sorted((one for one in reports if one.rank is not None), key=lambda one: one.rank or 0)
    assert [one.url for one in ranked] == [candidate.source.url for candidate in planned.candidates]
    reasons = {one.source: one.reason for one in planned.excluded}
    assert {one.url: one.why for one in reports if one.rank is None} == reasons
    for one in reports:
        assert (one.rank is None) is any(why.of == EVERYTHING for why in one.excluded)


# Archives that hang on one


def test_while_two_may_be_asked_nobody_is_alarmed(health: Health, clock: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    assert last_ones(told(health, clock).values()) == ()


def test_the_last_source_of_several_is_named(health: Health, clock: Clock) -> None:
    failed(health, A, Failure.UNREACHABLE)
    failed(health, C, Failure.UNREACHABLE)
    for _ in range(2):
        (note,) = last_ones(told(health, clock).values())
        assert note.startswith(f"debian: of 3 sources only {B.url} is left")
        clock.now += 3600  # a trial that is due has not been won


def test_an_archive_that_always_had_one_source_is_told_only_once_it_is_out(health: Health, clock: Clock) -> None:
    assert last_ones(told(health, clock, A).values()) == ()
    failed(health, A, Failure.UNREACHABLE)
    (note,) = last_ones(told(health, clock, A).values())
    assert note.startswith(f"debian: its only source, {A.url}, is out")


def test_an_archive_without_any_source_to_ask_says_that_what_is_held_is_served(health: Health, clock: Clock) -> None:
    for source in (A, B, C):
        failed(health, source, Failure.UNREACHABLE)
    (note,) = last_ones(told(health, clock).values())
    assert note.startswith("debian: all of its 3 sources are out; what is held is served on")
