"""`tidegate refresh`."""

import os
from typing import Annotated

import typer

from tidegate.cli.asking import status_of
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import JsonOption, json_wanted, note, say, say_json

WAIT_TIMEOUT_S = 1_800.0


def refresh(
    context: typer.Context,
    suites: Annotated[
        list[str] | None,
        typer.Argument(metavar="SUITE", help="As ARCHIVE/SUITE or SUITE; all that are known otherwise."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end of each look, and say how it ended.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the running gateway look for news now.

    Without --wait it says which looks were begun and ends. With it, exits 1 when a look brought nothing.
    """
    from tidegate.web.report import RefreshReport
    from tidegate.wiring.ask import NotRunningError
    from tidegate.wiring.ask import refresh as look

    gathered = settings_for(config, overrides(state=state))
    known = [(one.archive, one.suite) for one in status_of(config, state).suites]
    chosen = known if not suites else [key for name in suites for key in _meant(name, known)]
    as_json = json_wanted(context, as_json)
    try:
        reports = []
        for archive, suite in chosen:
            report = look(gathered, os.environ, archive, suite, wait=wait, timeout_s=WAIT_TIMEOUT_S)
            reports.append(report)
            if not as_json:
                say(f"{archive} {suite}: {report.outcome}")
    except NotRunningError as error:
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error), "", "Start it with `tidegate serve`.")) from None
    if as_json:
        say_json(RefreshReport(looks=tuple(reports)))
    elif not chosen:
        note("nothing to look at: no suite is known yet")
    raise typer.Exit(ExitCode.OK if all(report.ok for report in reports) else ExitCode.NO)


def _meant(name: str, known: list[tuple[str, str]]) -> list[tuple[str, str]]:
    found = [key for key in known if name in (key[1], f"{key[0]}/{key[1]}")]
    if not found:
        todo = "Known are: " + ", ".join(f"{archive}/{suite}" for archive, suite in known)
        raise Failure(ExitCode.USAGE, Complaint(f"no suite {name!r} is known", "", todo))
    return found
