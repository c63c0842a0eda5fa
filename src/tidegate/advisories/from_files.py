"""A feed from a file or a directory: what was fetched, or was carried across an air gap."""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tidegate.advisories import containers, epss
from tidegate.advisories.feeds import EPSS, FEEDS
from tidegate.advisories.history import History, Provenance, Verified
from tidegate.advisories.taking_in import TakenIn, epss_lines, take_in, take_in_scores

PROGRESS_RECORDS = 1000
_CHUNK_BYTES = 2**20

T = TypeVar("T")


def take_in_path(
    history: History,
    feed: str,
    path: Path,
    *,
    origin: str,
    fetched_at: int,
    verified: Verified = Verified.NOTHING,
    whole: bool = True,
    may_vanish: bool = False,
    published: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> TakenIn:
    """Take in what is at `path` as the feed of that name (`FEEDS`, or EPSS); `fetched_at` in seconds since 1970.

    `published` counts where nothing within the feed says how old it is. `progress` is told how many records were
    looked at, now and then. See `take_in` for `whole` and `may_vanish`. Raises NotTakenInError, FormatError and
    OSError as that does, and KeyError for a feed that there is not.
    """
    digest = digest_of(path)
    if feed != EPSS:
        known = FEEDS[feed]
        dated = None if known.dated or may_vanish else published
        provenance = Provenance(feed, origin, fetched_at, digest, verified, dated)
        pieces = counted(known.pieces(path), progress)
        return take_in(history, known, pieces, provenance, whole=whole, may_vanish=may_vanish)
    lines = counted(epss_lines(containers.content(path)), progress)
    head = next(lines, b"")
    provenance = Provenance(feed, origin, fetched_at, digest, verified, epss.scored_at(head))
    return take_in_scores(history, itertools.chain([head], lines), provenance, may_vanish=may_vanish)


def counted(found: Iterable[T], progress: Callable[[int], None] | None) -> Iterator[T]:
    """The same, and how many so far."""
    for number, one in enumerate(found, 1):
        if progress is not None and number % PROGRESS_RECORDS == 0:
            progress(number)
        yield one


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file; of a directory, over the names and digests of its files. Raises OSError."""
    if not path.is_dir():
        return _of_file(path)
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders.sort()
        for file in (Path(folder, name) for name in sorted(names)):
            if not file.is_symlink():
                digest.update(os.fsencode(file.relative_to(path)) + b"\0" + _of_file(file))
    return digest.digest()


def _raise(error: OSError) -> None:
    raise error


def _of_file(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()
