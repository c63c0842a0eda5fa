"""`tidegate import-acng DIR`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import octets
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import JsonOption, json_wanted, note, say, say_json

if TYPE_CHECKING:
    from tidegate.web.report import ImportReport
    from tidegate.wiring.import_acng import Progress

FILES_PER_LINE = 1_000
_TODO = "Run `tidegate serve` until `tidegate status` says that it is ready, then import (again): what is held is kept."


def import_acng(
    context: typer.Context,
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Its CacheDir.", exists=True, file_okay=False),
    ],
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over the cache of an apt-cacher-ng, verifying each file.

    A file is copied only if signed metadata of an adopted suite lists it and its bytes are the listed ones; those
    that are not are named. The cache is left as it is. A gateway may serve from the same state meanwhile, and what
    was interrupted goes on where it was. Exits with 1 when a configured suite was not adopted yet.
    """
    import os
    import sqlite3

    from tidegate.wiring.import_acng import NothingAdoptedError
    from tidegate.wiring.import_acng import import_acng as take_over

    gathered = settings_for(config, overrides(state=state))
    try:
        with _progress() as tell:
            imported = take_over(gathered, os.environ, directory, tell)
    except NothingAdoptedError as error:
        raise Failure(ExitCode.NO, Complaint(str(error), "", _TODO)) from None
    except sqlite3.Error as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"the store cannot be opened: {error}")) from None
    if json_wanted(context, as_json):
        say_json(imported.report)
    else:
        _tell(imported.report)
    if imported.waiting:
        raise Failure(ExitCode.NO, Complaint(f"not adopted yet: {', '.join(imported.waiting)}", "", _TODO))


def _tell(report: "ImportReport") -> None:
    for path in report.wrong:
        note(f"not taken: {path} is not what its name is listed as")
    say(f"{report.taken:,} files taken ({octets(report.taken_bytes)}), {report.held:,} were held already")
    say(f"{report.unlisted:,} are listed by no Release held here, {len(report.wrong):,} are not what they should be")


@contextmanager
def _progress() -> Iterator[Callable[["Progress"], None]]:
    """A bar on a terminal, a line of JSON now and then otherwise; on standard error, beside the answer."""
    import sys

    if not sys.stderr.isatty():
        yield _line_now_and_then
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Verifying", total=None)
        yield lambda at: bar.update(task, completed=at.done, total=at.total)


def _line_now_and_then(at: "Progress") -> None:
    import json

    if at.done % FILES_PER_LINE == 0 or at.done == at.total:
        facts = {"files": at.done, "of": at.total, "taken_bytes": at.taken_bytes}
        note(json.dumps({"event": "importing", "level": "info", **facts}))
