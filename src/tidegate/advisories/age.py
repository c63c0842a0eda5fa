"""Whether a feed is young enough to be believed. Pure; times are epoch seconds."""

from enum import StrEnum
from typing import Protocol


class Age(StrEnum):
    """How old it is."""

    CURRENT = "current"
    OLD = "old"
    MISSING = "missing"
    """It was never taken in."""


class Limits(Protocol):
    """What is older than these is not known any more."""

    @property
    def confirmed_max_s(self) -> float:
        """Since it was last seen to be the newest, changed or not."""
        ...

    @property
    def published_max_s(self) -> float:
        """Since its publisher made it: who is shown the same for longer looks at something that stands still."""
        ...


def believed_until(confirmed_at: float, published_at: float | None, limits: Limits) -> tuple[float, float]:
    """Until when a feed is believed, and when it was current, should that be over. A publisher's date that is not known
    says nothing."""
    seen = confirmed_at + limits.confirmed_max_s
    if published_at is not None and published_at + limits.published_max_s < seen:
        return published_at + limits.published_max_s, published_at
    return seen, confirmed_at


def age_of(current_at: int | None, published_at: int | None, now: float, limits: Limits) -> Age:
    """By both moments."""
    if current_at is None:
        return Age.MISSING
    return Age.OLD if believed_until(current_at, published_at, limits)[0] < now else Age.CURRENT
