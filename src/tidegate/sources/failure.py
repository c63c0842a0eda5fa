"""Why a fetch did not succeed, as data."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum


class Failure(StrEnum):
    """One word for each way that a source can fail us."""

    UNRESOLVED = "unresolved"
    FORBIDDEN_ADDRESS = "forbidden-address"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    SILENT = "silent"
    STALLED = "stalled"
    SLOW = "slow"
    CUT = "cut"
    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    STATUS = "status"
    REDIRECT = "redirect"
    WRONG_BYTES = "wrong-bytes"
    OTHER_VERSION = "other-version"
    DISK = "disk"
    OFFLINE = "offline"


IN_WORDS = {
    Failure.UNRESOLVED: "its name does not resolve",
    Failure.FORBIDDEN_ADDRESS: "its name resolves to an address that it may not have",
    Failure.UNREACHABLE: "cannot be reached",
    Failure.TLS: "TLS with it fails",
    Failure.SILENT: "takes requests and does not answer",
    Failure.STALLED: "stops in the middle of answers",
    Failure.SLOW: "is too slow",
    Failure.CUT: "ends its answers early",
    Failure.MALFORMED: "answers with something that is not HTTP as asked",
    Failure.OVERSIZED: "sends more than it may",
    Failure.STATUS: "answers with an error",
    Failure.REDIRECT: "redirects where it may not",
    Failure.WRONG_BYTES: "gave wrong bytes",
    Failure.OTHER_VERSION: "has another version",
    Failure.DISK: "our own disk failed",
    Failure.OFFLINE: "is not asked, since this gateway is offline",
}
"""What each means, as a sentence about the source."""

_DIGITS_MAX = 9
_DATE_CHARS_MAX = 64
_PASSING = frozenset({Failure.CUT, Failure.STALLED, Failure.SLOW})


@dataclass(slots=True, eq=False)
class FetchError(Exception):
    """A fetch failed: how, in a sentence, and the status where the source gave one."""

    failure: Failure
    evidence: str
    status: int | None = None
    retry_after_s: float | None = None
    """For so long the source asked not to be asked (RFC 9110, 10.2.3)."""

    def __str__(self) -> str:
        return f"{self.failure}: {self.evidence}"

    @property
    def in_words(self) -> str:
        """A sentence about the source, with the evidence."""
        return f"{IN_WORDS[self.failure]} ({self.evidence})"

    @property
    def is_absence(self) -> bool:
        """The source does not have it (under this name): no fault of the source's."""
        return self.failure is Failure.OTHER_VERSION or (self.failure is Failure.STATUS and self.status in (404, 410))

    @property
    def is_passing(self) -> bool:
        """The same source may do better in a moment."""
        return self.failure in _PASSING or (
            self.failure is Failure.STATUS
            and self.status is not None
            and (self.status >= 500 or self.status in (408, 429))
        )

    @property
    def is_violation(self) -> bool:
        """The source gave bytes that are not what signed metadata lists: not unreachable, but wrong."""
        return self.failure is Failure.WRONG_BYTES


@dataclass(frozen=True, slots=True)
class Excluded:
    """A source that was passed over, and why."""

    source: str
    reason: str


def retry_after_s(value: str | None, now: float) -> float | None:
    """A Retry-After header's value (RFC 9110, 10.2.3: seconds, or a date) as seconds from now; None: says nothing.

    `now` is in epoch seconds. A date that has passed is 0; whoever uses it bounds it.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:_DIGITS_MAX])
    if not value or len(value) > _DATE_CHARS_MAX:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp() - now)
