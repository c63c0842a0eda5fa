"""`tidegate gc`."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import age, not_there, octets
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.web.gc_report import GcReport

SHOWN_MAX = 20
_KINDS = (Column("what"), Column("files", is_figure=True), Column("bytes", is_figure=True), Column(""))
_FILES = (Column("file"), Column("bytes", is_figure=True), Column("used", is_figure=True), Column("why it goes"))


def gc(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and why.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove files that nobody needs, and say why each may go and why the others stay.

    The running gateway does so by itself: what no index lists any more after a while, and where the store is too full
    (store.quota_bytes, store.free_bytes_min) what nobody counts on, that was not used for longest first. Nothing goes
    that a served snapshot, an older generation in its time, the hot set or an archive in trouble needs. Exits 1 when
    the store is too full of what is needed.
    """
    from tidegate.store.layout import StoreBusyError
    from tidegate.wiring.ask_gc import gc_somewhere

    try:
        report = gc_somewhere(settings_for(config, overrides(state=state)), os.environ, dry_run=dry_run)
    except FileNotFoundError as error:
        raise not_there(error) from None
    except StoreBusyError as error:
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error), "", "It may be starting: try again.")) from None
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _say(report)
    raise typer.Exit(ExitCode.NO if report.lacking_bytes else ExitCode.OK)


def _say(report: "GcReport") -> None:
    say(f"Held: {report.held_blobs:,} files, {octets(report.held_bytes)}; {octets(report.free_bytes)} free.")
    if report.tight:
        say(f"Too full: {report.tight}.")
    went = sum(one.blobs for one in report.removed_by)
    verb = "Would remove" if report.dry_run else "Removed"
    say(f"{verb} {went:,} file{'' if went == 1 else 's'}, {octets(report.removed_bytes)}.")
    kinds = [(one, "would go" if report.dry_run else "gone") for one in report.removed_by]
    kinds += [(one, "stays") for one in report.kept_by]
    if kinds:
        say("")
        table(_KINDS, [[one.meaning, f"{one.blobs:,}", octets(one.bytes), fate] for one, fate in kinds])
    if report.removed:
        say("")
        rows = [
            [one.path or one.digest, octets(one.bytes), age(int(one.used_at), report.at), one.reason]
            for one in report.removed[:SHOWN_MAX]
        ]
        table(_FILES, rows)
        if went > SHOWN_MAX:
            say(f"and {went - SHOWN_MAX:,} more: --json names them")
    if report.lacking_bytes:
        note(f"all the rest is needed: give the store {octets(report.lacking_bytes)} more, or hold less")
