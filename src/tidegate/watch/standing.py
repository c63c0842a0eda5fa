"""How a watched page stands, and what an answer makes of that. Pure; times are epoch seconds.

Nothing flaps: `down` and `up` each want several answers in a row that say so, and a page stays what it was until then.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tidegate.watch.settings import WatchSettings


class State(StrEnum):
    """What is known of a page."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    NOT_ASKED = "not-asked"


class Standing(Struct, frozen=True, kw_only=True):
    """As of the last answer."""

    state: State = State.UNKNOWN
    since: float | None = None
    """Since when it is so: of `down` the first bad answer, of `up` the first good one."""
    reason: str = ""
    """Of what is bad, or why nobody is asked; also while a page that is up gave a bad answer."""
    asked_at: float | None = None
    good_at: float | None = None
    latency_s: float | None = None
    """From the request to the head of the last good answer."""
    bad: int = 0
    """Answers in a row."""
    good: int = 0
    turning_at: float | None = None
    """The first of those that speak against `state`."""
    not_before: float = 0.0
    """Whoever is asked wishes not to be asked earlier."""


class Good(NamedTuple):
    """An answer that is the page."""

    latency_s: float


class Bad(NamedTuple):
    """No answer, or not the page."""

    reason: str
    not_before: float = 0.0


class NotAsked(NamedTuple):
    """Nobody was asked."""

    reason: str


Finding = Good | Bad | NotAsked


class Turn(NamedTuple):
    """What is news: the state before, and since when it had been so."""

    before: State
    since: float | None
    after: State


def after(standing: Standing, finding: Finding, now: float, watch: WatchSettings) -> tuple[Standing, Turn | None]:
    """How it stands after a finding, and the turn that this is, if it is one."""
    match finding:
        case NotAsked(reason):
            seen = replace(standing, bad=0, good=0, turning_at=None, reason=reason)
            return (seen, None) if standing.state is State.NOT_ASKED else _turned(seen, State.NOT_ASKED, standing, now)
        case Good(latency_s):
            seen = replace(standing, asked_at=now, good_at=now, latency_s=latency_s, bad=0, good=standing.good + 1)
            seen = replace(seen, not_before=0.0)
            if standing.state is State.UP:
                return replace(seen, reason="", turning_at=None), None
            first = standing.turning_at if standing.good and standing.turning_at is not None else now
            needed = watch.up_after if standing.state is State.DOWN else 1
            if seen.good < needed:
                return replace(seen, turning_at=first), None
            return _turned(replace(seen, reason="", turning_at=None), State.UP, standing, first)
        case Bad(reason, not_before):
            seen = replace(standing, asked_at=now, bad=standing.bad + 1, good=0, reason=reason, not_before=not_before)
            if standing.state is State.DOWN:
                return replace(seen, turning_at=None), None
            first = standing.turning_at if standing.bad and standing.turning_at is not None else now
            if seen.bad < watch.down_after:
                return replace(seen, turning_at=first), None
            return _turned(replace(seen, turning_at=None), State.DOWN, standing, first)


def _turned(seen: Standing, state: State, before: Standing, since: float) -> tuple[Standing, Turn]:
    return replace(seen, state=state, since=since), Turn(before.state, before.since, state)


SUSPECT_S = 60.0
"""A page that begins to turn is asked again after this at the latest."""
JITTER_SHARE = 0.1
STALE_PERIODS = 3
"""Periods without an answer, after which a page that is asked is told of as unknown."""


def next_at(
    standing: Standing, watch: WatchSettings, now: float, *, crawl_delay_s: float = 0.0, chance: float = 0.0
) -> float:
    """When it is asked next; 0: it never was. Never sooner than its period, or SUSPECT_S while it turns, nor than its
    host wishes."""
    if standing.asked_at is None:
        return 0.0
    turning = (standing.bad and standing.state is not State.DOWN) or (standing.good and standing.state is State.DOWN)
    pause = max(min(watch.every_s, SUSPECT_S) if turning else watch.every_s, crawl_delay_s)
    asked_at = min(standing.asked_at, now)  # a clock that was set back
    return max(asked_at + pause * (1 + JITTER_SHARE * chance), standing.not_before)


def told_state(
    standing: Standing, watch: WatchSettings, now: float, *, crawl_delay_s: float = 0.0
) -> tuple[State, float | None]:
    """The state as it may be told now, and since when: what nobody looked at for long is not known any more."""
    period_s = max(watch.every_s, crawl_delay_s)
    limit_s = max(STALE_PERIODS * period_s, standing.not_before - (standing.asked_at or 0.0) + period_s)
    if standing.state in (State.UP, State.DOWN) and now - (standing.asked_at or 0.0) > limit_s:
        return State.UNKNOWN, standing.asked_at
    return standing.state, standing.since
