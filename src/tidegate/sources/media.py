"""Folders of this machine as sources (kind `media`): a disc, a mounted share, a copy that somebody carried in.

`Media.get` answers as a host would: 200, 206, 304, 404, 416. What it reads is verified like anybody's bytes. Reading
happens in threads of its own, a few for each folder, since a mount whose other end died holds a thread until the
kernel lets go: the request ends at its deadline, the thread keeps its place, and nothing else waits for it.
"""

import asyncio
import contextlib
import email.utils
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tidegate.archive.errors import BadPath
from tidegate.archive.paths import canonical
from tidegate.sources.archive import Endpoint
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.settings import FetchSettings

PIECE_BYTES = 262_144
READS_PER_FOLDER_MAX = 4
THREADS_MAX = 32
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})").fullmatch
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # to open a pipe must not wait for its writer

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Opened:
    fd: int
    size: int
    changed_ns: int


class Media:
    """A `Getter` for folders, for one event loop. `close` waits for no thread."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(THREADS_MAX, "media")
        self._places: dict[Path, asyncio.Semaphore] = {}

    async def get(
        self,
        endpoint: Endpoint,
        target: str,
        headers: dict[str, str],
        sink: Sink,
        begun: Callable[[], None] | None = None,
    ) -> None:
        """GET a target below `endpoint.root`. Raises FetchError, or what the sink raised."""
        assert endpoint.root is not None
        limit = self._settings.first_byte_timeout_s
        turn = await self._turn(endpoint.root)
        try:
            if begun is not None:
                begun()
            silent = FetchError(Failure.SILENT, f"{endpoint.root}: no answer within {limit:g} s")
            opened = await turn.do(_open, endpoint.root, target, within_s=limit, late=silent)
            head, first, end = _answer(opened, headers)
            sink.head(head)
            await self._send(turn, opened.fd, first, end, sink)
        finally:
            turn.end()

    async def _send(self, turn: "_Turn", fd: int, first: int, end: int, sink: Sink) -> None:
        limit = self._settings.silence_timeout_s
        stalled = FetchError(Failure.STALLED, f"no byte for {limit:g} s")
        while first < end:
            piece = await turn.do(_read, fd, min(PIECE_BYTES, end - first), first, within_s=limit, late=stalled)
            if not piece:
                raise FetchError(Failure.CUT, f"ended {end - first:,} bytes short")
            sink.data(memoryview(piece))
            first += len(piece)

    def close(self) -> None:
        """Begin no more reads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, root: Path) -> "_Turn":
        """Wait for a place among the reads of this folder. Raises FetchError where dead ones hold them all."""
        places = self._places.setdefault(root, asyncio.Semaphore(READS_PER_FOLDER_MAX))
        limit = self._settings.first_byte_timeout_s
        try:
            async with asyncio.timeout(limit):
                await places.acquire()
        except TimeoutError:
            raise FetchError(Failure.SILENT, f"{root}: earlier reads have not ended for {limit:g} s") from None
        return _Turn(places, self._threads)


class _Turn:
    """One request's place, and the one thing that a thread does for it at a time."""

    def __init__(self, places: asyncio.Semaphore, threads: ThreadPoolExecutor) -> None:
        self._places = places
        self._threads = threads
        self._opening: Future[Any] | None = None
        self._last: Future[Any] | None = None

    async def do(self, work: Callable[..., _T], *args: object, within_s: float, late: FetchError) -> _T:
        """`work` in a thread. Raises what it raises, and `late` where it does not end in time."""
        try:
            future: Future[_T] = self._threads.submit(work, *args)
        except RuntimeError:
            raise FetchError(Failure.UNREACHABLE, "this gateway is stopping") from None
        self._last = future
        if self._opening is None:
            self._opening = future
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise late from None

    def end(self) -> None:
        """Close the file and give the place back: at once, or when the thread comes back from where it is stuck."""
        if self._last is None or self._last.done():
            self._free()
            return
        loop = asyncio.get_running_loop()

        def came_back(_: "Future[Any]") -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and this place with it
                loop.call_soon_threadsafe(self._free)

        self._last.add_done_callback(came_back)

    def _free(self) -> None:
        opening = self._opening
        if opening is not None and not opening.cancelled() and opening.exception() is None:
            os.close(opening.result().fd)
        self._places.release()


