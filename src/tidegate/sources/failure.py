"""Why a fetch did not succeed, as data."""

from dataclasses import dataclass
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


_PASSING = frozenset({Failure.CUT, Failure.STALLED, Failure.SLOW})


@dataclass(slots=True, eq=False)
class FetchError(Exception):
    """A fetch failed: how, in a sentence, and the status where the source gave one."""

    failure: Failure
    evidence: str
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.failure}: {self.evidence}"

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
