"""What clients turn out to want of a served suite: further indices, Release files beside InRelease, patches.

Each is fetched when it is first asked for, once for all who ask at the same time, and measured against the served
snapshot: it adds to what is known, and never changes which Release is served.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from hashlib import sha256

from tidegate.archive.paths import suite_base
from tidegate.archive.release import IndexEntry, Release, parse_release
from tidegate.keeper.adoption import IncompleteError, Ports, hold_indices, keep_file, list_indices
from tidegate.keeper.polling import Patience, poll, waves
from tidegate.keeper.record import Record
from tidegate.keeper.release_files import Trust, detached
from tidegate.keeper.wanted import indices_that_may_list
from tidegate.sources.archive import Archive, Source
from tidegate.sources.failure import Excluded, FetchError
from tidegate.sources.selection import plan
from tidegate.store.catalogue import Listed, Snapshot
from tidegate.trust.acceptance import content_digest
from tidegate.trust.frame import split_clearsigned
from tidegate.trust.verdict import Refused

SOURCES_AT_ONCE = 2
"""Operators that are asked at once for a Release.gpg; further ones where none of them has it."""
ASK_MORE_AFTER_S = 0.7


class OnDemand:
    """Belongs to one event loop."""

    def __init__(
        self,
        archives: Mapping[str, Archive],
        ports: Ports,
        trust: Trust,
        record: Record,
        now: Callable[[], float],
    ) -> None:
        self._archives = archives
        self._ports = ports
        self._trust = trust
        self._record = record
        self._now = now
        self._under_way: dict[object, asyncio.Task[str | None]] = {}

    def reconfigure(self, archives: Mapping[str, Archive]) -> None:
        """Go by other archives from now on."""
        self._archives = archives

    @property
    def under_way(self) -> "tuple[asyncio.Task[str | None], ...]":
        """What is being fetched now."""
        return tuple(self._under_way.values())

    async def widen(self, archive: str, path: str) -> str | None:
        """A path that no listing has: take in the indices of served snapshots that may list it. None, or why not."""
        # All that `indices_that_may_list` goes by: another architecture's file beside this one is another question.
        directory, _, name = path.rpartition("/")
        key = ("widen", archive, directory, name.rpartition("_")[2])
        return await self._once(key, partial(self._widen, self._archives[archive], path))

    async def complete(self, archive: str, suite: str) -> str | None:
        """Fetch Release and Release.gpg of what is served as InRelease. None, or why not."""
        return await self._once(("complete", archive, suite), partial(self._complete, self._archives[archive], suite))

    async def list_one(self, archive: str, suite: str, path: str) -> str | None:
        """Take in one index (path relative to the suite) that lists other files. None, or why not."""
        key = ("list", archive, suite, path)
        return await self._once(key, partial(self._list_one, self._archives[archive], suite, path))

    async def _once(self, key: object, begin: Callable[[], Coroutine[None, None, str | None]]) -> str | None:
        """Share one run among all that ask for the same."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.get_running_loop().create_task(begin())
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _widen(self, archive: Archive, path: str) -> str | None:
        catalogue, problem = self._ports.catalogue, None
        for snapshot in catalogue.served():
            if snapshot.archive != archive.name:
                continue
            release = self._release_of(snapshot)
            if release is None:
                problem = f"the Release of {snapshot.suite} cannot be read from the store"
                continue
            candidates = indices_that_may_list(path, release, snapshot.suite)
            unlisted = [entry for entry in candidates if not catalogue.has_listing(entry.sha256)]
            if not unlisted:
                continue
            failed = await self._take_in(archive, snapshot.suite, release, unlisted)
            if failed is not None:
                problem = failed
                continue
            for entry in unlisted:
                now = int(self._now())
                await asyncio.to_thread(catalogue.note_asked, archive.name, snapshot.suite, entry.path, now)
        return problem

    async def _list_one(self, archive: Archive, suite: str, path: str) -> str | None:
        snapshot = self._ports.catalogue.snapshot(archive.name, suite)
        if snapshot is None:
            return f"{suite} is not served"
        release = self._release_of(snapshot)
        if release is None:
            return f"the Release of {suite} cannot be read from the store"
        entry = release.entries.get(path)
        if entry is None:
            return None  # the Release does not list it: then it lists nothing
        return await self._take_in(archive, suite, release, [entry])

    async def _take_in(self, archive: Archive, suite: str, release: Release, entries: list[IndexEntry]) -> str | None:
        base = suite_base(suite)
        try:
            await hold_indices(archive, base, entries, self._ports, by_hash=release.acquire_by_hash, required=True)
            await list_indices(base, release, entries, self._ports)
        except IncompleteError as error:
            if self._ports.fetching.alone(archive.sources) is None:  # else it is no news, however often it is asked for
                self._record.note("incomplete", archive, suite, source="all sources", reason=str(error))
            return str(error)
        return None

    async def _complete(self, archive: Archive, suite: str) -> str | None:
        snapshot, health = self._ports.catalogue.snapshot(archive.name, suite), self._ports.fetching.health
        if snapshot is None:
            return f"{suite} is not served"
        planned = plan(archive.sources, (f"{suite_base(suite)}Release",), health, health.now())
        polled = await poll(
            waves((one.source for one in planned.candidates), SOURCES_AT_ONCE),
            partial(self._release_files_or_not, archive, snapshot),
            lambda answers: any(isinstance(answer, list) for answer in answers),
            Patience(ASK_MORE_AFTER_S, grace_s=0.0),
        )
        for straggler in polled.stragglers:
            straggler.cancel()
        kept = next((answer for answer in polled.answers if isinstance(answer, list)), None)
        if kept is None:
            failures = [answer for answer in polled.answers if isinstance(answer, str)]
            excluded = [f"{one.source}: {one.reason}" for one in planned.excluded]
            return "; ".join((*failures, *excluded)) or "no source is configured"
        await asyncio.to_thread(self._ports.catalogue.add_members, snapshot, kept)
        return None

    async def _release_files_or_not(self, archive: Archive, snapshot: Snapshot, source: Source) -> list[Listed] | str:
        """Release and Release.gpg of this very snapshot, kept; or why this source does not give them."""
        try:
            kept = await self._release_files(archive, snapshot, source)
        except (FetchError, IncompleteError) as error:
            self._record.passed_over("source-failed", archive, snapshot.suite, Excluded(source.url, str(error)))
            return f"{source.url}: {error}"
        return kept or f"{source.url}: has no Release and Release.gpg of what is served of {snapshot.suite}"

    async def _release_files(self, archive: Archive, snapshot: Snapshot, source: Source) -> list[Listed]:
        """The same; empty where a source has others. Raises FetchError and IncompleteError."""
        files, _ = await detached(snapshot.suite, source, self._ports.fetching)
        if content_digest(files["Release"]) != snapshot.payload:
            return []
        signed = await asyncio.to_thread(
            self._trust.verifier.verify_detached,
            files["Release"],
            files["Release.gpg"],
            archive.keyring,
            int(self._now()),
        )
        if isinstance(signed, Refused):
            excluded = Excluded(source.url, f"{signed.reason}: {signed.evidence}")
            self._record.passed_over("refused", archive, snapshot.suite, excluded)
            return []
        base = suite_base(snapshot.suite)
        return [await keep_file(base + name, data, self._ports) for name, data in files.items()]

    def _release_of(self, snapshot: Snapshot) -> Release | None:
        """The Release of a served snapshot, read again from the verified blob."""
        base = suite_base(snapshot.suite)
        for name in ("InRelease", "Release"):
            member = self._ports.catalogue.member(snapshot, base + name)
            data = None if member is None else self._read(member.digest, member.size)
            if data is not None:
                frame = split_clearsigned(data, len(data)) if name == "InRelease" else None
                return parse_release(data if frame is None or isinstance(frame, Refused) else frame.payload)
        return None

    def _read(self, digest: bytes, size: int) -> bytes | None:
        fd = self._ports.blobs.open(digest)
        if fd is None:
            return None
        with open(fd, "rb") as file:
            data = file.read(size)
        return data if sha256(data).digest() == digest else None
