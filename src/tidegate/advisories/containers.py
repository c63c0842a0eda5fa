"""Where records come from: a file, a directory, a tar or zip archive, lines, or one large document.

The only module of the room that opens what a feed is in. Everything is read once, in order, and bounded.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tidegate.advisories import json_members, tar
from tidegate.advisories.json_members import RECORD_BYTES_MAX
from tidegate.advisories.statement import Piece, Problem
from tidegate.archive.decompress import decompressed
from tidegate.archive.errors import FormatError

CONTENT_BYTES_MAX = 128 * 2**30
"""What a feed may hold when it is unpacked: Ubuntu's OpenVEX had some 26 GB in 2026, and the time to read it is limited
as well."""
FILES_MAX = 2_000_000
ANY = re.compile("")

_CHUNK_BYTES = 2**20
_COMPRESSED = re.compile(r"\.(gz|xz|zst|bz2)\Z")
_TAR = re.compile(r"\.(tar(\.(gz|xz|zst|bz2))?|tgz)\Z")
_LINES = re.compile(r"\.jsonl(\.(gz|xz|zst|bz2))?\Z")


def content(path: Path) -> Iterator[bytes]:
    """A file's content, decompressed by its name. Raises FormatError and OSError."""
    name = re.sub(r"\.tgz\Z", ".tar.gz", path.name)
    return decompressed(_chunks(path), name, size_max=CONTENT_BYTES_MAX)


def records(
    path: Path, *, wanted: re.Pattern[str] = ANY, record_max: int = RECORD_BYTES_MAX
) -> Iterator[Piece | Problem]:
    """Records that are a file each: of a directory or an archive, where `wanted` is found in their names; or lines.

    Raises FormatError and OSError; what was handed out before then has to be dropped.
    """
    if path.is_dir():
        yield from _of_directory(path, wanted, record_max)
    elif path.name.endswith(".zip"):
        yield from _of_zip(path, wanted, record_max)
    elif _TAR.search(path.name):
        yield from tar.members(content(path), record_max=record_max, wanted=wanted)
    elif _LINES.search(path.name):
        for number, line in enumerate(lines(content(path), line_max=record_max), 1):
            where = f"line {number}"
            if line is None:
                yield Problem("", where, f"more than {record_max} bytes")
            elif line.strip():
                yield Piece(where, line)
    else:
        yield _whole(_COMPRESSED.sub("", path.name), content(path), record_max)


def members(path: Path, *, record_max: int = RECORD_BYTES_MAX) -> Iterator[Piece | Problem]:
    """Records that are members of one JSON document (see `json_members`). Raises FormatError and OSError."""
    return json_members.members(content(path), record_max=record_max)


def lines(chunks: Iterable[bytes], *, line_max: int) -> Iterator[bytes | None]:
    """Lines without their ends; None for one longer than `line_max` bytes, of which no more than that is held."""
    kept: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            size += len(part)
            yield b"".join((*kept, part)) if size <= line_max else None
            kept, size = [], 0
        size += len(rest)
        if size > line_max:
            kept = []
        elif rest:
            kept.append(rest)
    if size:
        yield b"".join(kept) if size <= line_max else None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _whole(name: str, chunks: Iterable[bytes], record_max: int) -> Piece | Problem:
    """One record; the rest of one that is too large is read all the same, for a broken file to be seen as one."""
    kept: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size <= record_max:
            kept.append(chunk)
        else:
            kept = []
    return Piece(name, b"".join(kept)) if size <= record_max else Problem("", name, f"more than {record_max} bytes")


def _of_directory(path: Path, wanted: re.Pattern[str], record_max: int) -> Iterator[Piece | Problem]:
    """In the order of their names; symbolic links are not followed."""
    count = 0
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            shown = file.relative_to(path).as_posix()
            if file.is_symlink() or not wanted.search(shown):
                continue
            count += 1
            if count > FILES_MAX:
                raise FormatError(f"more than {FILES_MAX} files", str(path))
            yield _whole(shown, _chunks(file), record_max)


def _raise(error: OSError) -> None:
    raise error


def _of_zip(path: Path, wanted: re.Pattern[str], record_max: int) -> Iterator[Piece | Problem]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > FILES_MAX:
                raise FormatError(f"more than {FILES_MAX} files", path.name)
            for entry in entries:
                if not entry.is_dir() and wanted.search(entry.filename):
                    yield _whole(entry.filename, _entry(archive, entry), record_max)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"cannot be read: {error}", path.name) from None


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
