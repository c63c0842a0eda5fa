"""The breaker of one source: whether it may be asked, decided by a table. Pure.

    CLOSED     it is asked
    OPEN       it failed and is left alone until a moment that is written down
    HALF_OPEN  that moment has passed, and one request, the trial, is on its way to find out

`TABLE` is the whole of it: state and event, under a condition, lead to a state and an effect; docs/breaker.md shows
the same table with its picture, and a test holds the two together. A source that gave wrong bytes is out for another
cause, and longer, than one that cannot be reached.

Times are epoch seconds, since a breaker survives a restart. A wall clock that is stepped back makes a breaker due at
once (it cannot have failed in the future), so that no step keeps a source out for longer than the caps.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from tidegate.sources.settings import HealthSettings

STRIKES_MAX = 64
"""More are not counted: any cap is reached long before."""


class State(StrEnum):
    """Whether a source is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Cause(StrEnum):
    """Why a breaker is not closed."""

    UNREACHABLE = "unreachable"
    VIOLATION = "violation"
    """It gave wrong bytes, or a Release that nobody trusted signed."""


class Event(StrEnum):
    """What a breaker hears of."""

    ASKED = "is asked"
    ANSWERED = "begins to answer"
    SUCCEEDED = "gave what was asked"
    VOUCHED = "gave a probe its signed Release"
    FAILED = "failed"
    VIOLATED = "gave wrong bytes"


class Guard(StrEnum):
    """Under which condition a row counts, in the words of the documentation."""

    ALWAYS = "always"
    DUE = "`until` has passed"
    CALM = "closed for `calm_s`"
    BARRED = "it is out for wrong bytes"


class Effect(StrEnum):
    """What else changes, in the words of the documentation."""

    NOTHING = "nothing"
    FORGET = "its strikes are forgotten"
    STRIKE = "one strike more; out for the back-off"
    EXTEND = "out for longer if it says so (Retry-After)"
    BAR = "one strike more; out for `violation_s`"
    TRY = "the trial: nobody else asks it for `trial_s`, or the back-off where that is longer"
    TRY_AGAIN = "the trial brought no news: one strike more, another trial"
    ADMIT = "still out, but at hand where nothing else is left"
    CLOSE = "strikes are kept until it has been calm"


@dataclass(frozen=True, slots=True)
class Breaker:
    """One source's breaker. `until` and `next_at` mean nothing while it is closed."""

    state: State = State.CLOSED
    cause: Cause | None = None
    strikes: int = 0
    """Failures in a row, each of them after the wait for the one before; they double the wait."""
    since: float = 0.0
    """When the trouble began; when it ended, for a closed one."""
    until: float = 0.0
    """OPEN: it may be tried from then on. HALF_OPEN: the trial has run out then."""
    reason: str = ""
    next_at: float = 0.0
    """From then on it may be asked where nothing else may be; never after `until`."""
    at: float = 0.0
    """When any of this last changed."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What comes with an event."""

    now: float
    rules: HealthSettings
    reason: str = ""
    jitter: float = 0.0
    retry_after_s: float | None = None
    mostly_works: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """From a state, at an event, under a condition: to a state, with an effect."""

    before: State
    event: Event
    guard: Guard
    after: State
    effect: Effect


