"""`tidegate journal`: read it, verify its chain, export it."""

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import not_there
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import JsonOption, json_wanted, say, say_json

if TYPE_CHECKING:
    from tidegate.store.journal_chain import Checked, Link, Linked
    from tidegate.store.sqlite_journal import SqliteJournal
    from tidegate.web.journal_report import EventReport

app = typer.Typer(no_args_is_help=True, help="Read the journal, verify that it is whole, export it.")

LOOK_EVERY_S = 0.5
_SPAN = re.compile(r"(\d+)(s|min|h|d)\Z")
_UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
_DATES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S")

SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Events from then on: 2h, 3d, 2026-11-01, or an event's number."),
]
KindOption = Annotated[list[str] | None, typer.Option("--kind", metavar="KIND", help="Only events of this kind.")]


@app.command()
def show(
    context: typer.Context,
    since: SinceOption = None,
    kind: KindOption = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", help="Only the newest N; 20 where no WHEN is given.", min=1)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is written from now on.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show events, oldest first: number, time, kind, subject, and what the event says."""
    from collections import deque

    from tidegate.web.journal_report import JournalReport, event_report

    is_json = json_wanted(context, as_json)
    with opened(config, state) as journal:
        head = max((event.seq for event in journal.last(1)), default=0)
        wanted = _chosen(journal, since, kind)
        newest = last or (None if since else 20)
        shown = list(wanted if newest is None else deque(wanted, newest))
        if is_json and not follow:
            events = tuple(map(event_report, shown))
            say_json(JournalReport(events=events, anchor=str(journal.anchor())))
            return
        rows: Iterable[Linked] = shown
        if follow:
            rows = chain(shown, _followed(journal, shown[-1].row.seq if shown else head, kind))
        _print(rows, is_json=is_json)


@app.command()
def export(
    since: SinceOption = None,
    kind: KindOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Write events as JSON lines, each with its place in the chain; how to verify them: docs/journal.md."""
    with opened(config, state) as journal:
        _print(_chosen(journal, since, kind), is_json=True)


@app.command()
def verify(
    context: typer.Context,
    noted: Annotated[
        str | None,
        typer.Option("--noted", metavar="SEQ:HASH", help="A head that was noted before: it must still be there."),
    ] = None,
    exported: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Verify an export instead: all lines from a number on."),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the chain of hashes through every event: a gap or an edit shows.

    Whoever can write to the journal can also write it anew, chain and all. So note the head that this prints on another
    machine, now and then, and give it with --noted: then nothing before it can have been changed. Exits 1 when the
    journal is not whole.
    """
    from tidegate.web.journal_report import chain_report

    place = None if noted is None else _place(noted)
    if exported is not None:
        checked = _check_export(exported, place)
    else:
        with opened(config, state) as journal:
            checked = journal.check(place)
    report = chain_report(checked)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        word = "The journal is whole" if report.whole else "The journal is NOT whole"
        say(f"{word}: {report.events:,} events, from {report.first} to {checked.head.seq}.")
        for trouble in report.troubles:
            say(f"event {trouble.seq}: {trouble.what}")
        if report.troubles_in_all > len(report.troubles):
            say(f"and {report.troubles_in_all - len(report.troubles):,} more")
        if report.whole:
            say(f"head: {report.head}")
    raise typer.Exit(ExitCode.OK if report.whole else ExitCode.NO)


@contextmanager
def opened(config: Path | None, state: Path | None) -> "Iterator[SqliteJournal]":
    """The journal that these options mean. Raises Failure."""
    import sqlite3

    from tidegate.wiring.journal import journal_of

    try:
        with journal_of(settings_for(config, overrides(state=state)), os.environ) as journal:
            yield journal
    except FileNotFoundError as error:
        raise not_there(error) from None
    except sqlite3.Error as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"the journal cannot be read: {error}")) from None


def _check_export(path: Path, noted: "Link | None") -> "Checked":
    from tidegate.store.journal_chain import check
    from tidegate.web.journal_report import exported_rows

    try:
        with path.open("rb") as file:
            anchor, rows = exported_rows(file)
            return check(anchor, rows, noted=noted)
    except ValueError as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"this is no export of a journal: {error}", str(path))) from None


def _place(text: str) -> "Link":
    from tidegate.store.journal_chain import link_of

    try:
        return link_of(text)
    except ValueError:
        todo = "Give it as `tidegate journal verify` printed it, as SEQ:HASH."
        raise Failure(ExitCode.USAGE, Complaint(f"{text!r} is no head of a journal", todo=todo)) from None


def _chosen(journal: "SqliteJournal", since: str | None, kinds: list[str] | None) -> "Iterator[Linked]":
    """The rows that the options want, oldest first."""
    from tidegate.store.journal_kinds import KINDS
    from tidegate.wiring.journal import rows_after

    unknown = [kind for kind in kinds or () if kind not in KINDS]
    if unknown:
        raise Failure(
            ExitCode.USAGE, Complaint(f"there is no kind {unknown[0]}", todo="Kinds are: " + ", ".join(KINDS))
        )
    seq, at_us = _since(since)
    rows = rows_after(journal, seq)
    return (one for one in rows if one.row.at_us >= at_us and (not kinds or one.row.kind in kinds))


def _followed(journal: "SqliteJournal", seq: int, kinds: list[str] | None) -> "Iterator[Linked]":
    from tidegate.wiring.journal import rows_after

    while True:
        for one in rows_after(journal, seq):
            seq = one.row.seq
            if not kinds or one.row.kind in kinds:
                yield one
        time.sleep(LOOK_EVERY_S)


def _since(text: str | None) -> tuple[int, int]:
    """The number before the first event that is wanted, and its earliest time in microseconds."""
    if text is None:
        return 0, 0
    if text.isdecimal():
        return int(text) - 1, 0
    if span := _SPAN.match(text):
        return 0, int((time.time() - int(span[1]) * _UNITS[span[2]]) * 1e6)
    for form in _DATES:
        try:
            return 0, int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp() * 1e6)
        except ValueError:
            continue
    todo = "Write 30s, 20min, 2h, 3d, 2026-11-01, 2026-11-01T12:00:00 (UTC), or an event's number."
    raise Failure(ExitCode.USAGE, Complaint(f"{text!r} is no moment", todo=todo))


def _print(rows: "Iterable[Linked]", *, is_json: bool) -> None:
    """Line by line; whoever reads may have had enough before the end."""
    import msgspec

    from tidegate.web.journal_report import event_report

    try:
        for one in map(event_report, rows):
            say(msgspec.json.encode(one).decode() if is_json else line_of(one))
            sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        sys.stderr.close()


def line_of(one: "EventReport") -> str:
    """An event for people."""
    drill = f" [drill {one.drill}]" if one.drill else ""
    told = " ".join(f"{key}={_value(value)}" for key, value in one.data.items())
    return f"{one.seq} {one.at[:19]}Z{drill} {one.kind} {one.subject} {told}".rstrip()


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"' if " " in value or not value else value
    return {True: "yes", False: "no", None: "-"}[value] if isinstance(value, bool | None) else str(value)
