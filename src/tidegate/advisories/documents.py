"""Feeds' files as their publishers made them: the newest of each, byte for byte, for whoever asks for these.

    STATE/feeds/NAME/current.json       what is the newest: this module's `Document`, written last and in one step
    STATE/feeds/NAME/DIGEST.FILE        its bytes

A name is a feed's (`ubuntu-osv`) or, of what nobody here reads, the file's own (`com.ubuntu.noble.pkg.json.xz`). Any
process may read; `feed_folder` writes.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from tidegate.advisories.history import Verified

CURRENT = "current.json"
TRIES_MAX = 4
"""What is replaced while it is being opened is looked up anew."""

_NAME = re.compile(r"[a-z][a-z0-9.-]{0,99}")
_FILE = re.compile(r"[0-9a-f]{64}\.[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Document:
    """A feed's file as it was fetched, and what is known of it. Times are epoch seconds.

    `digest` is its SHA-256. `fetched_at` is when these bytes came, `confirmed_at` when their source last said that
    they are still the newest. `last_modified` is the source's own word for their age, as an HTTP date, if it had one.
    """

    name: str
    path: Path
    size: int
    digest: bytes
    fetched_at: int
    confirmed_at: int
    origin: str
    verified: Verified
    last_modified: str | None = None

    @property
    def file_name(self) -> str:
        """What its publisher calls it: `osv-all.tar.xz`."""
        return self.path.name.partition(".")[2]


class Entry(msgspec.Struct, frozen=True):
    """`current.json`."""

    file: str
    size: int
    fetched_at: int
    confirmed_at: int
    origin: str
    verified: Verified
    last_modified: str | None = None
    validators: dict[str, "Validator"] = {}
    """By source: those that answer for these very bytes."""


class Validator(msgspec.Struct, frozen=True):
    """What a source has to be asked with, to answer only if something changed (RFC 9110, 8.8)."""

    etag: str | None = None
    last_modified: str | None = None


class Documents:
    """The newest file of each feed below a directory (`Layout.feeds`)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def latest(self, name: str) -> Document | None:
        """The newest that was taken in, None where nothing was. Raises OSError where it cannot be read."""
        entry = read_entry(self._root, name)
        return None if entry is None else document_of(self._root, name, entry)

    def open(self, name: str) -> tuple[Document, BinaryIO] | None:
        """The newest, opened: it stays readable, whatever takes its place. Raises OSError."""
        for _ in range(TRIES_MAX):
            document = self.latest(name)
            if document is None:
                return None
            try:
                fd = os.open(document.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            return document, os.fdopen(fd, "rb")
        return None

    def names(self) -> tuple[str, ...]:
        """Every name that there is a document of, sorted. Raises OSError."""
        try:
            found = [entry.name for entry in os.scandir(self._root) if is_name(entry.name)]
        except FileNotFoundError:
            return ()
        return tuple(sorted(name for name in found if (self._root / name / CURRENT).exists()))


def is_name(text: str) -> bool:
    """Whether a document may be called so; every such name is a safe one for a folder."""
    return _NAME.fullmatch(text) is not None


def read_entry(root: Path, name: str) -> Entry | None:
    """What `current.json` says; None where there is none, or none that can be understood. Raises OSError."""
    if not is_name(name):
        return None
    try:
        entry = msgspec.json.decode((root / name / CURRENT).read_bytes(), type=Entry)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if _FILE.fullmatch(entry.file) else None


def document_of(root: Path, name: str, entry: Entry) -> Document:
    """An entry as a document."""
    return Document(
        name=name,
        path=root / name / entry.file,
        size=entry.size,
        digest=bytes.fromhex(entry.file.partition(".")[0]),
        fetched_at=entry.fetched_at,
        confirmed_at=entry.confirmed_at,
        origin=entry.origin,
        verified=entry.verified,
        last_modified=entry.last_modified,
    )
