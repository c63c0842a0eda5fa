"""What real traffic taught us about each source. In memory; for ordering and for telling."""

from dataclasses import dataclass, field

from tidegate.sources.failure import FetchError

COOL_DOWN_S = 30.0
VIOLATION_S = 3600.0


@dataclass(slots=True)
class SourceHealth:
    """One source's record; times are monotonic seconds, `at` values epoch seconds."""

    fetched: int = 0
    fetched_bytes: int = 0
    failed: int = 0
    last_success_at: int | None = None
    last_failure_at: int | None = None
    last_failure: str | None = None
    cool_until: float = 0.0
    violating_until: float = 0.0


@dataclass(slots=True)
class Health:
    """All sources' records, by source name."""

    sources: dict[str, SourceHealth] = field(default_factory=dict)

    def of(self, source: str) -> SourceHealth:
        """The record of a source, empty at first."""
        return self.sources.setdefault(source, SourceHealth())

    def succeeded(self, source: str, size: int, at: int) -> None:
        """It gave what was asked."""
        record = self.of(source)
        record.fetched += 1
        record.fetched_bytes += size
        record.last_success_at = at
        record.cool_until = 0.0

    def failed(self, source: str, error: FetchError, *, at: int, monotonic: float) -> None:
        """It did not. An answer that it lacks something is no fault; wrong bytes keep it out for long."""
        record = self.of(source)
        record.failed += 1
        record.last_failure_at, record.last_failure = at, str(error)
        if error.is_violation:
            record.violating_until = monotonic + VIOLATION_S
        elif not error.is_absence:
            record.cool_until = monotonic + COOL_DOWN_S
