"""What lies where in the cache of apt-cacher-ng (seen with 3.7).

    debrep/pool/main/h/hello/hello_1.0_amd64.deb     below the name of a Remap- line
    HOST/debian/dists/stable/InRelease               or below the host, without its port
    ….head                                           beside each: the answer's head, with the URL that it came from
    _xstore/, _import/, …                            its own housekeeping

Nothing of it is believed: names and heads only say under which names to look for bytes that signed metadata lists.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidegate.archive.errors import FormatError
from tidegate.archive.paths import canonical

DEPTH_MAX = 32
"""Directories below each other; a pool has seven."""
FILES_MAX = 20_000_000
HEAD_BYTES_MAX = 16_384
HEAD_ENDING = ".head"
_ARTIFACT_ENDINGS = (".deb", ".udeb", ".ddeb", ".dsc")
_SOURCE_ENDINGS = (".tar.xz", ".tar.gz", ".tar.bz2", ".tar.zst", ".tar.lzma", ".diff.gz", ".asc", ".sig")


@dataclass(frozen=True, slots=True)
class Head:
    """What the head beside a file says: its whole size in bytes, and the URL that it was fetched from."""

    size: int | None = None
    url: str | None = None


def read_head(data: bytes) -> Head:
    """A head, or as much of it as can be understood."""
    fields = {}
    for line in data.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    length = fields.get("content-length", "")
    return Head(int(length) if length.isdecimal() and length.isascii() else None, fields.get("x-original-source"))


def names(path: str) -> Iterator[str]:
    """Under which names an archive may list a file of the cache: the tails of its path, longest first.

    Each as it stands on the disk and, where that is another, with its escapes undone.
    """
    segments = path.split("/")
    for start in range(len(segments)):
        tail = "/".join(segments[start:])
        yield tail
        if "%" in tail:
            try:
                yield canonical(tail)
            except FormatError:
                continue


def is_artifact(path: str) -> bool:
    """Whether a file is what an index lists, by its name, rather than an index."""
    return path.endswith(_ARTIFACT_ENDINGS) or ("_" in path.rpartition("/")[2] and path.endswith(_SOURCE_ENDINGS))


def walk(root: Path) -> Iterator[str]:
    """The files of the cache, relative to it, by name. Symlinks are not followed, housekeeping is passed over.

    Raises OSError where a directory cannot be read; one that vanishes meanwhile is passed over.
    """
    count = 0
    waiting = [("", 0)]
    while waiting:
        below, depth = waiting.pop()
        directories: list[str] = []
        for entry in _entries(root, below):
            path = f"{below}{entry.name}"
            if not below and entry.name.startswith("_"):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < DEPTH_MAX:
                    directories.append(f"{path}/")
            elif entry.is_file(follow_symlinks=False) and below and not entry.name.endswith(HEAD_ENDING):
                count += 1
                if count > FILES_MAX:
                    return
                yield path
        waiting += [(directory, depth + 1) for directory in reversed(directories)]


def _entries(root: Path, below: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root / below) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        if not below:
            raise
        return []
