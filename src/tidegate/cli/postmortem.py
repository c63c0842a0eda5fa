"""`tidegate postmortem`."""

import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.incident import IdArgument, all_of, found_in
from tidegate.cli.journal import opened
from tidegate.cli.options import ConfigOption, StateOption
from tidegate.cli.render import JsonOption, json_wanted, note, say_json

if TYPE_CHECKING:
    from tidegate.incidents.postmortem import Postmortem

FILE_BYTES_MAX = 16 << 20


class Format(StrEnum):
    """How it is written."""

    MD = "md"
    HTML = "html"
    JSON = "json"


_SUFFIXES = {".html": Format.HTML, ".htm": Format.HTML, ".md": Format.MD}


def postmortem(
    context: typer.Context,
    incident: IdArgument,
    form: Annotated[
        Format | None, typer.Option("--format", help="Else as the file's name ends; else md.", show_choices=True)
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FILE", help="Write it there; what people wrote in that file stays as it is."),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the draft of an incident's post-mortem: each fact with the events that say so, and what is not known.

    Places for people to write in are marked. Written into the same file again, say once the incident is over, all but
    these places is made anew; they stay byte for byte.
    """
    from tidegate.incidents.draft import draft

    with opened(config, state) as journal:
        one = found_in(all_of(journal, config, time.time()), incident)
        made = draft(one, max((event.seq for event in journal.last(1)), default=0))
    if json_wanted(context, as_json) or form is Format.JSON:
        if into is not None:
            what = "JSON has no places for people to write in"
            raise Failure(ExitCode.USAGE, Complaint(what, todo="Leave --into out."))
        say_json(made)
        return
    chosen = form or (Format.MD if into is None else _SUFFIXES.get(into.suffix.lower(), Format.MD))
    if into is None:
        sys.stdout.write(_rendered(made, chosen, ""))
        return
    before = _read(into)
    _write(into, _rendered(made, chosen, before, into))
    note(f"{into}: written{', what people wrote is as it was' if before else ''}")


def _rendered(made: "Postmortem", form: Format, before: str, path: Path | None = None) -> str:
    from tidegate.incidents.html import html
    from tidegate.incidents.human import UnclosedError, kept
    from tidegate.incidents.markdown import markdown

    try:
        written, more = kept(before)
    except UnclosedError as error:
        todo = f"Put <!-- /human:{error.key} --> where it ends. Nothing was changed."
        raise Failure(ExitCode.NO, Complaint(str(error), str(path or ""), todo)) from None
    return html(made, written, more) if form is Format.HTML else markdown(made, written, more)


def _read(path: Path) -> str:
    """What is in a file, every byte of it; nothing where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return ""
    if len(data) > FILE_BYTES_MAX:
        what = f"has more than {FILE_BYTES_MAX:,} bytes: is it a post-mortem?"
        raise Failure(ExitCode.NO, Complaint(what, str(path)))
    return data.decode("utf-8", "surrogateescape")


def _write(path: Path, text: str) -> None:
    """All of it, or nothing. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(text.encode("utf-8", "surrogateescape"))
        if path.exists():
            fresh.chmod(path.stat().st_mode & 0o7777)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
