"""Whether a feed is young enough to be believed. Pure; times are epoch seconds."""

from dataclasses import dataclass
from enum import StrEnum


class Age(StrEnum):
    """How old it is."""

    CURRENT = "current"
    OLD = "old"
    MISSING = "missing"
    """It was never taken in."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`confirmed_max_s` since it was last seen to be the newest; `published_max_s` since its publisher made it: who is
    shown the same for longer looks at something that stands still."""

    confirmed_max_s: float
    published_max_s: float


def age_of(current_at: int | None, published_at: int | None, now: float, limits: Limits) -> Age:
    """By both moments; a publisher's date that is not known says nothing."""
    if current_at is None:
        return Age.MISSING
    stands_still = published_at is not None and now - published_at > limits.published_max_s
    return Age.OLD if stands_still or now - current_at > limits.confirmed_max_s else Age.CURRENT
