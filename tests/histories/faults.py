"""What can be wrong with a source, and when."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """One thing that is wrong. Those from STALE on are wrong with what it has, the others with how it answers."""

    UNRESOLVED = "unresolved"
    REFUSED = "refused"
    BLACKHOLED = "blackholed"
    SILENT = "silent"
    RESET_IN_HEAD = "reset-in-head"
    RESET_IN_BODY = "reset-in-body"
    STALLED = "stalled"
    TRICKLE_1_B_S = "trickle-1-b-s"
    TRICKLE_1_KB_S = "trickle-1-kb-s"
    TRUNCATED = "truncated"
    TRUNCATED_AS_SAID = "truncated-as-said"
    CORRUPT = "corrupt"
    WRONG_SIZE = "wrong-size"
    ENDLESS = "endless"
    HTML = "html"
    NOT_FOUND = "404"
    FORBIDDEN = "403"
    TOO_MANY = "429"
    BROKEN = "500"
    UNAVAILABLE = "503"
    UNAVAILABLE_AFTER = "503-retry-after"
    REDIRECT_LOOP = "redirect-loop"
    STALE = "stale"
    TORN = "torn"
    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad-signature"
    UNKNOWN_KEY = "unknown-key"
    FUTURE = "future"
    EXPIRED = "expired"
    SPLIT_VIEW = "split-view"


STATEMENTS = frozenset(
    {Fault.UNSIGNED, Fault.BAD_SIGNATURE, Fault.UNKNOWN_KEY, Fault.FUTURE, Fault.EXPIRED, Fault.SPLIT_VIEW}
)
"""These show another InRelease, which `Publication.statements` has by the fault's name."""
DEAD = frozenset({Fault.UNRESOLVED, Fault.REFUSED, Fault.BLACKHOLED, Fault.SILENT, Fault.RESET_IN_HEAD})
"""Of these nobody ever gets an answer."""
STATUSES = {
    Fault.NOT_FOUND: 404,
    Fault.FORBIDDEN: 403,
    Fault.TOO_MANY: 429,
    Fault.BROKEN: 500,
    Fault.UNAVAILABLE: 503,
    Fault.UNAVAILABLE_AFTER: 503,
}


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault from one time to another, in seconds of the history; flapping where it has a period."""

    fault: Fault
    begins_s: float
    ends_s: float
    period_s: float = 0.0
    """It is there for the first half of each period; 0: all the time."""

    def is_on(self, at_s: float) -> bool:
        """Whether it is there at this time."""
        if not self.begins_s <= at_s < self.ends_s:
            return False
        return not self.period_s or (at_s - self.begins_s) % self.period_s < self.period_s / 2
