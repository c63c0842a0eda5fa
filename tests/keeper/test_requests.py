"""What clients turn out to want: unknown suites, other architectures, Release files, patches; and the schedule."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.keeper.house import (
    DEBIAN,
    INRELEASE,
    ServerFactory,
    archive_of,
    assert_coherent,
    house,
    run_until,
    settings,
    until,
)
from tests.simulator.archive import SimulatedArchive
from tests.simulator.faults import Silence, Status
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.store.drafts import read
from tidegate.keeper import keeper
from tidegate.keeper.outcome import Adopted, Confirmed, NotAdopted
from tidegate.store import sqlite_catalogue
from tidegate.store.ingest_process import ingest_in_process

PACKAGES = "main/binary-amd64/Packages.xz"
PATCHES = "main/binary-amd64/Packages.diff/Index"


# Unknown suites


async def test_a_suite_that_a_client_asks_for_first_is_adopted_there_and_then(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server, suites=())) as here:
        assert await here.keeper.ensure(DEBIAN, "stable") is None
        assert assert_coherent(here, keys) == 1
        source_server.forget()
        assert await here.keeper.ensure(DEBIAN, "stable") is None
    assert source_server.asked() == []


async def test_many_clients_of_an_unknown_suite_share_one_adoption(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server, suites=())) as here:
        assert set(await asyncio.gather(*(here.keeper.ensure(DEBIAN, "stable") for _ in range(50)))) == {None}
    assert len(source_server.asked(INRELEASE)) == 1


async def test_a_suite_that_is_nowhere_is_not_looked_for_again_on_anybodys_word_for_a_while(
    source_server: SourceServer, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat 33."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        why = await here.keeper.ensure(DEBIAN, "nowhere")
        assert why is not None
        assert "answered 404" in why
        source_server.forget()
        assert await here.keeper.ensure(DEBIAN, "nowhere") == why
        assert source_server.asked() == []
        monkeypatch.setattr(keeper, "ASK_AGAIN_S", 0.0)
        assert await here.keeper.ensure(DEBIAN, "nowhere") == why
        assert source_server.asked() != []


async def test_a_suite_asked_for_right_after_the_machine_started_is_looked_for(
    source_server: SourceServer, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monotonic clock begins at zero: what was never refused was not refused then."""
    async with house(tmp_path, archive_of(keys, source_server, suites=())) as here:
        monkeypatch.setattr(keeper, "ASK_AGAIN_S", time.monotonic() + 3600)
        assert await here.keeper.ensure(DEBIAN, "stable") is None


async def test_a_configured_suite_is_looked_for_on_every_request(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        with source_server.faulty(Status(503)):
            assert await here.keeper.ensure(DEBIAN, "stable") is not None
        assert await here.keeper.ensure(DEBIAN, "stable") is None


async def test_what_may_not_be_adopted_on_request_is_told(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server, suites=(), adopt_on_request=False)) as here:
        assert "adopt_on_request is off" in str(await here.keeper.ensure(DEBIAN, "stable"))
    async with house(
        tmp_path, archive_of(keys, source_server, suites=("stable",)), keeper=settings(suites_max=1)
    ) as here:
        assert await here.keeper.ensure(DEBIAN, "stable") is None
        assert "suites_max" in str(await here.keeper.ensure(DEBIAN, "other"))


