"""Puts a client's files in place and takes them away; only ever files that are ours."""

import os
from collections.abc import Sequence
from pathlib import Path

from tidegate.cli.client_config.gateway import MARKER, ClientFile
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure

_HEAD_BYTES = 4_096


def place(files: Sequence[ClientFile], root: Path) -> tuple[Path, ...]:
    """Write each file below `root`, whole or not at all; the paths written.

    Raises Failure, before anything is written, where a file of another's stands in the way.
    """
    targets = [(root / each.path, each) for each in files]
    for path, _ in targets:
        _refuse_foreign(path)
    # The script comes last in the list and must stand before apt's configuration names it.
    for path, each in reversed(targets):
        path.parent.mkdir(parents=True, exist_ok=True)
        # apt passes over names that end so, should we be stopped before the rename.
        temporary = path.with_name(f"{path.name}.tidegate-new~")
        temporary.write_text(each.content)
        temporary.chmod(each.mode)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.rename(path)
    return tuple(path for path, _ in targets)


def take_away(files: Sequence[ClientFile], root: Path) -> tuple[Path, ...]:
    """Remove those of the files that are there; the paths removed. Raises Failure for another's file."""
    paths = [root / each.path for each in files if (root / each.path).exists()]
    for path in paths:
        _refuse_foreign(path)
    for path in paths:
        path.unlink()
    return tuple(paths)


def _refuse_foreign(path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_ours = MARKER.encode() in file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return
    if not is_ours:
        todo = "It was not written by tidegate client-config: move it away first."
        raise Failure(ExitCode.CANNOT_CREATE, Complaint("there is a file of this name already", str(path), todo))
