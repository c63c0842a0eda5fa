"""A disc, or whatever else somebody carried in: a folder as a source, judged like any other."""

import shutil
from pathlib import Path

import pytest

from tests.keeper.house import archive_of, assert_coherent, configured, house
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.keeper.outcome import Confirmed


@pytest.fixture
def disc(archive: SimulatedArchive, tmp_path: Path) -> Path:
    """A copy of the archive as it is now."""
    return Path(shutil.copytree(archive.public, tmp_path / "disc"))


async def test_a_suite_is_adopted_and_served_from_a_folder_without_any_network(
    archive: SimulatedArchive, keys: Keys, tmp_path: Path, disc: Path
) -> None:
    async with house(tmp_path / "house", configured(keys.keyring, str(disc))) as here:
        snapshot = await here.adopt()
        assert snapshot.source == disc.as_uri()
        assert_coherent(here, keys)
        for package in archive.suites["stable"].packages:
            assert await here.fetch(package.path) == archive.read(package.path)
        assert isinstance(await here.look(), Confirmed)


async def test_a_folder_that_has_the_pool_only_gives_what_a_dead_host_no_longer_can(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, disc: Path
) -> None:
    shutil.rmtree(disc / "dists")
    both = (*archive_of(keys, source_server).sources, *configured(keys.keyring, str(disc)).sources)
    (package, *_) = archive.suites["stable"].packages
    async with house(tmp_path / "house", archive_of(keys, source_server, sources=both)) as here:
        await here.adopt()
        source_server.close()
        assert await here.fetch(package.path) == archive.read(package.path)


async def test_a_damaged_file_on_a_disc_is_found_out_and_comes_from_another_source(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, disc: Path
) -> None:
    (package, *_) = archive.suites["stable"].packages
    damaged = bytearray((disc / package.path).read_bytes())
    damaged[-1] ^= 0xFF
    (disc / package.path).unlink()
    (disc / package.path).write_bytes(damaged)
    both = (*configured(keys.keyring, str(disc)).sources, *archive_of(keys, source_server).sources)
    async with house(tmp_path / "house", archive_of(keys, sources=both)) as here:
        await here.adopt()
        assert await here.fetch(package.path) == archive.read(package.path)
        assert here.fetching.health.of(disc.as_uri()).last_failure
