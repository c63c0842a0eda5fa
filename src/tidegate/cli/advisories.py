"""`tidegate advisories`: which feeds on vulnerabilities are held, how old each is, and what they say."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tidegate.cli.advisory_text import advisory_lines
from tidegate.cli.asking import age, octets
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.web.advisories_report import (
        FeedReport,
        FeedsReport,
        RefreshedReport,
    )
    from tidegate.wiring.ask_advisories import AdvisoriesDoor, Line

app = typer.Typer(no_args_is_help=True, help="Keep the vendors' feeds on vulnerabilities, and say what they say.")

T = TypeVar("T")

_FEEDS = (
    Column("feed"),
    Column("state"),
    Column("current", is_figure=True),
    Column("published", is_figure=True),
    Column("records", is_figure=True),
    Column("unreadable", is_figure=True),
    Column("verified by"),
    Column("next"),
    Column("from"),
)


@app.command()
def refresh(
    context: typer.Context,
    feeds: Annotated[
        list[str] | None, typer.Argument(metavar="FEED", help="As in `status`; all that are kept otherwise.")
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Read it there: a file, a directory of records, or the `feeds` folder of another gateway's state.",
        ),
    ] = None,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Take in what looks torn or older: the feed really lost so much."),
    ] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at feeds now: fetch what changed, verify it, read it.

    The running gateway does it, or this command where none runs. Exits 1 when a feed could not be had: what was known
    of it stands.
    """
    from tidegate.web.advisories_report import AdvisoriesRefreshReport, RefreshRequest

    asked = RefreshRequest(
        feeds=tuple(feeds or ()), path="" if path is None else str(path.absolute()), accept_loss=accept_loss
    )
    as_json = json_wanted(context, as_json)
    with _progress() as told:
        try:
            done = _door(config, state).refresh(asked, told)
        except (KeyError, ValueError) as error:
            todo = "`tidegate advisories status` lists the feeds; docs/advisories.md says how to keep one."
            raise Failure(ExitCode.USAGE, Complaint(str(error.args[0]), todo=todo)) from None
    if as_json:
        say_json(AdvisoriesRefreshReport(feeds=done))
    else:
        for one in done:
            for line in _came_out(one):
                say(line)
        if not done:
            note("no feed is kept: set advisories.known_feeds, or name feeds in [[advisories.feed]]")
    raise typer.Exit(ExitCode.OK if done and all(one.ok for one in done) else ExitCode.NO)


@app.command()
def status(
    context: typer.Context,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the feeds: how old each is, from whom, verified by what, how much of it could be read.

    Exits 0 when every feed that is kept is current, 3 when one is too old to be believed or was never had, 1 when there
    is none that is current.
    """
    report = _answered(lambda: _door(config, state).status())
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _tell_feeds(report)
    raise typer.Exit(_verdict(report))


@app.command()
def show(
    context: typer.Context,
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="CVE-2026-31431, USN-8226-1, LSN-0108-1, DSA-5931-1, DLA-4000-1.")
    ],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="As it was known then: 2026-05-01, 2026-05-01T10:00 (UTC)."),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each feed says of a CVE or a notice, by release and package, since when, and how old that is.

    Exits 0 when something is known, 1 when no feed says anything, and 3 when what is known is too old to be believed:
    then nothing said is no all-clear.
    """
    moment = None if at is None else _moment(at)
    report = _answered(lambda: _door(config, state).show(identity.strip().upper(), moment))
    if json_wanted(context, as_json):
        say_json(report)
    else:
        for line in advisory_lines(report):
            say(line)
    if report.state != "current":
        raise typer.Exit(ExitCode.WARNING)
    raise typer.Exit(ExitCode.OK if report.found else ExitCode.NO)


def _door(config: Path | None, state: Path | None) -> "AdvisoriesDoor":
    from tidegate.wiring.ask_advisories import AdvisoriesDoor

    return AdvisoriesDoor(settings_for(config, overrides(state=state)), os.environ)


def _answered(ask: Callable[[], T]) -> T:
    """Raises Failure where nothing was ever kept."""
    try:
        return ask()
    except FileNotFoundError as error:
        todo = "Set advisories.known_feeds, or name feeds; then `tidegate advisories refresh`: docs/advisories.md."
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error.strerror), str(error.filename), todo)) from None


