"""Bounds that were declared before anything was measured, and whether they are kept. Pure."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from tests.soak.samples import ProcessSample, Sample, Told

MIB = 1 << 20
WARM_UP_S = 300.0
"""Caches fill, modules are imported, children run for the first time."""
SLOPE_MIB_MAX = 1.0
"""Memory in ten minutes, after that."""
GROWTH_MIB_MAX = 8.0
"""Memory in all, after that: the last minute beside the first, medians."""
DESCRIPTORS_MAX = 8
"""Beside those of held files that are kept at hand: `gateway.open_files_max` bounds these."""
THREADS_MAX = 2
EVENT_BYTES_MAX = 400
"""Of disk, beyond EMPTY_BYTES: docs/journal.md says about 250, a `served` 350; pages of SQLite are never full."""
EMPTY_BYTES = 28 << 10
"""A journal without an event."""
WAL_BYTES_MAX = 8 * MIB
NOTED_BYTES_MAX = MIB
EVENTS_PER_MINUTE_MAX = 60
"""Nothing that is staged here happens more often than every few seconds."""
EDGE_S = 60.0


class Bound(Struct, frozen=True):
    """A number that must not be more than another one."""

    what: str
    is_at: float
    at_most: float

    @property
    def is_kept(self) -> bool:
        """Whether it is not."""
        return self.is_at <= self.at_most


class Course(Struct, frozen=True):
    """How one number of one process went, after the warm-up."""

    process: str
    since_s: float
    first: float
    last: float
    slope_per_10_min: float


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of all slopes between two points (Theil and Sen): a few that are off move nothing."""
    slopes = [
        (points[j][1] - points[i][1]) / (points[j][0] - points[i][0])
        for i in range(len(points))
        for j in range(i + 1, len(points))
        if points[j][0] > points[i][0]
    ]
    return statistics.median(slopes) if slopes else 0.0


def warm_up_s(minutes: float) -> float:
    """Of a short run, which proves that it works and no more, a sixth."""
    return min(WARM_UP_S, minutes * 10)


def courses(told: Told, value: Callable[[ProcessSample], float | None]) -> Iterator[Course]:
    """Of each process that lives as long as the gateway."""
    begun = warm_up_s(told.minutes)
    edge = min(EDGE_S, begun)
    names = dict.fromkeys(one.name for sample in told.samples for one in sample.processes)
    for name in names:
        points = [
            (sample.at_s, known)
            for sample in told.samples
            for one in sample.processes
            if one.name == name and sample.at_s >= begun and (known := value(one)) is not None
        ]
        if points:
            first = statistics.median(y for x, y in points if x <= points[0][0] + edge)
            last = statistics.median(y for x, y in points if x >= points[-1][0] - edge)
            yield Course(name, points[0][0], first, last, slope(points) * 600)


def bounds(told: Told) -> tuple[Bound, ...]:
    """All of them."""
    return (*_memory(told), *_descriptors(told), *_journal(told), *_answers(told), *_pages(told))


def _memory(told: Told) -> Iterator[Bound]:
    for one in courses(told, lambda process: process.rss_bytes / MIB):
        yield Bound(f"{one.process}: RSS, MiB in ten minutes", round(one.slope_per_10_min, 2), SLOPE_MIB_MAX)
        yield Bound(f"{one.process}: RSS, MiB more at the end", round(one.last - one.first, 2), GROWTH_MIB_MAX)
    lives = [len({p.pid for s in told.samples for p in s.processes if p.name == name}) for name in _names(told.samples)]
    yield Bound("processes that another had to take the place of", sum(lives) - len(lives), 0)


def _descriptors(told: Told) -> Iterator[Bound]:
    for one in courses(told, lambda process: process.others):
        yield Bound(
            f"{one.process}: descriptors more at the end, but for held files", one.last - one.first, DESCRIPTORS_MAX
        )
    for one in courses(told, lambda process: process.threads):
        yield Bound(f"{one.process}: threads more at the end", one.last - one.first, THREADS_MAX)


def _journal(told: Told) -> Iterator[Bound]:
    events = sum(told.kinds.values())
    yield Bound("journal: bytes of disk for an event", bytes_an_event(told), EVENT_BYTES_MAX)
    yield Bound("journal: `served` events", told.kinds.get("served", 0), told.minutes + 2)
    yield Bound("journal: events a minute", round(events / told.minutes, 1), EVENTS_PER_MINUTE_MAX)
    yield Bound("journal: bytes of its write-ahead log", max(s.wal_bytes for s in told.samples), WAL_BYTES_MAX)
    yield Bound("journal: bytes noted and not in it", max(s.noted_bytes for s in told.samples), NOTED_BYTES_MAX)
    yield Bound("journal: troubles, and errors in the log", len(told.troubles), 0)


def _answers(told: Told) -> Iterator[Bound]:
    yield Bound("answers that were errors", sum(one.error_count for one in told.load), 0)
    yield Bound("answers with wrong bytes", sum(one.wrong_bytes for one in told.load), 0)
    yield Bound("runs of apt that failed", len(told.apt_failed), 0)
    yield Bound("reports of hosts that were not taken in", told.reports_failed, 0)


def _pages(told: Told) -> Iterator[Bound]:
    yield Bound("times that the dashboard's stream broke off", told.stream_breaks, 0)
    yield Bound("events that it did not tell", told.decisions - told.stream_decisions, 0)


def bytes_an_event(told: Told) -> int:
    """Of disk."""
    return round((told.event_bytes - EMPTY_BYTES) / max(1, sum(told.kinds.values())))


def _names(samples: Iterable[Sample]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.name for sample in samples for one in sample.processes))
