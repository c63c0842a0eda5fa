"""`tidegate status` and `tidegate suites`: two looks at one report."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from tidegate.cli.asking import age, octets, status_of
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.options import ConfigOption, StateOption
from tidegate.cli.render import Column, JsonOption, json_wanted, say, say_json, table

if TYPE_CHECKING:
    from tidegate.web.alone_report import AloneReport
    from tidegate.web.report import StatusReport, SuiteReport

_SUITES = (
    Column("archive"),
    Column("suite"),
    Column("state"),
    Column("age", is_figure=True),
    Column("confirmed", is_figure=True),
    Column("from"),
    Column("why not newer"),
)


def status(
    context: typer.Context, config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Say what is served, how old it is, from where it came, and why it is not newer.

    Exits 0 when each configured suite is served, 1 when not.
    """
    report = status_of(config, state)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _headline(report)
        for lost in report.alone:
            say(_alone(lost, report.at))
        table(_SUITES, [_suite(one, report.at) for one in report.suites])
        for note in report.notes:
            say(f"note: {note}")
    raise typer.Exit(ExitCode.OK if report.ready else ExitCode.NO)


def suites(
    context: typer.Context, config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """List the suites: served, expired, or still waited for."""
    report = status_of(config, state)
    if json_wanted(context, as_json):
        from tidegate.web.report import SuitesReport

        say_json(SuitesReport(at=report.at, suites=report.suites))
    else:
        table(_SUITES, [_suite(one, report.at) for one in report.suites])


def _headline(report: "StatusReport") -> None:
    running = report.running
    if running is None:
        say("No gateway runs here; this is what its state says.")
        return
    say(f"Serving on {running.listen} since {age(running.since, report.at)} ago (process {running.pid}).")
    traffic = report.traffic
    if traffic is not None and traffic.by_how:
        answers = ", ".join(f"{count:,} {how}" for how, count in sorted(traffic.by_how.items()))
        say(f"Answered: {answers}; {octets(traffic.bytes)} in all. {traffic.connections} connections now.")


def _alone(lost: "AloneReport", now: int) -> str:
    held = f"served from what is held: {', '.join(lost.suites)}" if lost.suites else "nothing of it is held"
    if lost.since is None:
        return f"{lost.archive} is offline, as it was told; {held}."
    since = datetime.fromtimestamp(lost.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{lost.archive} is alone since {since}, for {age(lost.since, now)}: no source answers; {held}."


def _suite(one: "SuiteReport", now: int) -> list[str]:
    state = one.state if one.configured else f"{one.state} (on request)"
    return [
        one.archive,
        one.suite,
        state,
        age(one.date, now),
        _confirmed(one, now),
        one.source or "",
        "; ".join(said for said in (one.alarm, one.possible_freeze, one.trouble) if said),
    ]


def _confirmed(one: "SuiteReport", now: int) -> str:
    """How long ago, and by how many operators where it was more than one."""
    by = f" by {len(one.confirmed_by)}" if len(one.confirmed_by) > 1 else ""
    return age(one.confirmed_at, now) + by
