"""Threat 39: what rotted on the disk goes, is told, and is fetched again by whoever wants it."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from tests.keeper.house import House, archive_of, assert_coherent, house, settings
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.keeper.scrub import Mending, is_sound, scrub, scrub_for_ever

FAST = 1 << 40


def blob_of(here: House, path: str) -> Path:
    listed = here.catalogue.artifact(here.archive.name, path)
    assert listed is not None
    name = listed.digest.hex()
    return here.layout.blobs / name[:2] / name[2:]


@pytest.mark.parametrize("rot", [b"\x00", b""])
async def test_a_blob_that_rotted_is_removed_told_and_fetched_again(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, rot: bytes
) -> None:
    path = archive.suites["stable"].packages[0].path
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        good = await here.fetch(path)
        assert good is not None
        blob = blob_of(here, path)
        blob.write_bytes(good[:100] + rot + good[101:])  # one byte another, or one gone
        count = len(list(here.blobs.digests()))
        assert await scrub(here.blobs, here.pen, FAST) == (count, 1)
        assert not blob.exists()
        (event,) = await here.events("bit-rot")
        assert event.subject == (blob.parent.name + blob.name)
        assert await here.fetch(path) == good
        assert await scrub(here.blobs, here.pen, FAST) == (count, 0)
        assert_coherent(here, keys)


async def test_an_index_that_rotted_is_fetched_again_by_the_next_adoption(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    packages = "dists/stable/main/binary-amd64/Packages.xz"
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        member = here.catalogue.member(snapshot, packages)
        assert member is not None
        name = member.digest.hex()
        (here.layout.blobs / name[:2] / name[2:]).write_bytes(b"\x00" * member.size)
        assert not is_sound(here.blobs, member.digest)
        await scrub(here.blobs, here.pen, FAST)
        archive.publish()  # another Release over the same indices
        await here.adopt()
        assert here.read(packages) == archive.read(packages)
        assert_coherent(here, keys)


@pytest.mark.parametrize("which", ["pool", "index"])
async def test_what_rotted_is_fetched_again_at_once_where_somebody_has_it(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, which: str
) -> None:
    package, packages = archive.suites["stable"].packages[0].path, "dists/stable/main/binary-amd64/Packages.xz"
    path = package if which == "pool" else packages
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert await here.fetch(package) is not None
        name = hashlib.sha256(archive.read(path)).hexdigest()
        blob = here.layout.blobs / name[:2] / name[2:]
        blob.write_bytes(b"rot")
        mending = Mending(here.catalogue, here.fetching, lambda: {here.archive.name: here.archive})
        assert (await scrub(here.blobs, here.pen, FAST, mending))[1] == 1
        assert blob.read_bytes() == archive.read(path)
        (event,) = await here.events("bit-rot")
        assert event.data["fetched_again"] is True
        assert_coherent(here, keys)


async def test_what_rotted_and_nobody_gives_goes_all_the_same(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    path = archive.suites["stable"].packages[0].path
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert await here.fetch(path) is not None
        blob = blob_of(here, path)
        blob.write_bytes(b"rot")
        source_server.close()
        mending = Mending(here.catalogue, here.fetching, lambda: {here.archive.name: here.archive})
        assert (await scrub(here.blobs, here.pen, FAST, mending))[1] == 1
        assert not blob.exists()
        (event,) = await here.events("bit-rot")
        assert event.data["fetched_again"] is False


async def test_what_is_not_held_is_sound(source_server: SourceServer, keys: Keys, tmp_path: Path) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        assert is_sound(here.blobs, bytes(32))
        assert await scrub(here.blobs, here.pen, FAST) == (0, 0)


async def test_scrubbing_goes_on_for_ever_with_pauses(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    path = archive.suites["stable"].packages[0].path
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        often = settings(scrub_interval_s=0.01, scrub_rate_bytes_s=FAST)
        scrubbing = asyncio.create_task(scrub_for_ever(here.blobs, here.pen, often))
        for count in (1, 2):
            assert await here.fetch(path) is not None
            blob_of(here, path).write_bytes(b"rot")
            await here.events("bit-rot", count)
        scrubbing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await scrubbing
