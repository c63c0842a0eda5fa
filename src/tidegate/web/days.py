"""The last ninety days of something, a day at a time: was it well, and do we know? Pure.

Days are those of UTC. A day on which no gateway ran is not known, and neither is one whose events are gone from the
journal and whose summary says that there was trouble: with what, it does not say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from time import gmtime, strftime

from tidegate.store.journal import Event

DAYS = 90
DAY_S = 86_400


class Level(IntEnum):
    """How something is, the best first."""

    WORKS = 0
    RISK = 1
    UNKNOWN = 2
    PARTLY = 3
    FAILS = 4

    @property
    def words(self) -> str:
        return ("works", "works, at risk", "not known", "works in part", "fails")[self]

    @property
    def tone(self) -> str:
        """Of the stylesheet."""
        return ("fixed", "unknown", "clear", "open", "open")[self]


def level_of(severity: int) -> Level:
    """What a severity means for whoever only wants updates."""
    return {1: Level.FAILS, 2: Level.PARTLY}.get(severity, Level.RISK)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when something was not well."""

    since: float
    until: float
    level: Level


@dataclass(frozen=True, slots=True)
class Day:
    """A day (`2026-04-30`), its worst, and for how long that or anything as bad lasted."""

    date: str
    level: Level
    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of the past: when a gateway ran, and days that only a summary is left of (False: with trouble)."""

    runs: tuple[tuple[float, float], ...]
    summed: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Days:
    """The last ninety, the oldest first."""

    all: tuple[Day, ...]

    @property
    def sentence(self) -> str:
        """The same in words, for whoever does not see the bars."""
        count = {level: sum(day.level is level for day in self.all) for level in Level}
        bad = count[Level.PARTLY] + count[Level.FAILS]
        parts = [f"{count[Level.WORKS]} {'day' if count[Level.WORKS] == 1 else 'days'} without trouble"]
        parts += [f"{count[Level.RISK]} at risk"] if count[Level.RISK] else []
        parts += [f"{bad} with trouble that could be felt"] if bad else []
        parts += [f"{count[Level.UNKNOWN]} not known"] if count[Level.UNKNOWN] else []
        return ", ".join(parts)


def date_of(at: float) -> str:
    """Its day."""
    return strftime("%Y-%m-%d", gmtime(at))


def days(stretches: Sequence[Stretch], record: Record, now: float) -> Days:
    """Of something that was not well in these stretches."""
    today = int(now) // DAY_S * DAY_S
    return Days(tuple(_day(today - back * DAY_S, stretches, record, now) for back in reversed(range(DAYS))))


def _day(begun: float, stretches: Sequence[Stretch], record: Record, now: float) -> Day:
    ended, date = min(begun + DAY_S, now), date_of(begun)
    there = [one for one in stretches if one.since < ended and one.until >= begun]
    worst = max((one.level for one in there), default=Level.WORKS)
    if there:
        spans = [(max(begun, one.since), min(ended, one.until)) for one in there if one.level == worst]
        return Day(date, worst, _covered(spans))
    if any(since < ended and until >= begun for since, until in record.runs):
        return Day(date, Level.WORKS, 0)
    return Day(date, Level.WORKS if record.summed.get(date) else Level.UNKNOWN, 0)


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that they cover together."""
    covered, reached = 0.0, 0.0
    for since, until in sorted(spans):
        covered += max(0.0, until - max(since, reached))
        reached = max(reached, until)
    return covered


_TROUBLE = (
    *("alone-begun", "suite-expired", "split-view", "last-operator-begun", "freshness-lost", "possible-freeze"),
    *("violation", "feed-stale"),
)


def record(turns: Sequence[Event], ends: Mapping[int, float], summaries: Iterable[Event], until: float) -> Record:
    """`turns`: the first event there is, every `started` and `stopped`, and the last one. `ends`: of the `started`
    that followed a crash the moment of the event before. `until`: when it was last known to run."""
    runs: list[tuple[float, float]] = []
    begun: float | None = None
    for event in turns:
        if event.kind == "started":
            if begun is not None:
                runs.append((begun, ends.get(event.seq, event.at)))
            begun = event.at
        elif event.kind == "stopped":
            runs.append((event.at if begun is None else begun, event.at))
            begun = None
        elif begun is None:
            begun = event.at
    if begun is not None:
        runs.append((begun, max(begun, until)))
    summed: dict[str, bool] = {}
    for event in summaries:
        well = not any(event.data.get(f"n.{kind}") for kind in _TROUBLE)
        summed[event.subject] = summed.get(event.subject, True) and well
    return Record(tuple(runs), summed)
