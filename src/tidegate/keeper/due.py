"""Which sources are probed now, and for which suite. Pure.

its trial     the breaker is open and its time has come: a probe finds out, so that no client waits for it
it is quiet   nothing came from it for an interval, so nobody knows how it does
no news       it gives files, but was not asked for a Release for NEWS_INTERVALS: it may be standing still
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.sources.breaker import State, may_ask
from tidegate.sources.health import Health, Standing
from tidegate.sources.pacing import jittered_s

NEWS_INTERVALS = 3.0
BEHIND_HASTE_INTERVALS = 2.0
"""A suite for which a source is behind is asked about as if it had waited so much longer than the others."""
FIRST_AFTER_S, FIRST_WITHIN_S = 5.0, 15.0
"""A source is probed for the first time this long after it became known, at a moment of its own."""
JITTER = 0.2
"""The share of an interval by which each probe is moved at random, to either side."""


class Why(StrEnum):
    """What makes a source due."""

    TRIAL = "trial"
    QUIET = "quiet"
    NO_NEWS = "no news"


@dataclass(frozen=True, slots=True)
class Probed:
    """What is remembered of a source's probes, in epoch seconds. `suites`: when each was last asked about."""

    at: float
    next_at: float
    suites: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Due:
    """A source to be probed now."""

    source: str
    why: Why


def first(now: float, chance: float) -> Probed:
    """A source that has just become known. `chance` is from 0 to 1."""
    return Probed(now, now + FIRST_AFTER_S + chance * (FIRST_WITHIN_S - FIRST_AFTER_S))


def begun(before: Probed, suite: str, now: float, interval_s: float, chance: float) -> Probed:
    """After a probe for `suite` began. `chance` is from 0 to 1."""
    return Probed(now, now + jittered_s(interval_s, JITTER, chance), {**before.suites, suite: now})


def due(
    sources: Iterable[str], health: Health, probed: Mapping[str, Probed], now: float, interval_s: float
) -> tuple[Due, ...]:
    """The sources that are due, trials first, then by how long they have waited. Unknown ones are not (see `first`)."""
    found = [
        Due(source, why)
        for source in dict.fromkeys(sources)
        if source in probed and (why := _why(health.of(source), probed[source], now, interval_s)) is not None
    ]
    found.sort(key=lambda one: (one.why is not Why.TRIAL, probed[one.source].next_at))
    return tuple(found)


def suite_for(
    suites: Sequence[str], behind: Iterable[str], probed: Probed, now: float, interval_s: float
) -> str | None:
    """The suite to ask about: the one asked about longest ago, those in `behind` before their turn."""
    waits = set(behind)

    def waited(suite: str) -> float:
        haste = BEHIND_HASTE_INTERVALS * interval_s if suite in waits else 0.0
        return now - probed.suites.get(suite, float("-inf")) + haste

    return max(suites, key=waited, default=None)  # of equals the first


def _why(standing: Standing, probed: Probed, now: float, interval_s: float) -> Why | None:
    if standing.breaker.state is not State.CLOSED:
        return Why.TRIAL if may_ask(standing.breaker, now) else None
    # A time ahead of us is one of a clock that was set back since: it must not keep a source unprobed.
    if probed.at <= now < probed.next_at:
        return None
    if not 0 <= now - (standing.last_success_at or 0) < interval_s:
        return Why.QUIET
    return None if 0 <= now - probed.at < NEWS_INTERVALS * interval_s else Why.NO_NEWS