async def test_a_slow_adoption_is_not_waited_for_beyond_apts_patience_and_goes_on(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    gate = source_server.hold(None)
    async with house(tmp_path, archive_of(keys, source_server), keeper=settings(adopt_timeout_s=0.1)) as here:
        why = await here.keeper.ensure(DEBIAN, "stable")
        assert why == "stable could not be adopted within 0.1 s; it goes on"
        gate.release()
        await until(lambda: here.served() is not None)


# Other indices than the scope's


@pytest.fixture
def wide(archive: SimulatedArchive) -> SimulatedArchive:
    """An archive for two architectures."""
    archive.suite("stable", architectures=("amd64", "arm64"))
    archive.add_package("hello", "1.0", architecture="arm64")
    archive.publish()
    return archive


def deb(archive: SimulatedArchive, architecture: str) -> str:
    found = [p.path for p in archive.suites["stable"].packages if (p.name, p.architecture) == ("hello", architecture)]
    return found[0]


async def test_a_file_of_another_architecture_becomes_known_when_it_is_asked_for(
    wide: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        path = deb(wide, "arm64")
        assert not here.knows(path)
        assert await here.keeper.widen(DEBIAN, path) is None
        assert await here.fetch(path) == wide.read(path)
        assert await here.keeper.widen(DEBIAN, path) is None  # nothing new any more
        assert_coherent(here, keys)
        wide.publish()
        wide.update_package("plain", "0.2")
        wide.publish()
        await here.adopt()
        assert here.knows(path)  # and is held beforehand from now on


async def test_two_architectures_of_one_package_asked_for_at_once_both_become_known(
    wide: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server, architectures=("riscv64",))) as here:
        await here.adopt()
        paths = [deb(wide, "amd64"), deb(wide, "arm64")]
        assert await asyncio.gather(*(here.keeper.widen(DEBIAN, path) for path in paths)) == [None, None]
        assert all(here.knows(path) for path in paths)


async def test_what_no_index_may_list_widens_nothing_and_asks_nobody(
    wide: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 33: a made-up name costs the sources nothing."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        source_server.forget()
        for path in ("pool/main/n/nothing/nothing_1_amd64.deb", "pool/non-free/x/x_1_amd64.deb", "x", ""):
            await here.keeper.widen(DEBIAN, path)
        assert None is await here.keeper.widen(DEBIAN, "pool/main/n/nothing/nothing_1_amd64.deb")
        assert [path for path in (r.path for r in source_server.asked()) if path.startswith("pool/")] == []


async def test_an_index_that_cannot_be_had_widens_nothing_and_is_told(
    wide: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        source_server.refuse()
        problem = await here.keeper.widen(DEBIAN, deb(wide, "arm64"))
        assert problem is not None
        assert "binary-arm64" in problem
        (event,) = await here.events("incomplete")
        assert "binary-arm64" in str(event.data["reason"])


async def test_a_served_release_that_rotted_on_the_disk_is_not_read(
    wide: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 39."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        member = here.catalogue.member(snapshot, INRELEASE)
        assert member is not None
        name = member.digest.hex()
        blob = here.layout.blobs / name[:2] / name[2:]
        blob.write_bytes(blob.read_bytes().replace(b"arm64", b"armXX"))
        assert await here.keeper.widen(DEBIAN, deb(wide, "arm64")) is not None


async def test_an_index_that_clients_asked_for_is_held_beforehand_from_the_next_adoption_on(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    translation = "main/i18n/Translation-en.xz"
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert here.read(f"dists/stable/{translation}") is None
        here.keeper.noticed(DEBIAN, "stable", translation)
        await until(lambda: bool(here.catalogue.asked(DEBIAN, "stable", 0)))
        archive.update_package("hello", "1.1")
        archive.publish()
        await here.adopt()
        assert here.read(f"dists/stable/{translation}") == archive.read(f"dists/stable/{translation}")
        source_server.fault(Status(404), "*i18n*")
        archive.update_package("hello", "1.2")
        archive.publish()
        await here.adopt()  # a passing miss of what is merely liked does not hold the news up
        assert_coherent(here, keys)
        here.clock_s += here.keeper._settings.learned_s + 60
        source_server.heal()
        archive.update_package("hello", "1.3")
        archive.publish()
        source_server.forget()
        await here.adopt()
    assert not any("i18n" in request.path for request in source_server.asked())


# Release and Release.gpg beside InRelease


async def test_release_and_its_signature_are_fetched_when_somebody_wants_them(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert await asyncio.gather(*(here.keeper.complete(DEBIAN, "stable") for _ in range(5))) == [None] * 5
        for name in ("Release", "Release.gpg"):
            assert here.read(f"dists/stable/{name}") == archive.read(f"dists/stable/{name}")
        assert len(source_server.asked("dists/stable/Release.gpg")) == 1


async def test_a_release_of_another_publication_does_not_complete_the_served_one(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 13."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        archive.publish()
        assert await here.keeper.complete(DEBIAN, "stable") is not None
        assert here.read("dists/stable/Release") is None


async def test_a_release_whose_own_signature_is_bad_does_not_complete_anything(
    archive: SimulatedArchive, source_server: SourceServer, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    other = serve()
    async with house(tmp_path, archive_of(keys, source_server, other)) as here:
        await here.adopt()
        wrong = archive.keys.home.detached(b"something else\n", archive.keys.good)
        archive.replace("dists/stable/Release.gpg", wrong)
        assert await here.keeper.complete(DEBIAN, "stable") is not None
        assert len(await here.events("refused", 2)) == 2
        archive.sign("stable", archive.keys.unknown)
        assert await here.keeper.complete(DEBIAN, "stable") is not None


async def test_a_source_that_is_silent_holds_no_release_up_that_another_one_has(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    silent, gone, honest = serve(), serve(), serve()
    async with house(tmp_path, archive_of(keys, silent, gone, honest)) as here:
        await here.adopt()
        silent.fault(Silence())
        gone.fault(Status(404))
        begun = time.monotonic()
        assert await here.keeper.complete(DEBIAN, "stable") is None
        assert time.monotonic() - begun < 2.0
        assert here.read("dists/stable/Release.gpg") == archive.read("dists/stable/Release.gpg")


async def test_what_is_not_served_cannot_be_completed(source_server: SourceServer, keys: Keys, tmp_path: Path) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        assert await here.keeper.complete(DEBIAN, "stable") is not None
        assert await here.keeper.list_one(DEBIAN, "stable", PATCHES) is not None
    assert source_server.asked() == []


# Patches


async def test_the_patches_of_an_index_become_known_by_their_own_index(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    archive.suite("stable", pdiff=True)
    archive.publish()
    archive.update_package("hello", "1.1")
    archive.publish()
    patch = next(path for path in archive.paths() if "binary-amd64/Packages.diff/2" in path)
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert not here.knows(patch)
        assert await here.keeper.list_one(DEBIAN, "stable", PATCHES) is None
        assert await here.fetch(patch) == archive.read(patch)
        assert await here.keeper.list_one(DEBIAN, "stable", "no/such/Index") is None
        assert_coherent(here, keys)


async def test_patches_are_known_at_once_whatever_was_asked_a_moment_before(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a client is told that they do not exist, and apt fetches the whole index instead."""
    monkeypatch.setattr(sqlite_catalogue, "LOOK_AGAIN_S", 3600.0)
    archive.suite("stable", pdiff=True)
    archive.publish()
    archive.update_package("hello", "1.1")
    archive.publish()
    patch = next(path for path in archive.paths() if "binary-amd64/Packages.diff/2" in path)
    take = ingest_in_process
    async with house(tmp_path, archive_of(keys, source_server), ingest=lambda at, _: take(at.catalogue)) as here:
        await here.adopt()
        assert not here.knows(patch)
        assert await here.keeper.list_one(DEBIAN, "stable", PATCHES) is None
        assert here.knows(patch)


# Older generations


async def test_an_older_generation_stays_reachable_by_digest_for_the_grace_and_goes_then(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server), keeper=settings(grace_s=1000.0)) as here:
        first = await here.adopt()
        old = here.catalogue.member(first, f"dists/stable/{PACKAGES}")
        assert old is not None
        package = next(p.path for p in archive.suites["stable"].packages if p.name == "hello")
        archive.update_package("hello", "1.1")
        archive.publish()
        await here.adopt()
        assert here.catalogue.by_digest(DEBIAN, old.digest) == old
        assert read(here.blobs, old.digest) is not None
        assert here.knows(package)
        here.clock_s = 900.0
        await run_until(here, lambda: len(here.looked) == 3)
        assert here.catalogue.by_digest(DEBIAN, old.digest) == old
        here.clock_s = 1100.0
        await run_until(here, lambda: here.catalogue.by_digest(DEBIAN, old.digest) is None)
        assert not here.knows(package)
        assert_coherent(here, keys)


# The schedule


async def test_every_configured_suite_is_looked_at_at_once_and_every_adopted_one_too(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    archive.add_package("new", suite="testing")
    archive.publish()
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt("testing")
        await run_until(here, lambda: len(here.looked) == 3)
        assert {key[1]: type(outcome) for key, outcome in here.looked[1:]} == {"stable": Adopted, "testing": Confirmed}


async def test_looks_follow_each_other(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    often = settings(refresh_interval_s=0.02, refresh_jitter=0.5)
    async with house(tmp_path, archive_of(keys, source_server), keeper=often) as here:
        await run_until(here, lambda: len(here.looked) >= 5)
        assert here.served() is not None


async def test_a_suite_that_fails_does_not_hold_up_another_and_is_looked_at_again(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    often = settings(refresh_interval_s=0.02)
    configured = archive_of(keys, source_server, suites=("nowhere", "stable"))
    async with house(tmp_path, configured, keeper=often) as here:
        await run_until(here, lambda: [key[1] for key, _ in here.looked].count("nowhere") >= 3)
        assert here.served() is not None


async def test_a_store_that_cannot_be_written_fails_looks_and_not_the_schedule(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 37: what refused a write may take it again; nobody restarts a gateway for that."""
    often = settings(refresh_interval_s=0.02)
    async with house(tmp_path, archive_of(keys, source_server), keeper=often) as here:
        for connection in (here.marks._connection, here.catalogue._write):
            connection.execute("PRAGMA query_only = ON")
            await run_until(here, lambda: len(here.looked) >= 2)
            outcome = here.looked[-1][1]
            assert isinstance(outcome, NotAdopted)
            assert "cannot be written" in str(outcome)
            assert here.served() is None
            connection.execute("PRAGMA query_only = OFF")
            here.looked.clear()
        await run_until(here, lambda: here.served() is not None)
        assert_coherent(here, keys)
        (failed, *_) = await here.events("failed")
        assert failed.subject == "debian stable"


async def test_a_defect_in_one_look_is_told_and_does_not_end_the_schedule(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    often = settings(refresh_interval_s=0.02)
    async with house(tmp_path, archive_of(keys, source_server), keeper=often) as here:
        with monkeypatch.context() as patched:
            patched.setattr(here.catalogue, "validator", broken)
            await run_until(here, lambda: len(here.looked) >= 2)
        assert "ZeroDivisionError: a defect" in str(here.looked[-1][1])
        assert isinstance(told[0]["exception"], ZeroDivisionError)
        await run_until(here, lambda: here.served() is not None)


async def test_other_settings_count_from_the_next_look_on(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    often = settings(refresh_interval_s=0.02)
    async with house(tmp_path, archive_of(keys, source_server, suites=()), keeper=often) as here:
        assert here.keeper._suites() == set()
        here.keeper.reconfigure({DEBIAN: archive_of(keys, source_server)}, often)
        await run_until(here, lambda: here.served() is not None)
