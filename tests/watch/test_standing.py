"""How a page stands: nothing flaps, nothing is told too early, and what was not looked at is not known."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tidegate.watch.settings import WatchSettings
from tidegate.watch.standing import (
    STALE_PERIODS,
    SUSPECT_S,
    Bad,
    Finding,
    Good,
    NotAsked,
    Standing,
    State,
    after,
    next_at,
    told_state,
)

WATCH = WatchSettings(name="page", url="https://vendor.example/", contains="x", down_after=2, up_after=3)
FINDINGS = st.sampled_from([Good(0.1), Bad("answered 503"), NotAsked("robots")])


def told(findings: list[Finding], watch: WatchSettings = WATCH) -> list[State]:
    """The states that a page turns to, from its first answer on."""
    standing, turns = Standing(), []
    for now, finding in enumerate(findings):
        standing, turn = after(standing, finding, float(now), watch)
        if turn is not None:
            assert turn.before is not turn.after
            assert turn.after is standing.state
            turns.append(turn.after)
    return turns


def test_one_bad_answer_is_no_outage_and_one_good_one_no_recovery() -> None:
    good, bad = Good(0.1), Bad("503")
    assert told([good, bad, good, bad, good]) == [State.UP]
    assert told([good, bad, bad, good, good, bad, good, good, good]) == [State.UP, State.DOWN, State.UP]
    assert told([bad]) == []
    assert told([bad, bad]) == [State.DOWN]


def test_it_is_down_since_the_first_bad_answer_and_up_since_the_first_good_one() -> None:
    standing = Standing()
    story: list[Finding] = [Good(0.1), Bad("a"), Bad("b"), Bad("c"), Good(0.2), Good(0.2), Good(0.3)]
    for now, finding in enumerate(story):
        standing, turn = after(standing, finding, 100.0 + now, WATCH)
        if now == 2:
            assert (standing.state, standing.since, standing.reason) == (State.DOWN, 101.0, "b")
    assert (standing.state, standing.since, standing.reason, standing.latency_s) == (State.UP, 104.0, "", 0.3)
    assert turn is not None
    assert (turn.before, turn.since) == (State.DOWN, 101.0)


@given(st.lists(FINDINGS, max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_between_two_turns_there_are_always_enough_answers_that_say_so(
    findings: list[Finding], down_after: int, up_after: int
) -> None:
    watch = WatchSettings(name="page", url="https://x.example/", down_after=down_after, up_after=up_after)
    standing, turns = Standing(), []
    for now, finding in enumerate(findings):
        standing, turn = after(standing, finding, float(now), watch)
        if turn is not None:
            turns.append((now, turn))
            if turn.after is State.DOWN:
                assert all(isinstance(one, Bad) for one in findings[now + 1 - down_after : now + 1])
                assert standing.since == now + 1 - down_after
            if turn.before is State.DOWN and turn.after is State.UP:
                assert all(isinstance(one, Good) for one in findings[now + 1 - up_after : now + 1])
    assert all(one.after is other.before for (_, one), (_, other) in pairwise(turns))


@given(st.lists(FINDINGS, max_size=20), st.floats(0, 1), st.integers(0, 600), st.integers(-1_000_000, 1_000_000))
def test_nobody_is_asked_sooner_than_its_period_or_its_own_wish(
    findings: list[Finding], chance: float, delay_s: int, jump_s: int
) -> None:
    standing = Standing()
    for now, finding in enumerate(findings):
        standing, _ = after(standing, finding, 1e7 + now, WATCH)
    if standing.asked_at is None:
        assert next_at(standing, WATCH, 0.0) == 0.0
        return
    later = 1e7 + len(findings) + jump_s  # a clock may be set back
    due_at = next_at(standing, WATCH, later, crawl_delay_s=delay_s, chance=chance)
    assert due_at - min(standing.asked_at, later) >= max(SUSPECT_S, delay_s)
    assert due_at <= later + max(1.1 * WATCH.every_s, 1.1 * delay_s)


def test_a_wish_not_to_be_asked_is_heeded_and_no_outage_is_told_of_as_unknown_meanwhile() -> None:
    standing, _ = after(Standing(), Bad("429", not_before=5_000.0), 100.0, WATCH)
    standing, _ = after(standing, Bad("429", not_before=5_000.0), 160.0, WATCH)
    assert next_at(standing, WATCH, 161.0) == 5_000.0
    assert told_state(standing, WATCH, 4_990.0) == (State.DOWN, 100.0)


def test_what_nobody_looked_at_for_long_is_not_known() -> None:
    standing, _ = after(Standing(), Good(0.1), 100.0, WATCH)
    edge = 100.0 + STALE_PERIODS * WATCH.every_s
    assert told_state(standing, WATCH, edge) == (State.UP, 100.0)
    assert told_state(standing, WATCH, edge + 1) == (State.UNKNOWN, 100.0)
