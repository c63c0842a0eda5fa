"""`tidegate exposure export --to DIR`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import octets
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.web.exposure_export_report import ExposureExportReport

LINE_EVERY_S = 5.0
KEPT = 2
_COLUMNS = (Column("table"), Column("rows", is_figure=True), Column("size", is_figure=True))


def exposure_export(
    context: typer.Context,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="DIR", help="Folder of the exports; made where it is missing.", file_okay=False),
    ],
    keep: Annotated[int, typer.Option("--keep", min=1, max=1000, help="Exports that stay; older ones go.")] = KEPT,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the fleet and its exposure as Parquet files, for DuckDB, ClickHouse and the like.

    All of one moment, in a folder of its own, which appears once it is whole; DIR/latest leads to it. What the tables
    hold, and queries for them: docs/exposure-export.md. Needs pyarrow: install `tidegate[parquet]`. A gateway may run
    on the same state meanwhile.
    """
    import os
    import sqlite3
    import time

    from tidegate.wiring.ask_exposure import NoFleetError
    from tidegate.wiring.exposure_export import export_exposure
    from tidegate.wiring.parquet import NoWriterError

    gathered = settings_for(config, overrides(state=state))
    try:
        with _progress() as tell:
            report = export_exposure(gathered, os.environ, to, tell, now=int(time.time()), keep=keep)
    except NoFleetError as error:
        todo = "Let hosts report (docs/fleet.md), or name the state's directory with --state."
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error), todo=todo)) from None
    except NoWriterError as error:
        todo = "Install it beside Tidegate: `pipx inject tidegate pyarrow`, or `pip install 'tidegate[parquet]'`."
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error), todo=todo)) from None
    except sqlite3.Error as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"the databases cannot be used: {error}")) from None
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _say(report)


def _say(report: "ExposureExportReport") -> None:
    table(_COLUMNS, [[one.table, f"{one.rows:,}", octets(one.bytes)] for one in report.tables])
    say(f"in {report.folder}")
    for path in report.removed:
        say(f"removed {path}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """A line on a terminal, a line of JSON now and then otherwise; on standard error, beside the answer."""
    import sys

    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TextColumn

    with Bar(TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Judging all hosts", total=None)
        yield lambda name, rows: bar.update(task, description=f"{name}: {rows:,} rows")


def _lines() -> Callable[[str, int], None]:
    import json
    import time

    next_at = 0.0

    def tell(name: str, rows: int) -> None:
        nonlocal next_at
        now = time.monotonic()
        if now >= next_at:
            next_at = now + LINE_EVERY_S
            note(json.dumps({"event": "exporting", "level": "info", "table": name, "rows": rows}))

    return tell
