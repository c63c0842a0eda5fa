"""Carries what a store holds to a folder, for a gateway that has no network.

    packages    first, then indices, then the Release files: whoever reads the folder meanwhile sees whole suites
    manifest    last: what the folder holds now, and what was exported into it when

The store is only read, and shared with a gateway that may serve from it meanwhile: its lock is neither wanted nor
taken. Run again it goes on where it was: what is there is passed over. What lies in the folder is measured, never
believed: packages by their size (by their digest where that is asked for), metadata always by its digest, since other
bytes come under the same name with each Release.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.archive.paths import listing_stem
from tidegate.config import Gathered
from tidegate.holding.carrying import Carried, Carrying, Choice, Piece, carrying
from tidegate.holding.hot_listing import Stores
from tidegate.store.blobs import BlobStore, WrongBytesError
from tidegate.web.export_report import ExportReport, ExportRun, SuiteExport
from tidegate.wiring.export_folder import ExportFolder
from tidegate.wiring.export_manifest import write_manifest
from tidegate.wiring.store import layout_of, open_store

ROOM_SPARE_BYTES = 32 << 20
"""Left free beside what is copied: for folders, and for the manifest."""
_OF_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
"""What can only be the folder's fault, not the store's. FAT takes no file of 4 GiB: EFBIG."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: `looking` at what is there already, or `copying` what is not."""

    stage: str
    files: int
    of: int
    bytes: int
    of_bytes: int


Tell = Callable[[Progress], None]


class NothingServedError(Exception):
    """No suite is served from this store."""


def export(
    gathered: Gathered,
    environment: Mapping[str, str],
    to: Path,
    choice: Choice,
    tell: Tell,
    *,
    now: int,
    verify: bool,
) -> ExportReport:
    """Fill a folder. Raises NothingServedError, FolderBusyError, OSError, sqlite3.Error.

    `verify`: read all that is there already, and put right what is not as it should be.
    """
    settings = gathered.settings
    layout = layout_of(settings.store, environment, uid=os.getuid())
    if not layout.catalogue.exists():
        raise NothingServedError(f"no gateway has served from {layout.state} yet")
    store = open_store(layout)
    try:
        if not store.catalogue.served():
            raise NothingServedError(f"no suite was adopted yet in {layout.state}")
        stores = Stores(store.catalogue, store.blobs, store.holds, store.marks)
        found = carrying(stores, choice, now=now, forget_after_s=settings.hold.forget_after_s)
        folder = ExportFolder(to)
        try:
            return _Run(folder, store.blobs, found, choice, tell, now, verify).run()
        except OSError as error:
            if error.filename is None and error.errno in _OF_WRITING:
                raise OSError(error.errno, error.strerror, str(folder.top)) from None
            raise
        finally:
            folder.close()
    finally:
        store.close()