# In a thread


def _open(root: Path, target: str) -> _Opened:
    """The file that a target names, if it is one and lies below the folder, whatever links lead to it."""
    try:
        path = canonical(target)
    except BadPath as error:
        raise FetchError(Failure.STATUS, f"answers 400: {error}", 400) from None
    try:
        top = os.path.realpath(root, strict=True)
    except OSError as error:
        raise FetchError(Failure.UNREACHABLE, f"{root}: {error.strerror}; is it mounted?") from None
    try:
        real = os.path.realpath(f"{top}/{path}", strict=True)
        if real == top:
            raise FetchError(Failure.STATUS, "answers 404: the folder itself is no file", 404)
        if not real.startswith(f"{top}/"):
            raise FetchError(Failure.STATUS, f"answers 403: {path} leads out of {root}", 403)
        fd = _descend(top, real.removeprefix(f"{top}/").split("/"))
    except (FileNotFoundError, NotADirectoryError):
        raise _absent(root, path) from None
    except OSError as error:
        raise FetchError(Failure.STATUS, f"answers 403: {path}: {error.strerror}", 403) from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise FetchError(Failure.STATUS, f"answers 404: {path} is no file", 404)
    return _Opened(fd, found.st_size, found.st_mtime_ns)


def _descend(top: str, names: list[str]) -> int:
    """Open what `realpath` found, name by name and without following a link: one planted since is not followed."""
    folder = os.open(top, _FOLDER)
    try:
        for name in names[:-1]:
            inner = os.open(name, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(names[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _absent(root: Path, path: str) -> FetchError:
    """It is not there; nor is anything else where the disc is not in its drive."""
    try:
        with os.scandir(root) as entries:
            is_empty = next(entries, None) is None
    except OSError as error:
        return FetchError(Failure.UNREACHABLE, f"{root}: {error.strerror}; is it mounted?")
    if is_empty:
        return FetchError(Failure.UNREACHABLE, f"{root}: is empty; is it mounted?")
    return FetchError(Failure.STATUS, f"answers 404: no {path}", 404)


def _read(fd: int, count: int, offset: int) -> bytes:
    try:
        return os.pread(fd, count, offset)
    except OSError as error:  # the disc's, not our own: an OSError would blame the store
        raise FetchError(Failure.CUT, f"{error.strerror} at byte {offset:,}") from None


# Pure


def _answer(opened: _Opened, headers: dict[str, str]) -> tuple[Head, int, int]:
    """The head, and from which byte up to which follow (RFC 9110, 13.1 and 14)."""
    size = opened.size
    told = {
        "etag": f'"{opened.changed_ns:x}-{size:x}"',
        "last-modified": email.utils.formatdate(opened.changed_ns // 1_000_000_000, usegmt=True),
    }
    if "If-None-Match" in headers:
        unchanged = headers["If-None-Match"] == told["etag"]
    else:
        unchanged = headers.get("If-Modified-Since") == told["last-modified"]
    if unchanged:
        return Head(304, told, 0), 0, 0
    asked = _RANGE(headers.get("Range", ""))
    if asked is None:
        return Head(200, told, size), 0, size
    first, end = int(asked[1]), min(size, int(asked[2]) + 1 if asked[2] else size)
    if first >= end:
        return Head(416, {**told, "content-range": f"bytes */{size}"}, 0), 0, 0
    told["content-range"] = f"bytes {first}-{end - 1}/{size}"
    return Head(206, told, end - first), first, end
