"""Whether what is known is young enough to be believed, and if not, since when it is not."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidegate.advisories.age import believed_until

if TYPE_CHECKING:  # the settings read the limits, and every command the settings
    from collections.abc import Iterable

    from tidegate.advisories.history import FeedState
    from tidegate.fleet.knowledge import Knowledge

_DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class AgeLimits:
    """What is older than these is not known any more."""

    confirmed_max_s: int = 2 * _DAY_S
    """Since a feed was last seen, changed or not."""
    published_max_s: int = 7 * _DAY_S
    """Since its publisher made it: who is shown the same for longer looks at something that stands still."""
    host_max_s: int = 3 * _DAY_S
    """Since a host reported."""


DEFAULT_LIMITS = AgeLimits()


@dataclass(frozen=True, slots=True)
class Freshness:
    """`feed_at` is when the best feed was last known to be current, None if never. `why` is empty where all is well."""

    feed_at: int | None
    unknown_since: int | None
    why: tuple[str, ...]


def freshness(knowledge: "Knowledge", taken_at: int, now: int, limits: AgeLimits = DEFAULT_LIMITS) -> Freshness:
    """Unknown since the earliest of what is too old; since the beginning (0), where nothing was ever known.

    `taken_at` is when the host last said what it has.
    """
    feed_at, feed_is_old = believed(knowledge.feeds, now, limits)
    why: list[str] = []
    since: list[int] = []
    if feed_at is None:
        why.append(f"no feed that speaks of {knowledge.distribution or 'this distribution'} was ever taken in")
        since.append(0)
    elif feed_is_old:
        why.append(f"the newest feed is {_spoken(now - feed_at)} old")
        since.append(feed_at)
    elif not knowledge.speaks:
        why.append(f"no feed says anything about {knowledge.release or 'a release without a name'}")
        since.append(0)
    if now - taken_at > limits.host_max_s:
        why.append(f"the host last reported {_spoken(now - taken_at)} ago")
        since.append(taken_at)
    return Freshness(feed_at, min(since, default=None), tuple(why))


def believed(feeds: "Iterable[FeedState]", now: int, limits: AgeLimits) -> tuple[int | None, bool]:
    """When the feed that stays believable for longest was current, and whether even that is too long ago."""
    best: tuple[int, int] | None = None
    for state in feeds:
        until, was_current = believed_until(state.confirmed_at, state.provenance.published, limits)
        current = was_current if until < now else state.confirmed_at
        best = max(best or (int(until), int(current)), (int(until), int(current)))
    return (None, False) if best is None else (best[1], best[0] < now)


def _spoken(seconds: int) -> str:
    """A span for people, who count hours up to two days."""
    days, hours = seconds // _DAY_S, seconds // 3600
    return f"{days} days" if days >= 2 else f"{hours} hour{'' if hours == 1 else 's'}"
