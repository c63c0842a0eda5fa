"""A suite's own rhythm, learned from the Dates of its Releases, and when its silence is suspicious (threat 10).

A source that shows an old state for ever shows nothing wrong: each Release is signed, none is older than the last.
What gives a freeze away is time. A suite that came every hour and then says nothing for two days, while the vendor's
other suites move on, is not at rest; and a Release whose Valid-Until comes near was meant to be replaced by now.

Pure but `newest_dates`, which reads them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tidegate.store.catalogue import Snapshot
from tidegate.store.marks import Marks
from tidegate.trust.verdict import printable, utc

GAPS_MIN = 5
"""Fewer gaps than this are no rhythm."""
SILENCE_FACTOR = 4
"""Times the longest usual gap: silence beyond that is beyond the rhythm."""
SILENCE_MIN_S = 86_400
EXPIRY_SHARE = 0.25
"""Of a Release's life: when only so much of it is left, it should have been replaced."""
NAMED_MAX = 3
_QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How far apart a suite's Releases have come; seconds."""

    gaps: int
    usual_s: int
    """The median."""
    longest_usual_s: int
    """The 95th percentile."""

    @property
    def suspicious_s(self) -> int:
        """Silence of more than this does not fit the rhythm."""
        return max(SILENCE_FACTOR * self.longest_usual_s, SILENCE_MIN_S)


@dataclass(frozen=True, slots=True)
class Suite:
    """What is known of a suite's times; epoch seconds."""

    date: int
    """Of the Release that is served."""
    valid_until: int | None
    dates: tuple[int, ...]
    """Of the Releases accepted so far."""
    mark: int
    """The newest Date ever accepted: beyond `date` where its set could not be had whole."""
    others: Mapping[str, int]
    """The newest Date of each other suite of the vendor."""


def rhythm_of(dates: Iterable[int]) -> Rhythm | None:
    """The rhythm of these Dates, None while there are too few of them."""
    ordered = sorted(set(dates))
    gaps = sorted(later - earlier for earlier, later in pairwise(ordered))
    if len(gaps) < GAPS_MIN:
        return None
    longest = gaps[min(len(gaps) - 1, int(len(gaps) * _QUANTILE))]
    return Rhythm(len(gaps), gaps[len(gaps) // 2], longest)


def newest_dates(marks: Marks) -> dict[tuple[str, str], int]:
    """The newest Date ever accepted, by archive and suite."""
    return {(archive, suite): mark.date for archive, suite, mark in marks.all()}


def freeze_of(served: Snapshot, newest: Mapping[tuple[str, str], int], dates: tuple[int, ...], now: int) -> str | None:
    """`possible_freeze` of what is served, by the Dates accepted so far: of all suites the newest, of its own all."""
    others = {
        suite: date for (archive, suite), date in newest.items() if archive == served.archive and suite != served.suite
    }
    mark = newest.get((served.archive, served.suite), served.date)
    return possible_freeze(Suite(served.date, served.valid_until, dates, mark, others), now)


def possible_freeze(suite: Suite, now: int) -> str | None:
    """The signs that an old state is kept up to us, in a sentence; None where there are none."""
    signs = [sign for sign in (_silence(suite, now), _expiry(suite, now)) if sign is not None]
    return "; ".join(signs) or None


def _silence(suite: Suite, now: int) -> str | None:
    rhythm, silent_s = rhythm_of(suite.dates), now - suite.date
    if rhythm is None or silent_s <= rhythm.suspicious_s:
        return None
    alive = _signs_of_life(suite, suite.date + rhythm.suspicious_s)
    if not alive:
        return None
    return (
        f"no Release since {utc(suite.date)} ({_span(silent_s)}), though they came every {_span(rhythm.usual_s)}"
        f" and hardly ever more than {_span(rhythm.longest_usual_s)} apart; meanwhile {alive}"
    )


def _signs_of_life(suite: Suite, since: int) -> str:
    """Who moved on after this suite was overdue."""
    newer = sorted(((date, name) for name, date in suite.others.items() if date > since), reverse=True)
    signs = [f"{printable(name)} moved on ({utc(date)})" for date, name in newer[:NAMED_MAX]]
    if suite.mark > suite.date:
        signs.append(f"a newer Release was seen ({utc(suite.mark)}) whose set could not be had whole")
    return ", ".join(signs)


def _expiry(suite: Suite, now: int) -> str | None:
    if suite.valid_until is None:
        return None
    left_s, life_s = suite.valid_until - now, suite.valid_until - suite.date
    if left_s > life_s * EXPIRY_SHARE:
        return None
    when = f"in {_span(left_s)}" if left_s > 0 else f"{_span(-left_s)} ago"
    return f"its Valid-Until ends {when} ({utc(suite.valid_until)}), and nobody shows a newer Release"


def _span(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
