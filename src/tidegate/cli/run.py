"""`tidegate run`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import octets
from tidegate.cli.options import ConfigOption, KnownMirrorsOption, overrides, settings_for
from tidegate.cli.render import JsonOption, json_wanted, note

if TYPE_CHECKING:
    from tidegate.web.report import RunReport
    from tidegate.wiring.news import News


def run(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run, after `--`.")],
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR", help="Keep what was fetched here, for the next run."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
    config: ConfigOption = None,
    known_mirrors: KnownMirrorsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a command with every apt below it going through a private gateway.

    `tidegate run -- apt-get update` in a CI job is the smallest way to use Tidegate: sources that fail
    are failed over, everything is verified, and the command's own exit code is passed on. The summary
    goes to standard error. Hosts reached by https are tunnelled: apt verifies those itself.
    """
    import os
    import sqlite3
    import sys

    from tidegate.cli.exit_codes import ExitCode
    from tidegate.cli.failure import Complaint, Failure
    from tidegate.store.layout import StoreBusyError
    from tidegate.wiring.run import Errand
    from tidegate.wiring.run import run as run_to_the_end

    settings = settings_for(config, overrides(known_mirrors=known_mirrors or None))
    errand = Errand(command, settings, None if cache is None else cache.absolute(), os.environ, _tell)
    try:
        report = run_to_the_end(errand)
    except FileNotFoundError as error:
        raise Failure(ExitCode.USAGE, Complaint(f"cannot run {command[0]!r}: {error.strerror}")) from None
    except StoreBusyError as error:
        raise Failure(ExitCode.TEMPORARY, Complaint(str(error))) from None
    except sqlite3.Error as error:
        raise Failure(ExitCode.IO_ERROR, Complaint(f"the cache cannot be opened: {error}")) from None
    if json_wanted(context, as_json):
        import msgspec

        sys.stderr.write(msgspec.json.encode(report).decode() + "\n")
    elif not quiet:
        _summarise(report)
    raise typer.Exit(report.exit_code)


def _tell(news: "News") -> None:
    if news.level != "info":
        note(f"tidegate: {news.text}")


def _summarise(report: "RunReport") -> None:
    answers = sum(report.answers.values())
    if not answers:
        note("tidegate: nothing went through the gateway (does the command run apt, with its environment kept?)")
        return
    told = ", ".join(f"{count} {how}" for how, count in sorted(report.answers.items()))
    note(f"tidegate: {answers} answers ({told}), {octets(report.answered_bytes)}")
    for one in report.sources:
        if one.fetched or one.failed:
            failed = f", {one.failed} failed: {one.last_failure}" if one.failed else ""
            note(f"tidegate:   {octets(one.fetched_bytes)} in {one.fetched} fetches from {one.url}{failed}")
    note(
        f"tidegate:   {octets(report.saved_bytes)} of it without fetching; all of it would have been fetched otherwise"
    )
    for refusal in report.refused:
        note(f"tidegate:   refused {refusal}")