TABLE = (
    Row(State.CLOSED, Event.ASKED, Guard.ALWAYS, State.CLOSED, Effect.NOTHING),
    Row(State.CLOSED, Event.ANSWERED, Guard.ALWAYS, State.CLOSED, Effect.NOTHING),
    Row(State.CLOSED, Event.SUCCEEDED, Guard.CALM, State.CLOSED, Effect.FORGET),
    Row(State.CLOSED, Event.SUCCEEDED, Guard.ALWAYS, State.CLOSED, Effect.NOTHING),
    Row(State.CLOSED, Event.VOUCHED, Guard.ALWAYS, State.CLOSED, Effect.NOTHING),
    Row(State.CLOSED, Event.FAILED, Guard.ALWAYS, State.OPEN, Effect.STRIKE),
    Row(State.CLOSED, Event.VIOLATED, Guard.ALWAYS, State.OPEN, Effect.BAR),
    Row(State.OPEN, Event.ASKED, Guard.DUE, State.HALF_OPEN, Effect.TRY),
    Row(State.OPEN, Event.ASKED, Guard.ALWAYS, State.OPEN, Effect.NOTHING),
    Row(State.OPEN, Event.ANSWERED, Guard.ALWAYS, State.OPEN, Effect.NOTHING),
    Row(State.OPEN, Event.SUCCEEDED, Guard.DUE, State.CLOSED, Effect.CLOSE),
    Row(State.OPEN, Event.SUCCEEDED, Guard.BARRED, State.OPEN, Effect.ADMIT),
    Row(State.OPEN, Event.SUCCEEDED, Guard.ALWAYS, State.OPEN, Effect.NOTHING),
    Row(State.OPEN, Event.VOUCHED, Guard.DUE, State.CLOSED, Effect.CLOSE),
    Row(State.OPEN, Event.VOUCHED, Guard.BARRED, State.OPEN, Effect.ADMIT),
    Row(State.OPEN, Event.VOUCHED, Guard.ALWAYS, State.CLOSED, Effect.CLOSE),
    Row(State.OPEN, Event.FAILED, Guard.DUE, State.OPEN, Effect.STRIKE),
    Row(State.OPEN, Event.FAILED, Guard.ALWAYS, State.OPEN, Effect.EXTEND),
    Row(State.OPEN, Event.VIOLATED, Guard.ALWAYS, State.OPEN, Effect.BAR),
    Row(State.HALF_OPEN, Event.ASKED, Guard.DUE, State.HALF_OPEN, Effect.TRY_AGAIN),
    Row(State.HALF_OPEN, Event.ASKED, Guard.ALWAYS, State.HALF_OPEN, Effect.NOTHING),
    Row(State.HALF_OPEN, Event.ANSWERED, Guard.BARRED, State.HALF_OPEN, Effect.NOTHING),
    Row(State.HALF_OPEN, Event.ANSWERED, Guard.ALWAYS, State.HALF_OPEN, Effect.ADMIT),
    Row(State.HALF_OPEN, Event.SUCCEEDED, Guard.ALWAYS, State.CLOSED, Effect.CLOSE),
    Row(State.HALF_OPEN, Event.VOUCHED, Guard.ALWAYS, State.CLOSED, Effect.CLOSE),
    Row(State.HALF_OPEN, Event.FAILED, Guard.ALWAYS, State.OPEN, Effect.STRIKE),
    Row(State.HALF_OPEN, Event.VIOLATED, Guard.ALWAYS, State.OPEN, Effect.BAR),
)
"""The first row that fits counts."""


def may_ask(breaker: Breaker, now: float) -> bool:
    """Closed, or due for a trial."""
    return breaker.state is State.CLOSED or _is_due(breaker, now)


def may_ask_at_last(breaker: Breaker, now: float) -> bool:
    """Whether it may be asked where nothing else may be: a wrong answer costs only time, since it is verified."""
    return may_ask(breaker, now) or now >= breaker.next_at


def asked(breaker: Breaker, now: float, rules: HealthSettings) -> Breaker:
    """A request goes out to it."""
    return _after(breaker, Event.ASKED, _Facts(now, rules))


def answered(breaker: Breaker, now: float, rules: HealthSettings) -> Breaker:
    """The head of its answer is there."""
    return _after(breaker, Event.ANSWERED, _Facts(now, rules))


def succeeded(breaker: Breaker, now: float, rules: HealthSettings) -> Breaker:
    """It gave what was asked."""
    return _after(breaker, Event.SUCCEEDED, _Facts(now, rules))


