"""`tidegate sources` and `tidegate sources probe`: who gives the bytes, who is passed over, and why."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import age, octets, status_of
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, say, say_json, span, table

if TYPE_CHECKING:
    from tidegate.config.gathering import Gathered
    from tidegate.web.probe_report import ProbeReport, ProbeRound
    from tidegate.web.source_report import ExclusionReport, SourceReport

    Told = Callable[[ProbeRound | ProbeReport], None]

FRESH_S = 1_800
"""What a source showed longer ago than this is told with its age."""
app = typer.Typer()

_COLUMNS = (
    Column("#", is_figure=True),
    Column("source"),
    Column("kind"),
    Column("operator"),
    Column("state"),
    Column("answers", is_figure=True),
    Column("rate", is_figure=True),
    Column("news"),
    Column("last ok", is_figure=True),
)


@app.callback(invoke_without_command=True)
def sources(
    context: typer.Context, config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """List the sources by rank: how each is doing, who is passed over, why, and what to do about it."""
    if context.invoked_subcommand is not None:
        return
    from tidegate.web.source_report import SourcesReport

    report = status_of(config, state)
    if json_wanted(context, as_json):
        say_json(SourcesReport(at=report.at, sources=report.sources, notes=report.notes))
        return
    for number, (archive, group) in enumerate(groupby(report.sources, key=lambda one: one.archive)):
        _archive(archive, list(group), report.at, is_first=not number)
    for note in report.notes:
        say(f"note: {note}")


@app.command()
def probe(
    context: typer.Context,
    archive: Annotated[
        str | None, typer.Option("--archive", metavar="NAME", help="Only this archive's sources.")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask every source for a signed Release now, and verify it.

    The running gateway does it, and learns from it; where none runs, this command does it by itself. Nothing but a
    Release that is signed and not older than the newest one counts as good. Exits 1 when an archive has no good source.
    """
    from tidegate.web.probe_report import ProbesReport, lost_of

    assert context.parent is not None
    as_json = json_wanted(context, as_json or bool(context.parent.params.get("as_json")))
    given = overrides(state=state or _above(context, "state"))
    gathered = settings_for(config or _above(context, "config"), given)
    names = [one.name for one in gathered.settings.archive if archive in (None, one.name)]
    if archive is not None and not names:
        todo = "Configured are: " + ", ".join(one.name for one in gathered.settings.archive)
        raise Failure(ExitCode.USAGE, Complaint(f"no archive {archive!r} is configured", "", todo))
    probes = _probed(gathered, archive, _not_told) if as_json else _telling(gathered, archive)
    lost = lost_of(names, probes)
    if as_json:
        say_json(ProbesReport(at=int(time.time()), ok=not lost, lost=lost, probes=probes))
    elif sys.stdout.isatty():
        for name in names:
            ours = [one for one in probes if one.archive == name]
            say(f"{name}: {sum(one.good for one in ours)} of {len(ours)} sources are good")
    raise typer.Exit(ExitCode.NO if lost else ExitCode.OK)


# The table


def _archive(archive: str, ours: "Sequence[SourceReport]", now: int, *, is_first: bool) -> None:
    operators = len({one.operator for one in ours})
    say(f"{'' if is_first else chr(10)}{archive}: {_count(len(ours), 'source')}, {_count(operators, 'operator')}")
    table(_COLUMNS, [_source(one, now) for one in ours])
    for one in ours:
        for why in one.excluded:
            what = "passed over" if why.of == "everything" else f"not asked for {why.of}"
            say(f"  {one.url}: {what}: {why.reason}{_again(why, now)}")
            if why.todo:
                say(f"    {why.todo}")
        slow = [address for address, is_trusted in one.addresses.items() if not is_trusted]
        if slow and len(slow) < len(one.addresses):
            say(f"  {one.url}: {', '.join(slow)} refused, was silent or was overtaken: its other addresses come first")


def _source(one: "SourceReport", now: int) -> list[str]:
    return [
        "-" if one.rank is None else str(one.rank),
        one.url,
        f"{one.kind} {one.region}".strip(),
        one.operator,
        one.state,
        "" if one.first_byte_ms is None else f"{one.first_byte_ms:,} ms",
        "" if one.rate_bytes_s is None else f"{octets(one.rate_bytes_s)}/s",
        _news(one, now),
        age(one.last_success_at, now),
    ]


def _news(one: "SourceReport", now: int) -> str:
    if one.behind:
        return f"{span(max(one.behind.values()))} behind"
    if not one.newest:
        return "unknown"
    at = max(one.newest.values())
    return "newest" if now - at < FRESH_S else f"{age(at, now)} ago"


def _again(why: "ExclusionReport", now: int) -> str:
    """When it is tried again, where the reason does not say so itself."""
    if why.next_try_at is None or "next try" in why.reason:
        return ""
    return f"; next try in {span(max(0, why.next_try_at - now))}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


# Probing


def _above(context: typer.Context, name: str) -> Path | None:
    """A path given before the word `probe`: `tidegate sources --state DIR probe` means the same."""
    given = None if context.parent is None else context.parent.params.get(name)
    return None if given is None else Path(given)


def _probed(gathered: "Gathered", archive: str | None, told: "Told") -> "tuple[ProbeReport, ...]":
    from tidegate.wiring.ask import NotRunningError, probe
    from tidegate.wiring.probe import probe_alone

    try:
        return probe(gathered, os.environ, archive, told)
    except NotRunningError:
        return probe_alone(gathered, os.environ, archive, told)
    except KeyError as error:
        todo = "It runs by other settings than these: give it the same, and reload it (SIGHUP)."
        raise Failure(ExitCode.USAGE, Complaint(str(error.args[0]), "", todo)) from None


def _not_told(_: "ProbeRound | ProbeReport") -> None:
    """For an answer that comes as one document."""


def _telling(gathered: "Gathered", archive: str | None) -> "tuple[ProbeReport, ...]":
    return (_on_a_terminal if sys.stdout.isatty() else _line_by_line)(gathered, archive)


def _line_by_line(gathered: "Gathered", archive: str | None) -> "tuple[ProbeReport, ...]":
    from tidegate.cli.telling import teller
    from tidegate.web.probe_report import ProbeReport
    from tidegate.wiring.news import News

    tell = teller(as_json=True)

    def told(line: "ProbeRound | ProbeReport") -> None:
        if isinstance(line, ProbeReport):
            level = "info" if line.good else "warning"
            facts = {
                "archive": line.archive,
                "source": line.url,
                "suite": line.suite,
                "outcome": line.outcome,
                "seconds": line.seconds,
                "behind_s": line.behind_s,
            }
            tell(News(level, "probed", line.said, facts))

    return _probed(gathered, archive, told)


def _on_a_terminal(gathered: "Gathered", archive: str | None) -> "tuple[ProbeReport, ...]":
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from tidegate.web.probe_report import ProbeRound

    columns = (TextColumn("probing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("probing", total=None)

        def told(line: "ProbeRound | ProbeReport") -> None:
            if isinstance(line, ProbeRound):
                progress.update(task, total=line.sources)
                return
            mark = "[green]✓[/green]" if line.good else "[red]✗[/red]"
            where = f"{line.archive}  {line.url}  {line.outcome}, {line.seconds:.2f} s"
            progress.console.print(f"{mark} {escape(where)}", highlight=False, soft_wrap=True)
            if not line.good:
                progress.console.print(f"    {escape(line.said)}", highlight=False, style="dim")
            progress.advance(task)

        return _probed(gathered, archive, told)
