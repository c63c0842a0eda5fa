"""The journal: append-only events, the record that everything told afterwards stands on.

An event is a fact at a time. Both clocks are kept: wall time orders it among the world's events, the monotonic
clock (with the boot it belongs to) tells durations that a stepped wall clock cannot bend. Each event is chained to the
one before it (`journal_chain`), so that a gap or an edit shows. What each kind of event says: `journal_kinds`.
"""

import json
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tidegate.store.journal_chain import Checked, Link, Row, data_text, hashed

if TYPE_CHECKING:
    from tidegate.store.noted import Line

Value = str | int | float | bool | None
TEXT_MAX = 2_000
FIELDS_MAX = 128
RETIRED_AT_ONCE = 10_000
"""Events removed in one transaction, while which other processes wait to append."""


class Moment(NamedTuple):
    """A point in time on both clocks, and the boot that the monotonic one belongs to."""

    at_us: int
    monotonic_us: int
    boot: str


@dataclass(frozen=True, slots=True)
class Happening:
    """What is to be written down: a kind (`adopted`, `refused`, `source-state`…), its subject, and the evidence."""

    kind: str
    subject: str
    data: Mapping[str, Value]
    drill: str = ""
    """The drill that it belongs to; empty for what really happens."""
    moment: Moment | None = None
    """When it happened; None: when it is written down."""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the journal. `seq` has no gaps; `at` is epoch seconds; `monotonic_s` counts since `boot` began."""

    seq: int
    at: float
    monotonic_s: float
    boot: str
    kind: str
    subject: str
    data: Mapping[str, Value]
    drill: str = ""


@cache
def boot_id() -> str:
    """Which boot of this machine the monotonic clock belongs to (random(4))."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def moment_now() -> Moment:
    """This one."""
    return Moment(int(time.time() * 1e6), int(time.monotonic() * 1e6), boot_id())


def plain(one: Happening) -> Happening:
    """A happening made safe to keep: bounded, and control bytes shown as escapes (threat 42)."""
    data = {_shown(key): _kept(value) for key, value in islice(one.data.items(), FIELDS_MAX)}
    return Happening(_shown(one.kind), _shown(one.subject), data, _shown(one.drill), one.moment)


def _kept(value: Value) -> Value:
    if isinstance(value, str):
        return _shown(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _shown(text: str) -> str:
    text = text[:TEXT_MAX]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[:TEXT_MAX]


def chained(place: Link, happenings: Iterable[Happening]) -> Iterator[Row]:
    """The happenings as rows that go on from a place in the chain."""
    for one in map(plain, happenings):
        moment = one.moment or moment_now()
        row = Row(place.seq + 1, *moment, one.drill, one.kind, one.subject, data_text(one.data), b"")
        row = row._replace(hash=hashed(place.hash, row))
        place = Link(row.seq, row.hash)
        yield row


def event_of(row: Row) -> Event:
    """A row as it is read. Data that somebody spoiled are no reason to stop: they are shown as they are."""
    try:
        data = json.loads(row.data)
    except ValueError:
        data = {"unreadable": row.data[:TEXT_MAX]}
    at, monotonic_s = row.at_us / 1_000_000, row.monotonic_us / 1_000_000
    return Event(row.seq, at, monotonic_s, row.boot, row.kind, row.subject, data, row.drill)


class Journal(Protocol):
    """Every implementation passes tests/store/journal_contract.py."""

    @property
    def noted(self) -> Path | None:
        """The directory where what is not in it yet may be noted (`noted`); None: there is none."""
        ...

    def append(self, happenings: Sequence[Happening], *, line: "Line | None" = None) -> tuple[int, ...]:
        """Write events down, in order, durably, all or none; their numbers. Raises OSError where that is impossible.

        `line`: the last of the lines in which a pen noted them, kept with them.
        """
        ...

    def forget(self, pen: str) -> None:
        """Its lines are no more. Raises OSError."""
        ...

    def read(self, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """Events with a higher `seq`, oldest first."""
        ...

    def last(self, limit: int, *, kinds: Collection[str] = ()) -> tuple[Event, ...]:
        """The newest events (of these kinds, where any are given), oldest of them first."""
        ...

    def rows(self, *, after: int = 0, limit: int = 1000) -> tuple[Row, ...]:
        """The same as `read`, as they are kept."""
        ...

    def anchor(self) -> Link:
        """Where the chain begins: the last event that was removed."""
        ...

    def check(self, noted: Link | None = None) -> Checked:
        """Whether the chain is whole (`journal_chain.check`)."""
        ...

    def retire(self, before: int, carried: Sequence[Happening] = ()) -> int:
        """Remove events below this number, the oldest first, RETIRED_AT_ONCE at most; returns how many went.

        What they come to, day by day, and `carried` are written behind in the same transaction; the newest event
        stays. Raises OSError.
        """
        ...