def _moment(text: str) -> int:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        todo = "Write 2026-05-01, or 2026-05-01T10:00 (UTC), or with a zone: 2026-05-01T12:00+02:00."
        raise Failure(ExitCode.USAGE, Complaint(f"{text!r} is no time", todo=todo)) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


# Progress


@contextmanager
def _progress() -> "Iterator[Callable[[Line], None]]":
    """A line that changes on a terminal, a line of JSON for each step otherwise; on standard error."""
    if not sys.stderr.isatty():
        yield _as_line
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    with console.status("Looking") as spinner:

        def tell(line: "Line") -> None:
            from rich.markup import escape

            from tidegate.web.advisories_report import StepReport

            if isinstance(line, StepReport):
                count = "" if line.records is None else f": {line.records:,} records"
                spinner.update(escape(f"{line.feed}: {line.text}{count}"))

        yield tell


def _as_line(line: "Line") -> None:
    from tidegate.web.advisories_report import StepReport

    if isinstance(line, StepReport):
        facts = {"feed": line.feed, "text": line.text, "records": line.records}
        note(json.dumps({"event": "refreshing", "level": "info", **facts}))


# What is told


def _came_out(one: "RefreshedReport") -> Iterator[str]:
    match one.outcome:
        case "taken-in":
            yield (
                f"{one.feed}: {one.records:,} records from {one.source}; {one.read:,} new or changed,"
                f" {one.retracted:,} retracted; verified by {one.verified}"
            )
        case "same":
            yield f"{one.feed}: nothing newer at {one.source}"
        case _:
            yield f"{one.feed}: {one.trouble}; what was known stands"
    for passed in one.passed_over:
        yield f"  passed over {passed.source}: {passed.reason}"
    if one.problems:
        yield f"  {one.problems:,} records could not be read, or are there twice; the first:"
    for problem in one.first_problems:
        yield f"    {problem}"


def _tell_feeds(report: "FeedsReport") -> None:
    if not report.feeds:
        say("No feed is kept, and none was taken in.")
    else:
        table(_FEEDS, [_feed(one, report) for one in report.feeds])
    for one in report.feeds:
        if one.doing:
            say(f"  {one.name}: {one.doing} now")
        if one.trouble:
            say(f"  {one.name}: {one.trouble}")
    for text in report.notes:
        note(f"note: {text}")
    if not report.running:
        note("note: no gateway runs here, so nobody looks at the feeds but `tidegate advisories refresh`")
    if report.offline:
        note("note: this gateway is offline: feeds come from files only")


def _feed(one: "FeedReport", report: "FeedsReport") -> list[str]:
    return [
        one.name,
        one.state if one.kept else f"{one.state}, not kept",
        age(one.current_at, report.at),
        "" if one.published_at is None else age(one.published_at, report.at),
        _amount(one),
        "" if one.unreadable is None else f"{one.unreadable:,}",
        one.verified or "",
        _next(one, report),
        one.origin or ", ".join(one.sources),
    ]


def _amount(one: "FeedReport") -> str:
    """Records, or the bytes of what nobody here reads."""
    if one.records is not None:
        return f"{one.records:,}"
    return "" if one.file_bytes is None else octets(one.file_bytes)


def _next(one: "FeedReport", report: "FeedsReport") -> str:
    if one.next_at is None:
        return "never"
    if not report.running:
        return "when asked"
    return "now" if one.next_at <= report.at else f"in {age(report.at, one.next_at)}"


def _verdict(report: "FeedsReport") -> ExitCode:
    kept = [one for one in report.feeds if one.kept] or list(report.feeds)
    if not any(one.state == "current" for one in kept):
        return ExitCode.NO
    return ExitCode.OK if all(one.state == "current" for one in kept) else ExitCode.WARNING
