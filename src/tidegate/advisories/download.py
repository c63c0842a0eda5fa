"""A feed's file from one source into its folder: only if it changed, on from where it broke off, bounded."""

import asyncio
import errno
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tidegate.advisories.documents import Validator
from tidegate.advisories.feed_folder import Coming, FeedFolder
from tidegate.sources.archive import Endpoint, Source
from tidegate.sources.attempt import refusal
from tidegate.sources.client import Getter
from tidegate.sources.connection import Head
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import Health
from tidegate.sources.whole import Whole
from tidegate.store.journal import boot_id

RESUMES_MAX = 8
"""One source is asked to go on so many times in one round, as long as each time brings something."""
ROOM_STEP_BYTES = 16 << 20
"""Of a file whose size nobody says, the room is looked at after so much."""
FRESH = {"Cache-Control": "max-age=0"}

AGE_HEADERS = ("age", "x-tidegate-age")
_AGE = re.compile(r"[0-9]{1,10}\Z").match
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z").match
_PACKED = re.compile(r"\.(gz|tgz|xz|zst|bz2|zip)\Z")
_RANGE_NOT_THERE = 416


@dataclass(frozen=True, slots=True)
class Access:
    """How sources are reached, and what is known of them. `room` says how many bytes may still be written."""

    getter: Getter
    health: Health
    room: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Come:
    """A whole file, in the folder as what is coming. Nobody has looked into it."""

    file: str
    size: int
    validator: Validator
    resumed_at: int = 0
    """It went on from this byte."""
    age_s: int = 0
    """So long ago it was known to be the newest, by the word of a source that has it from others."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source says that what we have is still the newest, or was so long ago."""

    age_s: int = 0


async def small(access: Access, source: Source, place: tuple[Endpoint, str], *, size_max: int) -> bytes:
    """A small file that belongs to what `source` gives, such as a list of digests. Raises FetchError."""
    whole = Whole(size_max, frozenset({200}), access.health.now)
    endpoint, target = place
    with _counted(access.health, source) as counted:
        await access.getter.get(endpoint, target, FRESH, whole)
        counted.answered_at, counted.size = whole.answered_at, len(whole.body)
    return bytes(whole.body)


async def download(
    access: Access,
    source: Source,
    folder: FeedFolder,
    file: str,
    *,
    size_max: int,
    known: Validator | None,
    listed: str = "",
) -> Come | Unchanged:
    """The file at a source. `known` answers for what we have of it; `listed` is the SHA-256 that it has to have.

    Raises FetchError, and OSError for a disk that takes no more; then what was on its way is given up, to leave room.
    """
    for attempt in range(RESUMES_MAX + 1):
        begun = _goes_on(folder, source, file, listed)
        if listed and begun is not None and begun[1] == begun[0].size:
            return _come(*begun, resumed_at=begun[1])
        sink = _Sink(access, source, folder, file, size_max=size_max, listed=listed, begun=begun)
        try:
            with _counted(access.health, source) as counted:
                try:
                    await access.getter.get(source.endpoint, source.base, sink.headers(known), sink)
                finally:
                    counted.answered_at, counted.size = sink.answered_at, sink.position - sink.offset
                    sink.close()
                sink.check_end()
        except FetchError as error:
            if error.status == _RANGE_NOT_THERE and sink.asked_from:
                folder.drop_coming()
            elif not error.is_passing or sink.position <= sink.offset or attempt == RESUMES_MAX:
                raise
            continue
        except OSError:
            folder.drop_coming()
            raise
        if sink.unchanged and begun is not None:
            return _come(*begun, resumed_at=begun[1], age_s=sink.age_s)
        if sink.unchanged:
            return Unchanged(sink.age_s)
        assert sink.coming is not None
        return _come(sink.coming, sink.position, resumed_at=sink.offset, age_s=sink.age_s)
    raise FetchError(Failure.CUT, "broke off again and again")


def _come(coming: Coming, size: int, *, resumed_at: int, age_s: int = 0) -> Come:
    return Come(coming.file, size, Validator(coming.etag, coming.last_modified), resumed_at, age_s)


def _age_s(headers: Mapping[str, str]) -> int:
    """The oldest that an answer says of itself: a cache's Age (RFC 9111, 5.1), and another gateway's own word."""
    told = (headers.get(name, "").strip() for name in AGE_HEADERS)
    return max((int(one) for one in told if _AGE(one)), default=0)


def _goes_on(folder: FeedFolder, source: Source, file: str, listed: str) -> tuple[Coming, int] | None:
    """What broke off and may go on at this source: the same bytes by their digest, or by this source's own word."""
    found = folder.coming()
    if found is None:
        return None
    coming, there = found
    by_digest = bool(listed) and coming.listed == listed
    by_word = not listed and coming.url == source.url and bool(_strong(coming))
    fits = coming.file == file and there > 0 and (coming.size is None or there <= coming.size)
    return (coming, there) if fits and (by_digest or by_word) else None


def _strong(coming: Coming) -> str | None:
    """A validator that If-Range may be asked with (RFC 9110, 13.1.5)."""
    if coming.etag and not coming.etag.startswith("W/"):
        return coming.etag
    return coming.last_modified


