"""Takes over what apt-cacher-ng has cached: each file is hashed, and kept only if signed metadata lists it.

Two rounds. First the indices: those that a Release we hold lists are kept and taken apart, which widens what the second
round, over the artifacts, can account for. The cache is only read; the store is shared with a gateway that may serve
from it meanwhile, so the store's lock is neither wanted nor taken. Begun again it goes on where it was: what is held is
passed over.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from tidegate.archive.errors import FormatError
from tidegate.archive.paths import listing_stem
from tidegate.config import Gathered
from tidegate.gateway.target import Place, Routes
from tidegate.store.blobs import Draft, Verified, WrongBytesError, sha256_of, verify
from tidegate.store.catalogue import Listed
from tidegate.store.ingest import INDEX_BYTES_MAX, Job, take_in
from tidegate.store.journal import Happening
from tidegate.web.report import ImportReport
from tidegate.wiring.acng_cache import HEAD_BYTES_MAX, HEAD_ENDING, Head, is_artifact, names, read_head, walk
from tidegate.wiring.archives import archives_of, preset_name
from tidegate.wiring.copying import copy, give_to_owner_of
from tidegate.wiring.store import Store, layout_of, open_store

BATCH_FILES_MAX = 128
BATCH_BYTES_MAX = 256 << 20
WRONG_NAMED_MAX = 10_000
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: files looked at, of how many, and bytes taken."""

    done: int
    total: int
    taken_bytes: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken over, and the configured suites (`ARCHIVE SUITE`) of which nothing is known yet."""

    report: ImportReport
    waiting: tuple[str, ...]


class NothingAdoptedError(Exception):
    """No suite was adopted yet, so nothing can be accounted for."""


def import_acng(
    gathered: Gathered, environment: Mapping[str, str], root: Path, tell: Callable[[Progress], None]
) -> Imported:
    """Take over the cache at `root`. Raises NothingAdoptedError, OSError, sqlite3.Error."""
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    if not layout.catalogue.exists():
        raise NothingAdoptedError(f"no gateway has served from {layout.state} yet")
    store = open_store(layout)
    try:
        archives, _ = archives_of(gathered.settings.archive)
        served = {(one.archive, one.suite) for one in store.catalogue.served()}
        if not served:
            raise NothingAdoptedError(f"no suite was adopted yet in {layout.state}")
        wanted = [(archive.name, suite) for archive in archives.values() for suite in archive.suites]
        takeover = _Takeover(
            root,
            store,
            sorted({archive for archive, _ in served}),
            Routes(archives.values(), preset_name),
            gathered.settings.store.free_bytes_min,
            tell,
        )
        return Imported(takeover.run(), tuple(f"{key[0]} {key[1]}" for key in wanted if key not in served))
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class _Pending:
    """A verified copy that is not durable yet."""

    path: str
    listed: Listed
    verified: Verified


@dataclass(slots=True)
class _Takeover:
    """One run. `run` is all there is to call."""

    root: Path
    store: Store
    archives: list[str]
    routes: Routes
    free_bytes_min: int
    tell: Callable[[Progress], None]
    total: int = 0
    done: int = 0
    taken: int = 0
    taken_bytes: int = 0
    held: int = 0
    unlisted: int = 0
    wrong: list[str] = field(default_factory=list)
    pending: dict[bytes, _Pending] = field(default_factory=dict)
    indices: dict[bytes, str] = field(default_factory=dict)
    """Indices that list artifacts, seen in the first round: their path below the archive by digest."""

    def run(self) -> ImportReport:
        """Both rounds. Raises OSError; what was taken until then is held."""
        self.total = sum(1 for _ in walk(self.root))
        try:
            rest = [path for path in walk(self.root) if not is_artifact(path) and not self._looked(self._index, path)]
            self._flush()
            self._take_in()
            for path in chain(filter(is_artifact, walk(self.root)), rest):
                self._looked(self._artifact, path)
            self._flush()
        finally:
            for one in self.pending.values():
                self._drop(one.verified.draft)
        return self._reported()

    def _reported(self) -> ImportReport:
        report = ImportReport(
            taken=self.taken,
            taken_bytes=self.taken_bytes,
            held=self.held,
            unlisted=self.unlisted,
            wrong=tuple(self.wrong[:WRONG_NAMED_MAX]),
        )
        facts = {name: getattr(report, name) for name in ("taken", "taken_bytes", "held", "unlisted")}
        self.store.journal.append([Happening("imported", str(self.root), {**facts, "wrong": len(self.wrong)})])
        return report

    def _looked(self, look: Callable[[str, Head, int], bool], path: str) -> bool:
        """Whether this settles the file. One that the cache expired meanwhile, or has only in part, is settled."""
        settled = True
        try:
            fd = os.open(self.root / path, _READ)
        except FileNotFoundError:
            fd = -1
        if fd >= 0:
            try:
                head = self._head(path)
                in_part = head.size is not None and os.fstat(fd).st_size < head.size
                settled = in_part or look(path, head, fd)
            finally:
                os.close(fd)
        if settled:
            self.done += 1
            self.tell(Progress(self.done, max(self.total, self.done), self.taken_bytes))
        return settled

    def _index(self, path: str, _: Head, fd: int) -> bool:
        """By digest alone: an index has other bytes under the same name every day. False when no Release lists it."""
        digest = sha256_of(fd)
        for archive in self.archives:
            listed = self.store.catalogue.by_digest(archive, digest)
            if listed is not None:
                if listing_stem(listed.path) is not None:
                    self.indices[digest] = listed.path
                self._take(path, listed, fd)
                return True
        return False

    def _artifact(self, path: str, head: Head, fd: int) -> bool:
        owner, size = self._owner(head), os.fstat(fd).st_size
        listed = [
            (archive, found)
            for archive in self.archives
            for name in dict.fromkeys(names(path))
            if (found := self.store.catalogue.artifact(archive, name)) is not None
        ]
        fitting = [found for _, found in listed if found.size == size]
        held = next((found for found in fitting if self._is_held(found)), None)
        digest = None if held or not fitting else sha256_of(fd)
        good = held or next((found for found in fitting if found.digest == digest), None)
        if good is not None:
            self._take(path, good, fd)
        elif any(_is_meant(owner, archive, found) for archive, found in listed):
            self.wrong.append(path)
        else:
            self.unlisted += 1
        return True

    def _take(self, path: str, listed: Listed, fd: int) -> None:
        if self._is_held(listed) or listed.digest in self.pending:
            self.held += 1
            return
        try:
            verified = self._copied(fd, listed)
        except WrongBytesError:  # changed between our two looks at it
            self.wrong.append(path)
            return
        self.pending[listed.digest] = _Pending(path, listed, verified)
        self.taken += 1
        self.taken_bytes += listed.size
        full = sum(one.listed.size for one in self.pending.values()) >= BATCH_BYTES_MAX
        if full or len(self.pending) >= BATCH_FILES_MAX:
            self._flush()

    def _copied(self, fd: int, listed: Listed) -> Verified:
        """A copy whose own bytes were hashed, so that nothing done to the original meanwhile matters."""
        if self.store.blobs.free_bytes() - listed.size < self.free_bytes_min:
            raise OSError(errno.ENOSPC, "no room for more (store.free_bytes_min); free some and begin again")
        draft = self.store.blobs.draft()
        try:
            copy(fd, draft)
            give_to_owner_of(draft.fd, self.store.layout.cache)
            return verify(draft, digest=listed.digest, size=listed.size)
        except BaseException:
            self._drop(draft)
            raise

    def _drop(self, draft: Draft) -> None:
        with contextlib.suppress(FileNotFoundError):  # emptied by a gateway that started
            self.store.blobs.discard(draft)
        draft.close()

    def _flush(self) -> None:
        batch = list(self.pending.values())
        try:
            self.store.blobs.keep([one.verified for one in batch])
        except FileNotFoundError:  # a gateway started meanwhile and emptied `tmp`: once more
            self.store.blobs.keep([self._copied_again(one) for one in batch if not self._is_held(one.listed)])
        for one in batch:
            self._drop(one.verified.draft)
        self.pending.clear()

    def _copied_again(self, one: _Pending) -> Verified:
        fd = os.open(self.root / one.path, _READ)
        try:
            return self._copied(fd, one.listed)
        finally:
            os.close(fd)

    def _take_in(self) -> None:
        """Let what the indices list be found from now on; one that cannot be read lists nothing."""
        for digest, path in self.indices.items():
            fd = self.store.blobs.open(digest)
            if fd is None:
                continue
            try:
                if not self.store.catalogue.has_listing(digest):
                    with contextlib.suppress(FormatError):
                        take_in(self.store.catalogue, Job(fd, digest.hex(), path, self._size_max(digest, path)))
            finally:
                os.close(fd)
        self.indices.clear()

    def _size_max(self, digest: bytes, path: str) -> int:
        """What an index may unpack to: what the same Release lists for its plain form, where it does (threat 17)."""
        for snapshot in self.store.catalogue.served():
            member = self.store.catalogue.member(snapshot, path)
            plain = self.store.catalogue.member(snapshot, listing_stem(path) or path)
            if member is not None and member.digest == digest and plain is not None:
                return min(plain.size, INDEX_BYTES_MAX)
        return INDEX_BYTES_MAX

    def _is_held(self, listed: Listed) -> bool:
        return self.store.blobs.size(listed.digest) == listed.size

    def _owner(self, head: Head) -> str | None:
        """Which archive a file was fetched from, by its URL; None where that is not known."""
        if head.url is None or not head.url.isascii():
            return None
        place = self.routes.place(head.url.encode())
        return place.archive if isinstance(place, Place) else preset_name(head.url)

    def _head(self, path: str) -> Head:
        try:
            fd = os.open(self.root / f"{path}{HEAD_ENDING}", _READ | os.O_NONBLOCK)
        except OSError:
            return Head()
        try:
            return read_head(os.read(fd, HEAD_BYTES_MAX))
        finally:
            os.close(fd)


def _is_meant(owner: str | None, archive: str, listed: Listed) -> bool:
    """Whether a file is meant to be what its name is listed as.

    Debian and Ubuntu list other bytes under the same names, so where the cache knows whose a file is, that counts; and
    a bare file name says too little.
    """
    return owner == archive if owner is not None else "/" in listed.path
