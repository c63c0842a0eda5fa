"""`Journal` in a list."""

import threading
from collections.abc import Collection, Sequence

from tidegate.store.journal import RETIRED_AT_ONCE, Event, Happening, chained, event_of
from tidegate.store.journal_chain import GENESIS, Checked, Link, Row, check
from tidegate.store.journal_summary import summaries
from tidegate.store.noted import Line


class MemoryJournal:
    """For tests, and for whoever keeps nothing."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._anchor = GENESIS
        self._lock = threading.Lock()

    def copy(self) -> "MemoryJournal":
        """Another one with the same events."""
        other = MemoryJournal()
        other._rows, other._anchor = list(self._rows), self._anchor
        return other

    @property
    def noted(self) -> None:
        """What is in memory needs no pages: it is gone with its writer."""

    def append(self, happenings: Sequence[Happening], *, line: Line | None = None) -> tuple[int, ...]:  # noqa: ARG002 (the port's)
        with self._lock:
            return self._append(happenings)

    def forget(self, pen: str) -> None:
        """No pen notes anything elsewhere for this one."""

    def _append(self, happenings: Sequence[Happening]) -> tuple[int, ...]:
        place = Link(self._rows[-1].seq, self._rows[-1].hash) if self._rows else self._anchor
        rows = list(chained(place, happenings))
        self._rows += rows
        return tuple(row.seq for row in rows)

    def read(self, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        return tuple(map(event_of, self.rows(after=after, limit=limit)))

    def last(self, limit: int, *, kinds: Collection[str] = ()) -> tuple[Event, ...]:
        rows = [row for row in self._rows if not kinds or row.kind in kinds]
        return tuple(map(event_of, rows[-limit:])) if limit else ()

    def rows(self, *, after: int = 0, limit: int = 1000) -> tuple[Row, ...]:
        first = max(0, after - self._anchor.seq)
        return tuple(self._rows[first : first + limit])

    def anchor(self) -> Link:
        return self._anchor

    def check(self, noted: Link | None = None) -> Checked:
        return check(self._anchor, self._rows, noted=noted)

    def retire(self, before: int, carried: Sequence[Happening] = ()) -> int:
        with self._lock:
            going = [row for row in self._rows[: RETIRED_AT_ONCE + 1] if row.seq < before][:RETIRED_AT_ONCE]
            if self._rows and going and going[-1].seq == self._rows[-1].seq:
                going.pop()
            if going:
                self._append([*summaries(going), *carried])
                self._anchor = Link(going[-1].seq, going[-1].hash)
                del self._rows[: len(going)]
            return len(going)
