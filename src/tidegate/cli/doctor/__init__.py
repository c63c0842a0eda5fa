"""`tidegate doctor`: what stands in the way of serving, and what to do about it."""

from typing import TYPE_CHECKING

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.options import AdminOption, ConfigOption, ListenOption, StateOption, overrides
from tidegate.cli.render import JsonOption, json_wanted, say, say_json

if TYPE_CHECKING:
    from tidegate.cli.reports import DoctorReport

_SIGNS = {"ok": "ok  ", "warn": "warn", "bad": "BAD "}


def doctor(
    context: typer.Context,
    config: ConfigOption = None,
    state: StateOption = None,
    listen: ListenOption = None,
    admin: AdminOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this host: settings, clock, disk, keys, ports, sources, packages. Changes nothing.

    Exits with 1 when something is bad; a warning alone does not.
    """
    from tidegate.cli.doctor.examination import examine

    report = examine(config, overrides(state=state, listen=listen, admin=admin))
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _print(report)
    if any(check.state == "bad" for check in report.checks):
        raise typer.Exit(ExitCode.NO)


def _print(report: "DoctorReport") -> None:
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        say(f"{_SIGNS[check.state]}  {check.name.ljust(width)}  {check.saw}")
        if check.todo:
            say(f"{' ' * (width + 8)}{check.todo}")
