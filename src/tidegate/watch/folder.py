"""What is kept of watches, below one directory: how each page stands, its copies, and what hosts' robots.txt say.

NAME/standing.json    how the page stood last
NAME/copy.warc.gz     its last good copy; NAME/before.warc.gz an earlier one
NAME/coming.*         on its way; never read
.robots/HOST.json     what robots.txt of a host said last

Every file is whole or as it was: written beside, synced where it cannot be had again, then renamed.
"""

import hashlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tidegate.watch import warc
from tidegate.watch.robots import Robots
from tidegate.watch.settings import COPY_BYTES_MAX
from tidegate.watch.standing import Standing
from tidegate.watch.warc import CopiedPage
from tidegate.watch.watch import Exchange, Watch

T = TypeVar("T")
_NUMBERS = itertools.count()

COPY = "copy.warc.gz"
BEFORE = "before.warc.gz"
STANDING = "standing.json"
ROBOTS = ".robots"
ROBOTS_FILES_MAX = 128
FILE_BYTES_MAX = 4 << 20
"""Of a JSON file of ours."""


class CopyNote(Struct, frozen=True, kw_only=True):
    """What is known of a copy without reading it."""

    url: str
    """Where it was found at last."""
    taken_at: float
    content_type: str
    bytes: int
    file_bytes: int
    digest: str
    """SHA-256 of the page."""


class Kept(Struct, frozen=True, kw_only=True):
    """standing.json."""

    url: str
    standing: Standing = Standing()
    copy: CopyNote | None = None
    before: CopyNote | None = None
    not_kept: str = ""
    """Why the last good answer did not become a copy."""


class WatchFolder:
    """`STATE/watch`. What it does with files it does at once; all may raise OSError."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> tuple[str, ...]:
        """Watches of which something is kept."""
        try:
            return tuple(sorted(path.name for path in self._root.iterdir() if not path.name.startswith(".")))
        except FileNotFoundError:
            return ()

    def standing(self, name: str) -> Kept | None:
        """How it stood last; None where that is not known."""
        return _decoded(self._root / name / STANDING, Kept)

    def read(self, watch: Watch) -> Kept | None:
        """How it stood last. Where that is lost, as after a power cut, its copies speak for themselves."""
        kept = self.standing(watch.name)
        if kept is not None:
            return kept
        notes = [self._note_of(watch, before=before) for before in (False, True)]
        return Kept(url=watch.url, copy=notes[0], before=notes[1]) if any(notes) else None

    def _note_of(self, watch: Watch, *, before: bool) -> CopyNote | None:
        path = self.copy_path(watch.name, before=before)
        try:
            page, size = warc.read(path, COPY_BYTES_MAX), path.stat().st_size
        except OSError:
            return None
        return note_of(page, size) if page.asked == watch.url else None

    def write(self, name: str, kept: Kept, *, durable: bool = False) -> None:
        """How it stands."""
        _put(self._root / name / STANDING, msgspec.json.encode(kept), durable=durable)

    def drop(self, name: str) -> None:
        """Forget a watch and its copies."""
        shutil.rmtree(self._root / name, ignore_errors=True)

    def copy_path(self, name: str, *, before: bool = False) -> Path:
        """Where the copy is, if there is one."""
        return self._root / name / (BEFORE if before else COPY)

    def keep(self, watch: Watch, exchanges: tuple[Exchange, ...], *, rotate: bool) -> int:
        """Make this the copy, and what was it the one before, if told to; the bytes that it takes.

        Killed at any moment it leaves the old copy or the new one, whole.
        """
        path = self.copy_path(watch.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        coming = _coming(path)
        try:
            warc.write(coming, watch, exchanges)
            size = coming.stat().st_size
            if rotate and path.exists():
                earlier = _coming(path)
                earlier.hardlink_to(path)
                earlier.replace(path.with_name(BEFORE))
            coming.replace(path)
        except BaseException:
            coming.unlink(missing_ok=True)
            raise
        _sync(path.parent)
        return size

    def drop_copies(self, name: str) -> None:
        """Remove a watch's copies."""
        for before in (False, True):
            self.copy_path(name, before=before).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what died on its way, and robots files beyond what is remembered. Not while another process keeps."""
        for name in (ROBOTS, *self.names()):
            for path in (self._root / name).glob("coming.*"):
                path.unlink(missing_ok=True)
        found = sorted((self._root / ROBOTS).glob("*"), key=lambda path: path.stat().st_mtime)
        for path in found[: max(0, len(found) - ROBOTS_FILES_MAX)]:
            path.unlink(missing_ok=True)


class RobotsFolder:
    """`asking.RobotsFiles`, in memory and on the disk; `complain` hears where that fails."""

    def __init__(self, root: Path, complain: Callable[[str], None]) -> None:
        self._root = root / ROBOTS
        self._complain = complain
        self._known: dict[str, Robots] = {}

    def get(self, place: str) -> Robots | None:
        if place not in self._known:
            found = _decoded(self._path(place), Robots)
            if found is None:
                return None
            self._remember(place, found)
        return self._known[place]

    def put(self, place: str, told: Robots) -> None:
        self._remember(place, told)
        try:
            _put(self._path(place), msgspec.json.encode(told))
        except OSError as error:
            self._complain(f"what {place} says to robots could not be written down: {error}")

    def _remember(self, place: str, told: Robots) -> None:
        while len(self._known) >= ROBOTS_FILES_MAX:
            del self._known[next(iter(self._known))]
        self._known[place] = told

    def _path(self, place: str) -> Path:
        return self._root / f"{quote(place, safe='')}.json"


def _decoded(path: Path, kind: type[T]) -> T | None:
    """Spoiled, it is only a memory, and begun anew."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(FILE_BYTES_MAX), type=kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def note_of(page: CopiedPage, file_bytes: int) -> CopyNote:
    """What is to be known of a copy."""
    return CopyNote(
        url=page.url,
        taken_at=page.taken_at,
        content_type=page.content_type,
        bytes=len(page.body),
        file_bytes=file_bytes,
        digest=hashlib.sha256(page.body).hexdigest(),
    )


def _coming(path: Path) -> Path:
    """Where a file is before it is whole: nobody else's, whichever thread or process writes."""
    return path.with_name(f"coming.{os.getpid()}.{next(_NUMBERS)}.{path.name}")


def _put(path: Path, data: bytes, *, durable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = _coming(path)
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
