"""When an archive is alone: each of its sources is out, and was tried of late. Pure.

Clients are then not made to wait for any of them: what is held is given as before, and what is not is refused at
once. Probes go on finding out whether a source is back; its first right answer ends the solitude.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.sources.archive import Source
from tidegate.sources.breaker import Cause, State
from tidegate.sources.failure import Failure
from tidegate.sources.health import Health, Standing
from tidegate.sources.words import clock

UNTRIED_S = 30.0
"""A source that has been due for so long was tried by nobody (this machine slept, or we did not run): it may be back,
and whoever asks next finds out."""
PASSING_S = 60.0
"""For so long a solitude may be over before a client has tried three times (apt: after 1, 2 and 4 s)."""
_GONE = frozenset(
    {
        Failure.UNRESOLVED.value,
        Failure.FORBIDDEN_ADDRESS.value,
        Failure.UNREACHABLE.value,
        Failure.TLS.value,
        Failure.SILENT.value,
    }
)
"""Nothing at all came of it: what tells a liar that has gone from one that is there, and may give right bytes yet."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Nothing can be had from any source. `since`: epoch seconds; None: we were told to ask nobody."""

    since: float | None
    is_lasting: bool
    """Coming back in a moment is not worth a client's while."""
    said: str
    """What a client hears."""


def may_connect(source: Source, health: Health) -> bool:
    """Whether it may be asked at all: offline, only a folder may."""
    return not health.offline or source.endpoint.root is not None


def out_since(sources: Iterable[Source], health: Health) -> float | None:
    """Since when every one of these sources is out (epoch seconds); None where one is not, or there is none."""
    standings = [health.of(source.url) for source in sources]
    if not standings or not all(map(_is_out, standings)):
        return None
    return max(standing.breaker.since for standing in standings)


def operators_left(sources: Iterable[Source], health: Health) -> frozenset[str]:
    """Whoever runs a source of these that is not out."""
    return frozenset(source.operator for source in sources if not _is_out(health.of(source.url)))


def alone(sources: Sequence[Source], health: Health, now: float) -> Alone | None:
    """Whether nobody is to be asked on a client's behalf now (epoch seconds)."""
    askable = [source for source in sources if may_connect(source, health)]
    if sources and not askable:
        return Alone(None, is_lasting=True, said="not held, and this gateway is offline")
    since = out_since(askable, health)
    if since is None or now - since < health.settings.alone_after_s:
        return None
    if not any(_was_tried(health.of(source.url), now) for source in askable):
        return None
    which = f"all {len(askable)} sources are" if len(askable) > 1 else "the only source is"
    said = f"not held, and {which} out since {clock(since, now)}"
    return Alone(since, is_lasting=now - since >= PASSING_S, said=said)


def _is_out(standing: Standing) -> bool:
    """It failed, and gave nothing right since."""
    breaker = standing.breaker
    if breaker.state is State.CLOSED:
        return False
    if breaker.cause is Cause.VIOLATION:
        return (standing.last_failure or "").partition(":")[0] in _GONE
    return (standing.last_success_at or 0) <= breaker.since


def _was_tried(standing: Standing, now: float) -> bool:
    breaker = standing.breaker
    return breaker.state is State.HALF_OPEN or now < breaker.until + UNTRIED_S
