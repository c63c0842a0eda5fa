"""`tidegate export --to DIR`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import octets
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.holding.carrying import Choice
    from tidegate.web.export_report import ExportReport
    from tidegate.wiring.export import Progress

LINE_EVERY_S = 5.0
NAMED_MAX = 20
"""Of each kind of trouble, for people; JSON has all of them."""
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]
_COLUMNS = (
    Column("archive"),
    Column("suite"),
    Column("components"),
    Column("for"),
    Column("release of"),
    Column("valid until"),
    Column("metadata", is_figure=True),
    Column("packages", is_figure=True),
)


def export(
    context: typer.Context,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="DIR", help="Folder to fill; made where it is missing.", file_okay=False),
    ],
    archive: Annotated[list[str] | None, typer.Option("--archive", metavar="NAME", help="Only this archive.")] = None,
    suite: Annotated[list[str] | None, typer.Option("--suite", metavar="NAME", help="Only this suite.")] = None,
    package: Annotated[
        list[str] | None,
        typer.Option("--package", metavar="PATTERN", help="Only packages of this name or pattern."),
    ] = None,
    hot_set: Annotated[bool, typer.Option("--hot-set", help="Only packages of the hot set.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            metavar="DATE",
            help="Only packages that are held since then (UTC): 2026-11-01 or 2026-11-01T12:00:00.",
            formats=_DATES,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all that is there already, and put right what is damaged.")
    ] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy what is held to a folder, for a gateway without a network.

    Signed metadata of the chosen suites is copied whole and as it is, packages as far as they are held. The folder is a
    plain repository for each archive: a source of the kind `media` reads it, and so does apt. Begun again, it copies
    what is missing. A gateway may serve from the same state meanwhile. Exits with 1 when something chosen is not held,
    or is damaged; it is named.
    """
    import os
    import sqlite3
    import time

    from tidegate.wiring.export import NothingServedError
    from tidegate.wiring.export import export as fill
    from tidegate.wiring.export_folder import FolderBusyError

    gathered = settings_for(config, overrides(state=state))
    choice = _choice(archive, suite, package, hot_set=hot_set, since=since)
    try:
        with _progress() as tell:
            report = fill(gathered, os.environ, to, choice, tell, now=int(time.time()), verify=verify)
    except NothingServedError as error:
        todo = "Run `tidegate serve` until `tidegate status` says that it is ready."
        raise Failure(ExitCode.NO, Complaint(str(error), "", todo)) from None
    except FolderBusyError as error:
        raise Failure(ExitCode.TEMPORARY, Complaint(str(error))) from None
    except sqlite3.Error as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"the store cannot be opened: {error}")) from None
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _tell(report)
    if complaints := tuple(_complaints(report)):
        raise Failure(ExitCode.NO, *complaints)


def _choice(
    archives: list[str] | None,
    suites: list[str] | None,
    packages: list[str] | None,
    *,
    hot_set: bool,
    since: datetime | None,
) -> "Choice":
    from tidegate.holding.carrying import Choice

    return Choice(
        archives=tuple(archives or ()),
        suites=tuple(suites or ()),
        packages=tuple(packages or ()),
        hot_set=hot_set,
        since=None if since is None else int(since.replace(tzinfo=UTC).timestamp()),
    )


def _tell(report: "ExportReport") -> None:
    rows = [
        [
            one.archive,
            one.suite,
            " ".join(one.components),
            " ".join(one.architectures),
            _day(one.date),
            "" if one.valid_until is None else _day(one.valid_until),
            f"{one.metadata:,}",
            f"{one.packages:,}",
        ]
        for one in report.suites
    ]
    table(_COLUMNS, rows)
    say(f"{report.files:,} files ({octets(report.bytes)}) make up this export in {report.folder}")
    copied = f"{report.copied:,} were copied now ({octets(report.copied_bytes)})"
    say(f"{copied}, {report.linked:,} linked, {report.present:,} were there already")


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _complaints(report: "ExportReport") -> Iterator[Complaint]:
    yield from (Complaint(sentence) for sentence in report.unknown)
    for one in report.suites:
        if not one.whole:
            what = "an index is missing or damaged, so its Release was left out"
            yield Complaint(what, f"{one.archive} {one.suite}", "`tidegate refresh` fetches it; then export again.")
    again = "Export again: the gateway fetches what its scrub finds damaged."
    yield from _named(report.damaged, "the store's own copy is damaged; not copied", again)
    yield from _named(report.gone, "was removed from the store meanwhile", "Export again.")
    todo = "Fetch it through the gateway (`tidegate hold` says what is fetched by itself), then export again."
    yield from _named(report.lacking, "was chosen and is not held", todo)


def _named(places: tuple[str, ...], what: str, todo: str) -> Iterator[Complaint]:
    for number, place in enumerate(places[:NAMED_MAX], start=1):
        yield Complaint(what, place, todo if number == min(len(places), NAMED_MAX) else "")
    if len(places) > NAMED_MAX:
        yield Complaint(f"and {len(places) - NAMED_MAX:,} more; --json names them")


@contextmanager
def _progress() -> "Iterator[Callable[[Progress], None]]":
    """A bar on a terminal, a line of JSON now and then otherwise; on standard error, beside the answer."""
    import sys

    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Looking", total=None)

        def tell(at: "Progress") -> None:
            if at.stage == "looking":
                bar.update(task, description="Looking", completed=at.files, total=at.of)
            else:
                bar.update(task, description="Copying", completed=at.bytes, total=at.of_bytes)

        yield tell


def _lines() -> "Callable[[Progress], None]":
    import json
    import time

    next_at = 0.0

    def tell(at: "Progress") -> None:
        nonlocal next_at
        now = time.monotonic()
        if now < next_at and at.files < at.of:
            return
        next_at = now + LINE_EVERY_S
        facts = {"stage": at.stage, "files": at.files, "of": at.of, "bytes": at.bytes, "of_bytes": at.of_bytes}
        note(json.dumps({"event": "exporting", "level": "info", **facts}))

    return tell
