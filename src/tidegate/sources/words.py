"""Spans and moments as people say them."""

from datetime import UTC, datetime


def span(seconds: float) -> str:
    """A span of time as people say it, in its largest unit."""
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(1, round(seconds))} s"


def clock(moment: float, now: float) -> str:
    """A moment as people write it; with its date where it is not about now."""
    shape = "%H:%M UTC" if abs(now - moment) < 43_200 else "%Y-%m-%d %H:%M UTC"
    return datetime.fromtimestamp(moment, UTC).strftime(shape)