class _Sink:
    """Where one answer goes. `position` is where its next byte belongs, `offset` where its first one did."""

    def __init__(
        self,
        access: Access,
        source: Source,
        folder: FeedFolder,
        file: str,
        *,
        size_max: int,
        listed: str,
        begun: tuple[Coming, int] | None,
    ) -> None:
        self._access = access
        self._url = source.url
        self._folder = folder
        self._file = file
        self._size_max = size_max
        self._listed = listed
        self._begun = begun
        self._is_all_there = begun is not None and begun[1] == begun[0].size
        self._fd = -1
        self._room_bytes = 0
        self.asked_from = begun[1] if begun else 0
        self.offset = self.position = 0
        self.answered_at: float | None = None
        self.unchanged = False
        self.age_s = 0
        self.coming: Coming | None = None

    def headers(self, known: Validator | None) -> dict[str, str]:
        """What to ask with."""
        if self._begun is not None and self._is_all_there:  # came whole, and was not read: is it still the newest?
            known = Validator(self._begun[0].etag, self._begun[0].last_modified)
        elif self._begun is not None:
            coming, there = self._begun
            strong = _strong(coming) if coming.url == self._url else None
            return FRESH | {"Range": f"bytes={there}-"} | ({"If-Range": strong} if strong else {})
        asked = dict(FRESH)
        if known is not None and known.etag:
            asked["If-None-Match"] = known.etag
        if known is not None and known.last_modified:
            asked["If-Modified-Since"] = known.last_modified
        return asked

    def head(self, head: Head) -> None:
        self.answered_at, self.age_s = asyncio.get_running_loop().time(), _age_s(head.headers)
        if head.status == 304 and (self._begun is None or self._is_all_there):
            self.unchanged = True
            return
        if head.status == 206 and self._begun is not None and not self._is_all_there:
            self._goes_on_at(head, *self._begun)
        elif head.status != 200:
            raise refusal(head, self._access.health.now())
        encoding = head.headers.get("content-encoding", "identity").lower()
        if encoding not in ("", "identity") and not _PACKED.search(self._file):
            raise FetchError(Failure.MALFORMED, f"is packed as {encoding[:40]}, which nobody asked for")
        size = None if head.length is None else self.offset + head.length
        if size is not None and size > self._size_max:
            raise FetchError(Failure.OVERSIZED, f"{size:,} bytes, at most {self._size_max:,} are taken")
        self._take_room((size or 0) - self.offset)
        self.coming = Coming(
            url=self._url,
            file=self._file,
            size=size,
            etag=head.headers.get("etag"),
            last_modified=head.headers.get("last-modified"),
            listed=self._listed,
            boot=boot_id(),
        )
        self._fd = self._folder.begin(self.coming, append=self.offset > 0)

    def _goes_on_at(self, head: Head, coming: Coming, there: int) -> None:
        told = head.headers.get("content-range", "")
        found = _CONTENT_RANGE(told)
        if found is None or int(found[1]) != there or (coming.size is not None and int(found[3]) != coming.size):
            raise FetchError(Failure.MALFORMED, f"another range than asked for: {told[:80]}")
        self.offset = self.position = there

    def data(self, data: memoryview) -> None:
        if self._fd < 0:
            return
        if self.position + len(data) > self._size_max:
            raise FetchError(Failure.OVERSIZED, f"more than {self._size_max:,} bytes")
        self._take_room(len(data))
        while data:
            written = os.write(self._fd, data)
            self._room_bytes -= written
            self.position += written
            data = data[written:]

    def _take_room(self, size: int) -> None:
        """Raises OSError where the disk is for what is served."""
        if size <= self._room_bytes:
            return
        self._room_bytes = self._access.room()
        if size > self._room_bytes:
            raise OSError(errno.ENOSPC, "there is no room for a feed beside what is served")
        if self.coming is None or self.coming.size is None:
            self._room_bytes = min(self._room_bytes, max(size, ROOM_STEP_BYTES))

    def check_end(self) -> None:
        """Raises FetchError where it was not all."""
        if self.coming is not None and self.coming.size is not None and self.position < self.coming.size:
            raise FetchError(Failure.CUT, f"ended {self.coming.size - self.position:,} bytes short")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _counted:  # noqa: N801  # a context manager, which reads as a word
    """What health is told of one exchange. Whoever finds the bytes right or wrong tells it that as well."""

    def __init__(self, health: Health, source: Source) -> None:
        self._health = health
        self._url = source.url
        self.answered_at: float | None = None
        self.size = 0

    def __enter__(self) -> "_counted":
        self._health.asked(self._url)
        self._began = asyncio.get_running_loop().time()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self.answered_at is not None:
            self._health.answered(self._url, self.answered_at - self._began)
        if isinstance(error, FetchError):
            self._health.failed(self._url, error)
        elif error is None and self.answered_at is not None:
            seconds = asyncio.get_running_loop().time() - self.answered_at
            self._health.delivered(self._url, size=self.size, seconds=seconds)
