"""Whether those who were asked keep up, and when to ask somebody else beside them. Pure: times come in.

    nothing yet      late when the source asked last has had its own patience (learned from its latencies)
    bytes flow       late when none came for `stall_hedge_s`, or fewer than `rate_min_bytes_s` over RATE_WINDOW_S

Being late is no verdict: whoever is late goes on, and only loses once another has brought the next byte.
"""

from dataclasses import dataclass

from tidegate.sources.settings import FetchSettings

LOOK_S = 0.2
SOONEST_S = 0.001
RATE_WINDOW_S = 1.0


@dataclass(slots=True)
class Pace:
    """One race's clock. Times are seconds of any one monotonic clock."""

    limits: FetchSettings
    asked_at: float = 0.0
    patience_s: float = 0.0
    fresh_at: float | None = None
    """When new bytes last came; None before the first."""
    window_at: float = 0.0
    window_bytes: int = 0

    def asked(self, now: float, patience_s: float) -> None:
        """A source was asked that may take so long before it is late."""
        self.asked_at, self.patience_s = now, patience_s
        self.window_at, self.window_bytes = now, 0

    def progressed(self, now: float, count: int) -> None:
        """So many new bytes came."""
        self.fresh_at = now
        self.window_bytes += count

    def stopped(self) -> None:
        """Nobody is sending any more: whoever is asked next has its own time to begin."""
        self.fresh_at = None

    def look_in_s(self, now: float) -> float:
        """How long until it may be late at the earliest."""
        if self.fresh_at is not None:
            return LOOK_S
        left = self.asked_at + self.patience_s - now
        return max(SOONEST_S, left) if left > 0 else LOOK_S  # late already, and nobody was there to help

    def late(self, now: float) -> str | None:
        """Why another source should be asked now, in a few words; None while all is well."""
        if self.fresh_at is None:
            waited = now - self.asked_at
            return f"no byte within {waited:.2f} s" if waited >= self.patience_s - SOONEST_S else None
        silent = now - max(self.fresh_at, self.asked_at)
        if silent >= self.limits.stall_hedge_s:
            return f"no byte for {silent:.2f} s"
        window = now - self.window_at
        if window < RATE_WINDOW_S:
            return None
        rate = self.window_bytes / window
        self.window_at, self.window_bytes = now, 0
        return f"{rate:,.0f} B/s" if rate < self.limits.rate_min_bytes_s else None
