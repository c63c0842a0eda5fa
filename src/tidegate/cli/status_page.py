"""`tidegate status-page`: write the page for the people who get their updates here."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import not_there
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import JsonOption, json_wanted, say, say_json

if TYPE_CHECKING:
    from tidegate.web.status_page import StatusPage


def status_page(
    context: typer.Context,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Write it here; without this, say only how things are."),
    ] = None,
    drill: Annotated[
        str, typer.Option("--drill", metavar="NAME", help="As if this drill were real; the page says that it is not.")
    ] = "",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the status page: what is affected, since when, what to do, and until when to believe it.

    It is static: index.html with nothing beside it, an Atom and a JSON feed, and status.json. A running gateway keeps
    it current by itself where `status.directory` is set (docs/status-page.md). Exits 0 when everything works, 3 when
    something is at risk or not known, 1 when something does not work.
    """
    from tidegate.web.days import Level
    from tidegate.web.status_files import files_of, report
    from tidegate.wiring.status_page import write

    try:
        page = _page(config, state, drill)
        if to is not None:
            write(files_of(page), to)
    except FileNotFoundError as error:
        raise not_there(error) from None
    except OSError as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"the page cannot be written: {error}")) from None
    if json_wanted(context, as_json):
        say_json(report(page))
    else:
        say(page.headline)
        for one in page.components:
            say(f"  {one.name}: {one.level.words}{f' ({one.note})' if one.note else ''}")
        if to is not None:
            say(f"written to {to / 'index.html'}")
    codes = {Level.WORKS: ExitCode.OK, Level.RISK: ExitCode.WARNING, Level.UNKNOWN: ExitCode.WARNING}
    raise typer.Exit(codes.get(page.level, ExitCode.NO))


def _page(config: Path | None, state: Path | None, drill: str) -> "StatusPage":
    """Raises OSError; FileNotFoundError where there is nothing to tell of."""
    import sqlite3

    from tidegate.web.status_page import Known
    from tidegate.web.status_page import status_page as made
    from tidegate.wiring.ask import status
    from tidegate.wiring.ask_advisories import AdvisoriesDoor
    from tidegate.wiring.ask_watch import WatchDoor
    from tidegate.wiring.incidents import Incidents
    from tidegate.wiring.journal import journal_of
    from tidegate.wiring.status_page import last_run, recorded

    gathered = settings_for(config, overrides(state=state))
    told = status(gathered, os.environ)
    try:
        feeds = AdvisoriesDoor(gathered, os.environ).status().feeds
    except FileNotFoundError:
        feeds = ()
    watches = WatchDoor(gathered, os.environ).watches().watches
    now = time.time()
    try:
        with journal_of(gathered, os.environ) as journal:
            incidents = Incidents(journal, gathered.settings.incidents).all(now)
            known = Known(told, incidents, feeds, recorded(journal, last_run(journal, told)), watches)
            return made(known, gathered.settings.status, now, drill=drill)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
