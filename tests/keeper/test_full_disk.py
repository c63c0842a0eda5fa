"""Threat 37 on a real file system that is really full: serve what is held, stream the rest, say so, lose nothing."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.keeper.house import House, archive_of, assert_coherent, house, until
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.keeper.outcome import Confirmed
from tidegate.sources.flight import Stage, Wanted
from tidegate.store.settings import StoreSettings
from tidegate.store.sqlite_catalogue import SqliteCatalogue

DISK_BYTES = 8 << 20
LARGE_BYTES = 3 << 20
FULL = "No space left on device"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of DISK_BYTES."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here: that takes CAP_SYS_ADMIN")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path, but_bytes: int = 0) -> Callable[[], None]:
    """Take all the room there is, or all but some; call what comes back to give it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert FULL in str(error)  # noqa: PT017 (that it fills up is how the loop ends)
        file.truncate(file.tell() - but_bytes)
    return ballast.unlink


@pytest.fixture
def large(archive: SimulatedArchive) -> str:
    """A package that fits, as long as the disk is not full."""
    package = archive.add_package("large", "1.0", filling_bytes=LARGE_BYTES)
    archive.publish()
    return package.path


def wanted(here: House, path: str) -> Wanted:
    listed = here.catalogue.artifact(here.archive.name, path)
    assert listed is not None
    return Wanted(listed.digest, listed.size)


async def test_a_disk_that_fills_up_in_mid_fetch_costs_the_client_nothing(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, small_disk: Path, large: str
) -> None:
    async with house(small_disk, archive_of(keys, source_server)) as here:
        await here.adopt()
        gate = source_server.hold(1 << 20, large)
        flight = here.fetching.fetch(wanted(here, large), here.archive.sources, (large,))
        await until(lambda: flight.available == 1 << 20)
        empty = fill(small_disk)
        gate.release()
        assert flight.task is not None
        await flight.task
        assert flight.stage is Stage.VERIFIED
        assert os.pread(flight.draft.fd, flight.wanted.size, 0) == archive.read(large)
        assert len(source_server.asked(large)) == 1
        empty()
        assert_coherent(here, keys)
        assert await here.fetch(large) == archive.read(large)
        assert here.fetching.under_way(flight.wanted.digest) is None


async def test_on_a_full_disk_what_is_held_stays_served_news_are_refused_and_adopted_once_there_is_room(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, small_disk: Path, large: str
) -> None:
    async with house(small_disk, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        empty = fill(small_disk)
        updated = archive.update_package("hello", "1.1")
        archive.publish()
        assert "full" in await here.refused()
        assert here.served() == snapshot
        assert here.read("dists/stable/InRelease") is not None
        flight = await here.fetching.hold(wanted(here, large), here.archive.sources, (large,))
        assert flight.stage is Stage.VERIFIED
        assert os.pread(flight.draft.fd, flight.wanted.size, 0) == archive.read(large)
        assert "full" in flight.failure
        empty()
        here.told.clear()  # what a full disk kept from the journal was told instead
        await here.adopt()
        assert await here.fetch(updated.path) == archive.read(updated.path)
        assert_coherent(here, keys)
        assert list(here.layout.tmp.iterdir()) == []


async def test_a_restart_on_a_disk_as_full_as_we_let_it_become_serves_what_is_held(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, small_disk: Path
) -> None:
    """`free_bytes_min` is left for the databases: with not one byte free SQLite could not even open them."""
    async with house(small_disk, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
    fill(small_disk, but_bytes=1 << 20)
    async with house(small_disk, archive_of(keys, source_server), store=StoreSettings(free_bytes_min=1 << 20)) as here:
        assert here.served() == snapshot
        assert here.read("dists/stable/main/binary-amd64/Packages.xz") is not None
        assert isinstance(await here.look(), Confirmed)
        path = archive.suites["stable"].packages[0].path
        flight = await here.fetching.hold(wanted(here, path), here.archive.sources, (path,))
        assert flight.stage is Stage.VERIFIED
        assert_coherent(here, keys)


async def test_an_adoption_after_which_the_disk_is_full_is_an_adoption(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What sources said of a file's version is only a memory."""

    def fails(self: SqliteCatalogue, *_: object) -> None:
        raise OSError(FULL)

    monkeypatch.setattr(SqliteCatalogue, "note_validator", fails)
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert isinstance(await here.look(), Confirmed)
        assert_coherent(here, keys)
