"""Events of the journal as they are told: lines of an export, answers of commands."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tidegate.store.journal_chain import GENESIS, Checked, Link, Linked, Row, data_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Value = str | int | float | bool | None


class EventReport(Struct, frozen=True, kw_only=True):
    """A line of `tidegate journal export`: an event, and its place in the chain (docs/journal.md)."""

    seq: int
    at: Annotated[str, Meta(description="UTC, microseconds")]
    at_us: Annotated[int, Meta(description="the same, microseconds since 1970")]
    monotonic_us: Annotated[int, Meta(description="microseconds since the boot began")]
    boot: str
    drill: Annotated[str, Meta(description="the drill that it belongs to; empty for what really happened")]
    kind: str
    subject: str
    data: Mapping[str, Value]
    before: Annotated[str, Meta(description="the hash before it, hexadecimal")]
    hash: Annotated[str, Meta(description="SHA-256 of this event and the hash before it")]


class JournalReport(Struct, frozen=True, kw_only=True):
    """`tidegate journal show --json`."""

    events: tuple[EventReport, ...]
    anchor: Annotated[str, Meta(description="SEQ:HASH of the last event that was removed, where the chain begins")]


class TroubleReport(Struct, frozen=True, kw_only=True):
    """Something that is wrong with the chain."""

    seq: int
    what: str


class ChainReport(Struct, frozen=True, kw_only=True):
    """`tidegate journal verify --json`."""

    whole: Annotated[bool, Meta(description="no event is missing, none was changed")]
    events: int
    first: Annotated[int, Meta(description="the oldest event's number; 0: there is none")]
    anchor: Annotated[str, Meta(description="SEQ:HASH where the chain begins")]
    head: Annotated[str, Meta(description="SEQ:HASH of the newest event: note it elsewhere, and give it with --noted")]
    troubles: Annotated[tuple[TroubleReport, ...], Meta(description="the first hundred")]
    troubles_in_all: int


def event_report(linked: Linked) -> EventReport:
    """A row, told."""
    row = linked.row
    return EventReport(
        seq=row.seq,
        at=moment(row.at_us),
        at_us=row.at_us,
        monotonic_us=row.monotonic_us,
        boot=row.boot,
        drill=row.drill,
        kind=row.kind,
        subject=row.subject,
        data=_data(row.data),
        before=linked.before.hex(),
        hash=row.hash.hex(),
    )


def chain_report(checked: Checked) -> ChainReport:
    """What a look at the chain came to, told."""
    return ChainReport(
        whole=checked.is_whole,
        events=checked.events,
        first=checked.anchor.seq + 1 if checked.events else 0,
        anchor=str(checked.anchor),
        head=str(checked.head),
        troubles=tuple(TroubleReport(seq=one.seq, what=one.what) for one in checked.troubles),
        troubles_in_all=checked.troubles_in_all,
    )


def moment(at_us: int) -> str:
    """Microseconds since 1970 as RFC 3339 has them; a number that is no date stays a number."""
    try:
        return f"{_EPOCH + timedelta(microseconds=at_us):%Y-%m-%dT%H:%M:%S.%fZ}"
    except OverflowError:
        return str(at_us)


def _data(text: str) -> Mapping[str, Value]:
    try:
        return msgspec.json.decode(text, type=dict[str, Value])
    except msgspec.MsgspecError:
        return {"unreadable": text}


def exported_rows(lines: Iterable[bytes]) -> tuple[Link, Iterator[Row]]:
    """Where the chain of an export begins, and its rows. Raises ValueError, while rows are read, too."""
    rows = map(_row, lines)
    first = next(rows, None)
    if first is None:
        return GENESIS, iter(())
    return Link(first.row.seq - 1, first.before), (linked.row for linked in chain((first,), rows))


def _row(line: bytes) -> Linked:
    """An exported event, and the hash before it. Its data are written again as they are kept."""
    one = json.loads(line)
    try:
        told = msgspec.convert(one, EventReport)
        text = data_text(one["data"])
        row = Row(
            told.seq,
            told.at_us,
            told.monotonic_us,
            told.boot,
            told.drill,
            told.kind,
            told.subject,
            text,
            bytes.fromhex(told.hash),
        )
        return Linked(bytes.fromhex(told.before), row)
    except (msgspec.ValidationError, ValueError) as error:
        raise ValueError(f"a line is not an event: {error}") from None
