"""`tidegate readiness`: if every source vanished now, what could still be served."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import age, not_there, octets
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, say, say_json, table

if TYPE_CHECKING:
    from tidegate.holding.readiness import Finding, Readiness, SuiteReadiness
    from tidegate.holding.stock import Lack, Share

LISTED_MAX = 20
"""Packages listed without --all."""
KINDS = ("security", "updates", "install")
_CODES = {"ok": ExitCode.OK, "warning": ExitCode.WARNING, "critical": ExitCode.NO}
_TITLES = {"security": "security updates", "updates": "updates", "install": "fresh install"}
_SHARES = (
    Column("if every source vanished"),
    Column("share", is_figure=True),
    Column("held", is_figure=True),
    Column("of", is_figure=True),
    Column("lacking", is_figure=True),
)
_SUITES = (
    Column("archive"),
    Column("suite"),
    Column("published"),
    Column("confirmed", is_figure=True),
    Column("valid until"),
    Column("then"),
)
_LACKS = (
    Column("package"),
    Column("version"),
    Column("architecture"),
    Column("listed in"),
    Column("size", is_figure=True),
    Column("missing from"),
    Column("why wanted"),
)


def readiness(
    context: typer.Context,
    warn_below: Annotated[
        float,
        typer.Option("--warn-below", metavar="PERCENT", min=0, max=100, help="A share below it is a warning."),
    ] = 100.0,
    critical_below: Annotated[
        float,
        typer.Option("--critical-below", metavar="PERCENT", min=0, max=100, help="A share below it is critical."),
    ] = 90.0,
    of: Annotated[
        list[str] | None,
        typer.Option("--of", metavar="SHARE", help=f"Count only this of {', '.join(KINDS)}."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help=f"List all that is lacking, not {LISTED_MAX} of it.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what could be served if every source vanished now, and what to do about the rest.

    Exits 0 when all is well, 3 when somebody should look, 1 when it is critical: a share below --critical-below, a
    configured suite that was never adopted, or one whose lists are not held.
    """
    from tidegate.archive.errors import FormatError
    from tidegate.holding.readiness import Thresholds
    from tidegate.holding.stock import Kind
    from tidegate.wiring.ask_readiness import readiness as counted

    unknown = [one for one in of or () if one not in KINDS]
    if unknown:
        raise Failure(
            ExitCode.USAGE,
            Complaint(f"there is no share {unknown[0]!r}", todo=f"There are {', '.join(KINDS)}."),
        )
    thresholds = Thresholds(warn_below, critical_below, tuple(Kind(one) for one in of or KINDS))
    try:
        report = counted(settings_for(config, overrides(state=state)), os.environ, thresholds)
    except FileNotFoundError as error:
        raise not_there(error) from None
    except FormatError as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"a list that is held cannot be read: {error}")) from None
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _tell(report, every=every)
    raise typer.Exit(_CODES[report.verdict])


def _tell(report: "Readiness", *, every: bool) -> None:
    if report.as_of is not None:
        say(f"The metadata is of {_utc(report.as_of)}, {age(report.as_of, report.at)} ago, or newer.")
    table(_SHARES, [_share(one) for one in report.stock.shares])
    say("")
    table(_SUITES, [_suite(one, report.at) for one in report.suites])
    say("")
    disk = report.disk
    quota = f" of {octets(disk.quota_bytes)} (store.quota_bytes)" if disk.quota_bytes is not None else ""
    say(
        f"Disk: {octets(report.stock.used_bytes)}{quota} are held, {octets(disk.free_bytes)} free; below "
        f"{octets(disk.floor_bytes)} nothing more is stored."
    )
    for finding in report.findings:
        say(_finding(finding))
    lacks = report.stock.lacks if every else report.stock.lacks[:LISTED_MAX]
    if lacks:
        say("")
        table(_LACKS, [_lack(one) for one in lacks])
        more = report.stock.lacking - len(lacks)
        if more:
            say(f"and {more:,} more{'' if every else ' (--all)'}")


def _share(one: "Share") -> list[str]:
    percent = "unknown" if one.percent is None else f"{one.percent:g} %"
    lacking = octets(one.wanted_bytes - one.held_bytes)
    return [_TITLES[one.kind.value], percent, f"{one.held:,}", f"{one.wanted:,}", lacking]


def _suite(one: "SuiteReadiness", now: int) -> list[str]:
    return [
        one.archive,
        one.suite,
        "never adopted" if one.date is None else _utc(one.date),
        age(one.confirmed_at, now),
        "" if one.valid_until is None else _utc(one.valid_until),
        one.then,
    ]


def _finding(one: "Finding") -> str:
    return f"{one.level}: {one.about}: {one.what}\n    {one.todo}"


def _lack(one: "Lack") -> list[str]:
    missing = ", ".join(_TITLES[kind.value] for kind in one.kinds)
    where = f"{one.archive} {one.suite}"
    return [one.name, one.version, one.architecture, where, octets(one.size), missing, one.why]


def _utc(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