@dataclass(slots=True)
class _Run:
    """One export. `run` is all there is to call."""

    folder: ExportFolder
    blobs: BlobStore
    found: Carrying
    choice: Choice
    tell: Tell
    now: int
    verify: bool
    missing: set[str] = field(default_factory=set)
    """Places where something is still to be put."""
    missing_bytes: int = 0
    copied: int = 0
    copied_bytes: int = 0
    linked: int = 0
    damaged: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def run(self) -> ExportReport:
        """Raises OSError; what was put until then stays."""
        self._look()
        self._see_to_room()
        for one in self.found.suites:
            self._put(one.packages)
        for one in self.found.suites:
            self._put(one.metadata)
        self.folder.flush()
        for one in self.found.suites:
            if self._is_whole(one):
                self._put(one.statement)
        self.folder.flush()
        return self._reported()

    def _pieces(self) -> Iterator[Piece]:
        """Everything that is to be there in the end."""
        for one in self.found.suites:
            pieces = (*one.packages, *one.metadata, *(one.statement if self._is_whole(one) else ()))
            yield from (piece for piece in pieces if self.folder.can_link or not piece.is_alias)

    def _look(self) -> None:
        """What is not there yet, or not as it should be."""
        contents = dict[bytes | str, int]()
        measured = list(self._measured())
        for number, (piece, by_digest) in enumerate(measured, start=1):
            if not self.folder.has(piece, by_digest=by_digest):
                self.missing.add(piece.path)
                contents[piece.digest if self.folder.can_link else piece.path] = piece.size
            self.tell(Progress("looking", number, len(measured), 0, 0))
        self.missing_bytes = sum(contents.values())

    def _measured(self) -> Iterator[tuple[Piece, bool]]:
        """Each piece, and whether its bytes count or its size."""
        packages = {each.path for one in self.found.suites for each in one.packages}
        return ((piece, self.verify or piece.path not in packages) for piece in self._pieces())

    def _see_to_room(self) -> None:
        free = self.folder.free_bytes()
        wanted = self.missing_bytes + ROOM_SPARE_BYTES if self.missing else 0
        if free < wanted:
            sentence = f"{wanted:,} bytes are needed there and {free:,} are free; nothing was copied"
            raise OSError(errno.ENOSPC, sentence, str(self.folder.top))

    def _put(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if piece.path in self.missing:
                self._put_one(piece)
                told = Progress(
                    "copying", self.copied + self.linked, len(self.missing), self.copied_bytes, self.missing_bytes
                )
                self.tell(told)

    def _put_one(self, piece: Piece) -> None:
        fd = self.blobs.open(piece.digest)
        if fd is None:
            self.gone.append(piece.path)
            return
        try:
            if self.folder.put(piece, fd):
                self.copied += 1
                self.copied_bytes += piece.size
            else:
                self.linked += 1
        except WrongBytesError:
            self.damaged.append(piece.path)
        finally:
            os.close(fd)

    def _is_whole(self, one: Carried) -> bool:
        """Whether a gateway can adopt the suite from what is there: an index that is missing could be one it needs."""
        failed = {*self.damaged, *self.gone}
        return not one.lacking and not any(each.path in failed and _lists_packages(each.path) for each in one.metadata)

    def _reported(self) -> ExportReport:
        failed = {*self.damaged, *self.gone}
        there = [piece for piece in self._pieces() if piece.path not in failed]
        suites = tuple(self._suite(one) for one in self.found.suites)
        write_manifest(self.folder, self._as_run(), suites, there)
        return ExportReport(
            folder=str(self.folder.top),
            at=self.now,
            since=self.choice.since,
            suites=suites,
            files=len(there),
            bytes=sum({piece.digest: piece.size for piece in there}.values()),
            copied=self.copied,
            copied_bytes=self.copied_bytes,
            linked=self.linked,
            present=len(there) - self.copied - self.linked,
            left_out=self._left_out(),
            damaged=tuple(self.damaged),
            gone=tuple(self.gone),
            lacking=self.found.lacking,
            unknown=self.found.unknown,
        )

    def _suite(self, one: Carried) -> SuiteExport:
        failed = {*self.damaged, *self.gone}
        whole = self._is_whole(one)
        metadata = (*one.metadata, *(one.statement if whole else ()))
        return SuiteExport(
            archive=one.snapshot.archive,
            suite=one.snapshot.suite,
            date=one.snapshot.date,
            valid_until=one.snapshot.valid_until,
            release=one.snapshot.payload.hex(),
            components=one.components,
            architectures=one.architectures,
            metadata=sum(each.path not in failed and (self.folder.can_link or not each.is_alias) for each in metadata),
            packages=sum(each.path not in failed for each in one.packages),
            whole=whole,
        )

    def _left_out(self) -> int:
        aliases = (each for one in self.found.suites for each in one.metadata if each.is_alias)
        return 0 if self.folder.can_link else sum(1 for _ in aliases)

    def _as_run(self) -> ExportRun:
        choice = self.choice
        return ExportRun(
            at=self.now,
            since=choice.since,
            archives=choice.archives,
            suites=choice.suites,
            packages=choice.packages,
            hot_set=choice.hot_set,
            copied=self.copied,
            copied_bytes=self.copied_bytes,
        )


def _lists_packages(path: str) -> bool:
    """Whether it is an index that an adoption may need."""
    stem = listing_stem(path)
    return stem is not None and not stem.endswith("/Index")