def vouched(breaker: Breaker, now: float, rules: HealthSettings) -> Breaker:
    """It was asked on purpose, out or not, and gave a Release that a trusted key signed."""
    return _after(breaker, Event.VOUCHED, _Facts(now, rules))


def failed(
    breaker: Breaker,
    now: float,
    rules: HealthSettings,
    *,
    cause: Cause,
    reason: str,
    jitter: float,
    retry_after_s: float | None,
    mostly_works: bool = False,
) -> Breaker:
    """It did not. `jitter` is chance, 0 to 1; `mostly_works`: it may go on being asked where nothing else may be."""
    event = Event.VIOLATED if cause is Cause.VIOLATION else Event.FAILED
    return _after(breaker, event, _Facts(now, rules, reason, jitter, retry_after_s, mostly_works))


def backoff_s(strikes: int, rules: HealthSettings, jitter: float = 0.0) -> float:
    """The wait after so many strikes: doubled each time up to the cap; `jitter` (0 to 1) takes up to its share off."""
    doubled = rules.backoff_base_s * 2.0 ** (min(strikes, STRIKES_MAX) - 1)
    return min(rules.backoff_cap_s, doubled) * (1.0 - rules.backoff_jitter * jitter)


def requests_max(window_s: float, rules: HealthSettings) -> int:
    """How many requests a source that is dead all the time gets of one worker within so long, at most.

    Counted from the first one, with chance always against us. Requests that were on their way when the first of them
    failed come on top.
    """
    count, at = 1, 0.0
    while (at := at + backoff_s(count, rules, 1.0)) <= window_s:
        count += 1
    return count


def is_news(before: Breaker, after: Breaker) -> bool:
    """Whether a change is worth telling: it went out, came back, or is out for another cause; no trial in between."""
    return before.cause is not after.cause or (before.state is State.CLOSED) != (after.state is State.CLOSED)


def restored(breaker: Breaker, now: float, rules: HealthSettings) -> Breaker:
    """A breaker that was written down by another life of this program, held to today's caps and today's clock.

    A trial ended with the process that made it: it is due again.
    """
    if breaker.state is State.CLOSED:
        return replace(breaker, strikes=_counted(breaker.strikes), at=min(breaker.at, now))
    longest = (
        rules.violation_s if breaker.cause is Cause.VIOLATION else max(rules.backoff_cap_s, rules.retry_after_max_s)
    )
    until = now if breaker.state is State.HALF_OPEN else min(breaker.until, now + longest)
    return replace(
        breaker,
        state=State.OPEN,
        strikes=_counted(breaker.strikes),
        since=min(breaker.since, now),
        until=until,
        next_at=min(breaker.next_at, until),
        at=min(breaker.at, now),
    )


def _counted(strikes: int) -> int:
    return max(0, min(strikes, STRIKES_MAX))


def _is_due(breaker: Breaker, now: float) -> bool:
    return now >= breaker.until or now < breaker.at


def _is_calm(breaker: Breaker, facts: _Facts) -> bool:
    return facts.now - breaker.at >= facts.rules.calm_s or facts.now < breaker.at


_GUARDS: dict[Guard, Callable[[Breaker, _Facts], bool]] = {
    Guard.ALWAYS: lambda _breaker, _facts: True,
    Guard.DUE: lambda breaker, facts: _is_due(breaker, facts.now),
    Guard.CALM: _is_calm,
    Guard.BARRED: lambda breaker, _facts: breaker.cause is Cause.VIOLATION,
}


def _strikes(breaker: Breaker, facts: _Facts) -> int:
    forgotten = breaker.state is State.CLOSED and _is_calm(breaker, facts)
    return _counted((0 if forgotten else breaker.strikes) + 1)


def _told_s(facts: _Facts) -> float:
    return min(facts.retry_after_s or 0.0, facts.rules.retry_after_max_s)


