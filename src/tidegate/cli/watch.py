"""`tidegate watch`: pages that you depend on, how they stand, and their last good copies."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tidegate.cli.asking import age
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.watch.warc import CopiedPage
    from tidegate.web.watch_report import CheckReport, WatchesReport, WatchReport, WatchTextReport
    from tidegate.wiring.ask_watch import WatchDoor

app = typer.Typer(no_args_is_help=True, help="Watch pages that you depend on, and read their last good copies.")

T = TypeVar("T")

_PAGES = (
    Column("watch"),
    Column("state"),
    Column("since", is_figure=True),
    Column("answered", is_figure=True),
    Column("first byte", is_figure=True),
    Column("copy", is_figure=True),
    Column("next"),
    Column("address"),
)
_BEFORE = typer.Option("--before", help="The earlier copy, which is another page than the last one.")


@app.command("list")
def list_(
    context: typer.Context,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the pages that are watched: up or down, since when, and how old the last good copy of each is.

    Exits 0 when every page is up, 3 when one is not known or not asked, 1 when one is down or none is watched.
    """
    report = _door(config, state).watches()
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _tell(report)
    raise typer.Exit(_verdict([one.state for one in report.watches]))


@app.command()
def check(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="As in `list`; all otherwise.")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask pages now, whatever their schedule; robots.txt and a host's wish for pauses are heeded all the same.

    The running gateway does it, or this command where none runs. Exits as `list` does, for these pages.
    """
    from tidegate.web.watch_report import ChecksReport

    as_json = json_wanted(context, as_json)

    def told(one: "CheckReport") -> None:
        if not as_json:
            say(_sentence(one))

    checks = _known(lambda: _door(config, state).check(tuple(names or ()), told))
    if as_json:
        say_json(ChecksReport(checks=checks))
    elif not checks:
        note("no page is watched: name some in [[watch]] (docs/watch.md)")
    raise typer.Exit(_verdict(["unknown" if one.wait_s is not None else one.watch.state for one in checks]))


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in `list`.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write the page there, byte by byte as it came.")
    ] = None,
    before: Annotated[bool, _BEFORE] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what can be read of a page's last good copy.

    The copy itself, as WARC, is at the dashboard, and in the folder `watch` of the state. Exits 1 when none is kept.
    """
    door = _door(config, state)
    watch = _known(lambda: next((one for one in door.watches().watches if one.name == name), None))
    if watch is None:
        raise _no_watch(f"there is no watch {name!r} in the settings")
    try:
        page = door.copied(name, before=before)
    except FileNotFoundError:
        raise Failure(ExitCode.NO, Complaint(f"no copy of {watch.url} is kept", todo=_why_none(watch))) from None
    if to is not None:
        to.write_bytes(page.body)
    report = _report(watch, page)
    if json_wanted(context, as_json):
        say_json(report)
        return
    _about(report)
    if to is None:
        say(report.text or f"This is {report.content_type or 'no text'}: write it to a file with --to.")
    if report.cut:
        note(f"note: there is more; --to FILE has all {len(page.body):,} bytes")


def _door(config: Path | None, state: Path | None) -> "WatchDoor":
    from tidegate.wiring.ask_watch import WatchDoor

    return WatchDoor(settings_for(config, overrides(state=state)), os.environ)


def _known(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except KeyError as error:
        raise _no_watch(str(error.args[0])) from None


def _no_watch(what: str) -> Failure:
    return Failure(ExitCode.USAGE, Complaint(what, todo="`tidegate watch list` lists them; docs/watch.md says how."))


def _verdict(states: "list[str]") -> ExitCode:
    if not states or "down" in states:
        return ExitCode.NO
    return ExitCode.OK if all(state == "up" for state in states) else ExitCode.WARNING


# What is told


def _tell(report: "WatchesReport") -> None:
    if not report.watches:
        say("No page is watched.")
        note("note: name some in [[watch]]: docs/watch.md")
        return
    table(_PAGES, [_row(one, report) for one in report.watches])
    for one in report.watches:
        if one.reason:
            say(f"  {one.name}: {one.reason}")
        if one.not_kept:
            say(f"  {one.name}: its last good answer was not kept: {one.not_kept}")
    for text in report.notes:
        note(f"note: {text}")
    if not report.running:
        note("note: no gateway runs here, so nobody asks but `tidegate watch check`")


def _row(one: "WatchReport", report: "WatchesReport") -> list[str]:
    now = report.at
    return [
        one.name,
        one.state,
        "" if one.since is None else age(one.since, now),
        age(one.checked_at, now),
        "" if one.latency_ms is None else f"{one.latency_ms:,} ms",
        "none" if one.copy is None else age(one.copy.seen_at, now),
        _next(one, report),
        one.url,
    ]


def _next(one: "WatchReport", report: "WatchesReport") -> str:
    if one.next_at is None:
        return "never" if report.running else "when asked"
    return "now" if one.next_at <= report.at else f"in {age(report.at, one.next_at)}"


def _sentence(one: "CheckReport") -> str:
    watch = one.watch
    if one.wait_s is not None:
        return f"{watch.name}: not asked: its host wishes for a pause; ask again in {one.wait_s:,.0f} s"
    took = f", first byte after {watch.latency_ms:,} ms" if watch.state == "up" and watch.latency_ms is not None else ""
    why = f": {watch.reason}" if watch.reason else ""
    return f"{watch.name}: {watch.state}{took}{why}"


def _why_none(watch: "WatchReport") -> str:
    if watch.not_kept:
        return f"Its last good answer was not kept: {watch.not_kept}"
    return "One is kept from the first good answer on, unless its watch has keep = false."


def _report(watch: "WatchReport", page: "CopiedPage") -> "WatchTextReport":
    from tidegate.watch.reading import readable
    from tidegate.web.watch_report import WatchTextReport

    found = readable(page)
    text = found.page.text if found.page is not None else found.text or ""
    return WatchTextReport(
        watch=watch,
        taken_at=int(page.taken_at),
        url=page.url,
        content_type=page.content_type,
        text=text,
        cut=found.cut,
    )


def _about(report: "WatchTextReport") -> None:
    """On standard error, so that a page can be piped on."""
    from tidegate.trust.verdict import utc

    watch = report.watch
    note(f"A copy of {report.url}, taken at {utc(report.taken_at)}.")
    if watch.state == "down" and watch.since is not None:
        note(f"The original is down since {utc(watch.since)}: {watch.reason}.")
    elif watch.state != "up":
        note(f"The original is {watch.state.replace('-', ' ')}.")
