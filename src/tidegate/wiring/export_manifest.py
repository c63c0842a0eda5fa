"""The manifest of an export: what its folder holds, and what was put there when."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tidegate import __version__
from tidegate.archive.errors import FormatError
from tidegate.archive.paths import listed
from tidegate.holding.carrying import Piece
from tidegate.web.export_report import (
    FORM,
    MANIFEST,
    MANIFEST_BYTES_MAX,
    RUNS_MAX,
    ExportedFile,
    ExportManifest,
    ExportRun,
    SuiteExport,
)
from tidegate.wiring.export_folder import ExportFolder


def write_manifest(
    folder: ExportFolder, run: ExportRun, suites: tuple[SuiteExport, ...], there: Iterable[Piece]
) -> None:
    """Say what this run leaves in the folder. What earlier runs put there stays named, as long as it is there.

    Raises OSError.
    """
    earlier = read_manifest(folder.top) or ExportManifest(tidegate=__version__, runs=(), suites=(), files=())
    files = {one.path: one for one in earlier.files if _is_there(folder, one)}
    for piece in there:
        before = files.get(piece.path)
        if before is None or before.sha256 != piece.digest.hex():
            files[piece.path] = ExportedFile(path=piece.path, sha256=piece.digest.hex(), size=piece.size, at=run.at)
    carried = {(one.archive, one.suite) for one in suites}
    manifest = ExportManifest(
        tidegate=__version__,
        runs=(*earlier.runs, run)[-RUNS_MAX:],
        suites=(*(one for one in earlier.suites if (one.archive, one.suite) not in carried), *suites),
        files=tuple(files[path] for path in sorted(files)),
    )
    folder.write(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")


def read_manifest(folder: Path) -> ExportManifest | None:
    """The manifest that lies there; None where there is none that can be read."""
    try:
        fd = os.open(folder / MANIFEST, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        data = file.read(MANIFEST_BYTES_MAX + 1)
    if len(data) > MANIFEST_BYTES_MAX:
        return None
    try:
        manifest = msgspec.json.decode(data, type=ExportManifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return manifest if manifest.form == FORM else None


def _is_there(folder: ExportFolder, one: ExportedFile) -> bool:
    try:
        if listed(one.path) != one.path:
            return False
    except FormatError:  # a manifest may come from anywhere
        return False
    return folder.has(Piece(one.path, bytes.fromhex(one.sha256), one.size), by_digest=False)
