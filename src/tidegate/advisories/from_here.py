"""A feed from a path of this machine: a file, a directory of records, or another gateway's feeds, carried here."""

import asyncio
import os
import shutil
from email.utils import formatdate
from pathlib import Path

from tidegate.advisories.at_hand import AtHand, Brought, News, Same, date_of
from tidegate.advisories.documents import CURRENT, Entry, Validator, document_of, read_entry
from tidegate.advisories.feed_folder import Coming
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.from_files import digest_of
from tidegate.advisories.subscription import file_of
from tidegate.sources.archive import Source
from tidegate.sources.failure import Failure, FetchError
from tidegate.store.journal import boot_id


async def from_here(at_hand: AtHand, source: Source, path: Path) -> Brought | Same:
    """Take in what is at `path`. Raises FetchError, UnfitError and OSError."""
    name = at_hand.subscription.name
    found = await asyncio.to_thread(_look, path, name)
    match found:
        case Entry():
            return await _carried(at_hand, source, path, found)
        case os.stat_result():
            return await _file(at_hand, source, path, found)
        case mtime:
            feed = FEEDS.get(name)
            if feed is None or feed.member is not None:
                raise at_hand.unfit(source, "it is a directory, and this feed is one file")
            news = News(path, source.url, at_hand.now, at_hand.now, published=mtime)
            return Brought(source.url, news.verified, await at_hand.read(source, news), None)


def _look(path: Path, name: str) -> Entry | os.stat_result | int:
    """What is there: of a folder of feeds its entry, of a file its status, of a directory when it was changed."""
    if (path / name / CURRENT).is_file() and (entry := read_entry(path, name)) is not None:
        return entry
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FetchError(Failure.UNREACHABLE, f"there is nothing at {path}") from None
    return int(status.st_mtime) if path.is_dir() else status


async def _file(at_hand: AtHand, source: Source, path: Path, status: os.stat_result) -> Brought | Same:
    there = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
    validator = Validator(there, formatdate(status.st_mtime, usegmt=True))
    entry = at_hand.known_entry()
    if entry is not None and entry.validators.get(source.url) == validator:
        return await at_hand.same(source, entry, validator, at_hand.now)
    file = file_of(source)
    news = News(at_hand.folder.coming_path(file), source.url, at_hand.now, at_hand.now, published=int(status.st_mtime))
    return await _copy_and_read(at_hand, source, path, news, file, validator)


async def _carried(at_hand: AtHand, source: Source, folder: Path, entry: Entry) -> Brought | Same:
    """As old as it was where it comes from: carrying it makes nothing newer."""
    carried = document_of(folder, at_hand.subscription.name, entry)
    at = min(entry.confirmed_at, at_hand.now)
    mine = at_hand.known_entry()
    if mine is not None and mine.file == entry.file:
        return await at_hand.same(source, mine, Validator(), at)
    news = News(
        path=at_hand.folder.coming_path(carried.file_name),
        origin=f"{source.url}, from {entry.origin}",
        at=at,
        fetched_at=min(entry.fetched_at, at),
        published=date_of(entry.last_modified),
    )
    validator = Validator(last_modified=entry.last_modified)
    return await _copy_and_read(
        at_hand, source, carried.path, news, carried.file_name, validator, expected=carried.digest
    )


async def _copy_and_read(
    at_hand: AtHand,
    source: Source,
    path: Path,
    news: News,
    file: str,
    validator: Validator,
    *,
    expected: bytes | None = None,
) -> Brought:
    size = await asyncio.to_thread(_copied, at_hand, path, source, file)
    digest = await asyncio.to_thread(digest_of, news.path)
    if expected is not None and digest != expected:
        raise at_hand.unfit(source, "its bytes are not those that were put there")
    taken = await at_hand.read(source, news)
    document = await at_hand.publish(source, news, digest, file, size, validator)
    return Brought(source.url, news.verified, taken, document)


def _copied(at_hand: AtHand, path: Path, source: Source, file: str) -> int:
    """A copy in the feed's folder, and how large it is. Raises FetchError, OSError."""
    size, size_max = path.stat().st_size, at_hand.subscription.bytes_max
    if size > size_max:
        raise FetchError(Failure.OVERSIZED, f"{size:,} bytes, at most {size_max:,} are taken")
    fd = at_hand.folder.begin(Coming(source.url, file, size, None, None, "", boot_id()), append=False)
    try:
        with path.open("rb") as original, os.fdopen(fd, "wb") as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
    except OSError:
        at_hand.folder.drop_coming()
        raise
    return size
