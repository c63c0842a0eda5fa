"""`tidegate serve`."""

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.options import (
    AdminOption,
    ConfigOption,
    KnownFeedsOption,
    KnownMirrorsOption,
    ListenOption,
    StateOption,
    WorkersOption,
    overrides,
    settings_for,
)
from tidegate.cli.render import JsonOption, json_wanted


def serve(
    context: typer.Context,
    config: ConfigOption = None,
    state: StateOption = None,
    listen: ListenOption = None,
    admin: AdminOption = None,
    workers: WorkersOption = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Serve what is held; connect to no source (fetch.offline)."),
    ] = False,
    known_mirrors: KnownMirrorsOption = False,
    known_feeds: KnownFeedsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Serve apt from a verified store, until it is told to stop.

    Without settings it serves what this host's own apt sources name. SIGHUP reads the settings anew,
    SIGTERM ends it once the answers under way are out. Steps go to standard output, one line each: for
    people on a terminal, as JSON otherwise.
    """
    import os
    import sqlite3

    from tidegate.cli.exit_codes import ExitCode
    from tidegate.cli.failure import Complaint, Failure
    from tidegate.cli.telling import teller
    from tidegate.store.layout import StoreBusyError
    from tidegate.wiring.serve import Program
    from tidegate.wiring.serve import serve as serve_until_told

    known = known_mirrors or None  # not given is not the same as no
    given = overrides(
        state=_absolute(state),
        listen=listen,
        admin=admin,
        workers=workers,
        known_mirrors=known,
        known_feeds=known_feeds or None,
        offline=offline or None,
    )
    program = Program(
        settings_for(config, given),
        lambda: settings_for(config, given),
        os.environ,
        teller(as_json=json_wanted(context, as_json)),
    )
    try:
        raise typer.Exit(serve_until_told(program))
    except StoreBusyError as error:
        raise Failure(ExitCode.TEMPORARY, Complaint(str(error))) from None
    except sqlite3.Error as error:
        todo = "Free space, or move the state directory away; the cache below it can be built again."
        raise Failure(ExitCode.IO_ERROR, Complaint(f"the store cannot be opened: {error}", "", todo)) from None


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
