"""The journal's chain: each event's hash covers the event and the hash before it, so that a gap or an edit shows. Pure.

The bytes that are hashed (SHA-256) are ten lines of UTF-8, each ended by one newline; docs/journal.md has them too,
and a test verifies a journal by that page alone:

    journal event 1
    the hash before it: 64 hexadecimal digits, for the first event zeros
    seq, at_us, monotonic_us: three lines of decimal digits
    boot
    drill (empty outside of one)
    kind
    subject
    data: JSON in ASCII, keys sorted, no blanks

No field holds a newline, so no two events have the same bytes. When old events are removed, the hash of the last of
them stays as the *anchor* that the first one that is left goes on from.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

VERSION = "journal event 1"
HASH_BYTES = 32
TROUBLES_MAX = 100
"""Named in one verdict; all are counted."""


class Row(NamedTuple):
    """An event as it is kept: what is hashed, and the hash."""

    seq: int
    at_us: int
    monotonic_us: int
    boot: str
    drill: str
    kind: str
    subject: str
    data: str
    hash: bytes


class Linked(NamedTuple):
    """A row and the hash before it."""

    before: bytes
    row: Row


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


GENESIS = Link(0, bytes(HASH_BYTES))


def link_of(text: str) -> Link:
    """`SEQ:HASH` as `str` writes it. Raises ValueError."""
    seq, _, digits = text.partition(":")
    link = Link(int(seq), bytes.fromhex(digits))
    if len(link.hash) != HASH_BYTES:
        raise ValueError(f"{digits!r} is not 64 hexadecimal digits")
    return link


def data_text(data: Mapping[str, object]) -> str:
    """An event's data as they are kept and hashed."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hashed(before: bytes, row: Row) -> bytes:
    """The hash that a row should have, behind this one."""
    lines = (VERSION, before.hex(), row.seq, row.at_us, row.monotonic_us, row.boot, row.drill, row.kind, row.subject)
    text = "".join(f"{line}\n" for line in (*lines, row.data))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong at one event."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at the whole chain came to. `anchor` is where it begins, `head` its last event."""

    anchor: Link
    head: Link
    events: int
    troubles: tuple[Trouble, ...]
    troubles_in_all: int

    @property
    def is_whole(self) -> bool:
        """No event is missing, none was changed."""
        return not self.troubles_in_all


def check(anchor: Link, rows: Iterable[Row], *, last_seq: int | None = None, noted: Link | None = None) -> Checked:
    """Follow the chain from its anchor to its end.

    `last_seq`: the highest number ever given, if that is known apart from the rows. `noted`: a place that somebody
    wrote down before; it must still be there, unless it was removed with what was before the anchor.
    """
    found: list[Trouble] = []
    place, events = anchor, 0
    for row in rows:
        events += 1
        found += _troubles(place, row)
        if noted is not None and row.seq == noted.seq and row.hash != noted.hash:
            found.append(Trouble(row.seq, "is not the event that was there when this place was noted"))
        place = Link(row.seq, row.hash) if _is_typed(row) else Link(place.seq + 1, b"")
    if last_seq is not None and last_seq > place.seq:
        found.append(Trouble(place.seq + 1, _missing(place.seq + 1, last_seq)))
    if noted is not None and noted.seq > place.seq:
        found.append(Trouble(noted.seq, "was there when this place was noted, and is missing"))
    if noted is not None and noted.seq == anchor.seq and noted.hash != anchor.hash:
        found.append(Trouble(noted.seq, "is not the event that was there when this place was noted"))
    return Checked(anchor, place, events, tuple(found[:TROUBLES_MAX]), len(found))


def _troubles(place: Link, row: Row) -> list[Trouble]:
    if not _is_typed(row):
        return [Trouble(place.seq + 1, "was changed: a field is of another type")]
    if row.seq <= place.seq:
        return [Trouble(row.seq, "stands behind a later one")]
    gap = [Trouble(place.seq + 1, _missing(place.seq + 1, row.seq - 1))] if row.seq > place.seq + 1 else []
    if hashed(place.hash, row) == row.hash:
        return gap
    what = "does not follow from the one before it" if gap else "was changed, or the hash before it was"
    return [*gap, Trouble(row.seq, what)]


def _is_typed(row: Row) -> bool:
    """SQLite keeps values of any type in any column, so a row may not be what it is declared to be."""
    kinds = (int, int, int, str, str, str, str, str, bytes)
    return all(type(value) is kind for value, kind in zip(row, kinds, strict=True))


def _missing(first: int, last: int) -> str:
    return "is missing" if first == last else f"and up to {last} are missing"
