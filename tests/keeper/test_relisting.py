"""Listings of an earlier version, and what clients used: both become known without fetching anything."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.keeper.house import DEBIAN, ServerFactory, archive_of, house, ingest_here
from tests.simulator.archive import SimulatedArchive
from tests.store.holds_contract import NOW
from tidegate.holding.learning import Learning
from tidegate.store.holds import MemoryHolds, Origin
from tidegate.store.relisting import relist
from tidegate.store.sqlite_holds import SqliteHolds

HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"


@pytest.fixture
def holds(tmp_path: Path) -> Iterator[SqliteHolds]:
    with closing(SqliteHolds(tmp_path / "holds.db")) as opened:
        yield opened


async def test_listings_of_an_earlier_version_are_taken_in_anew_from_what_is_held(
    tmp_path: Path, archive: SimulatedArchive, serve: ServerFactory
) -> None:
    source = serve()
    async with house(tmp_path, archive_of(archive.keys, source)) as here:
        served = await here.adopt()
        (index,) = here.catalogue.listings(served)
        names = here.catalogue.package_names(index.digest)
        assert "hello" in names
        with closing(sqlite3.connect(here.layout.catalogue)) as older:
            older.executescript("UPDATE listing SET form = 0; UPDATE artifact SET name = NULL;")
        asked = len(source.requests)
        assert here.catalogue.outdated() == (index,)
        assert await relist(here.catalogue, here.blobs, ingest_here(here.catalogue)) == 1
        assert here.catalogue.outdated() == ()
        assert here.catalogue.package_names(index.digest) == names
        assert await relist(here.catalogue, here.blobs, ingest_here(here.catalogue)) == 0
        assert len(source.requests) == asked


async def test_what_clients_used_is_noted_as_packages(
    tmp_path: Path, archive: SimulatedArchive, serve: ServerFactory, holds: SqliteHolds
) -> None:
    async with house(tmp_path, archive_of(archive.keys, serve())) as here:
        await here.adopt()
        told: list[str] = []
        learning = Learning(here.catalogue, holds, told.append, touch=here.blobs.touch, now=lambda: NOW)
        assert await here.fetch(HELLO) is not None
        for blob in here.layout.blobs.glob("*/*"):
            os.utime(blob, (1.0, 1.0))
        learning.used([(DEBIAN, HELLO), (DEBIAN, HELLO), (DEBIAN, "pool/nothing_1_amd64.deb"), ("contoso", HELLO)])
        await learning.settle()
        (hold,) = holds.all()
        assert hold.key == (DEBIAN, "stable", "main", "amd64", "hello")
        assert (hold.origin, hold.since, hold.uses) == (Origin.CLIENTS, NOW, 1)
        assert [one.used_at for one in here.blobs.held() if one.used_at != 1.0] == [NOW]
        assert told == []


async def test_what_cannot_be_noted_is_told_and_ends_nothing(
    tmp_path: Path, archive: SimulatedArchive, serve: ServerFactory
) -> None:
    class Full(MemoryHolds):
        def note_used(self, keys: object, now: int) -> None:
            raise OSError(28, "No space left on device")

    async with house(tmp_path, archive_of(archive.keys, serve())) as here:
        await here.adopt()
        told: list[str] = []
        learning = Learning(here.catalogue, Full(), told.append)
        learning.used([(DEBIAN, HELLO)])
        await learning.settle()
        assert len(told) == 1
        assert "No space left" in told[0]