def _strike(breaker: Breaker, facts: _Facts) -> Breaker:
    strikes, now = _strikes(breaker, facts), facts.now
    until = now + max(backoff_s(strikes, facts.rules, facts.jitter), _told_s(facts))
    barred = breaker.cause is Cause.VIOLATION  # until it has given right bytes, whatever else it does
    goes_on = facts.mostly_works and not barred and facts.retry_after_s is None
    return Breaker(
        state=breaker.state,
        cause=breaker.cause or Cause.UNREACHABLE,
        strikes=strikes,
        since=now if breaker.state is State.CLOSED else breaker.since,
        until=until,
        reason=breaker.reason if barred else facts.reason,
        next_at=now if goes_on else until,
        at=now,
    )


def _extend(breaker: Breaker, facts: _Facts) -> Breaker:
    """A request that was on its way already, or asked where nothing else was left, failed as well."""
    now = facts.now
    if breaker.cause is Cause.VIOLATION:
        if now < breaker.next_at:
            return breaker
        strikes = _strikes(breaker, facts)
        wait = backoff_s(strikes, facts.rules, facts.jitter)
        return replace(breaker, strikes=strikes, next_at=min(breaker.until, now + wait), at=now)
    until = max(breaker.until, now + _told_s(facts))
    goes_on = facts.mostly_works and facts.retry_after_s is None
    return replace(breaker, until=until, next_at=min(breaker.next_at, until) if goes_on else until)


def _bar(breaker: Breaker, facts: _Facts) -> Breaker:
    now = facts.now
    known = breaker.cause is Cause.VIOLATION
    together = known and breaker.state is State.OPEN and breaker.at <= now < breaker.next_at
    strikes = breaker.strikes if together else _strikes(breaker, facts)
    until = now + facts.rules.violation_s
    wait = backoff_s(strikes, facts.rules, facts.jitter)
    return Breaker(
        state=breaker.state,
        cause=Cause.VIOLATION,
        strikes=strikes,
        since=breaker.since if known else now,
        until=until,
        reason=facts.reason,
        next_at=breaker.next_at if together else min(until, now + wait),
        at=now,
    )


def _try(breaker: Breaker, facts: _Facts) -> Breaker:
    until = facts.now + max(facts.rules.trial_s, backoff_s(breaker.strikes, facts.rules))
    goes_on = breaker.cause is not Cause.VIOLATION and breaker.next_at < breaker.until
    return replace(breaker, until=until, next_at=facts.now if goes_on else until, at=facts.now)


def _try_again(breaker: Breaker, facts: _Facts) -> Breaker:
    return _try(replace(breaker, strikes=_counted(breaker.strikes + 1)), facts)


_EFFECTS: dict[Effect, Callable[[Breaker, _Facts], Breaker]] = {
    Effect.NOTHING: lambda breaker, _facts: breaker,
    Effect.FORGET: lambda breaker, _facts: replace(breaker, strikes=0),
    Effect.STRIKE: _strike,
    Effect.EXTEND: _extend,
    Effect.BAR: _bar,
    Effect.TRY: _try,
    Effect.TRY_AGAIN: _try_again,
    Effect.ADMIT: lambda breaker, facts: replace(breaker, next_at=facts.now),
    Effect.CLOSE: lambda breaker, facts: Breaker(strikes=breaker.strikes, since=facts.now, at=facts.now),
}

_ROWS: dict[tuple[State, Event], list[Row]] = {}
for _row in TABLE:
    _ROWS.setdefault((_row.before, _row.event), []).append(_row)


def _after(breaker: Breaker, event: Event, facts: _Facts) -> Breaker:
    row = next(row for row in _ROWS[breaker.state, event] if _GUARDS[row.guard](breaker, facts))
    changed = _EFFECTS[row.effect](breaker, facts)
    return changed if changed.state is row.after else replace(changed, state=row.after)
