"""Threat 38: killed at any call that makes something lasting, the next start is coherent.

Every run kills at one in three of them; `SWEEP_POINTS=all` at each.

What a killed process wrote stays in the kernel, so this is a crash of the gateway rather than of the machine; that
data are flushed before they get their name, and names before anybody is promised them, tests/store holds.
"""

import hashlib
import os
import platform
import shutil
from pathlib import Path

import pytest
import uvloop

from tests.keeper.crash_child import PROBE
from tests.keeper.crash_point import CALLS, STRUCK
from tests.keeper.house import House
from tests.keeper.sweeps import Again, Check, Child, again_with, fill_template, tell
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

POINTS_MAX = 200
EVERY = 1 if os.environ.get("SWEEP_POINTS") == "all" else 3
"""Which points are killed at: each, or every third; the whole sweep takes some minutes."""
CHILD = "tests.keeper.crash_child"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),  # a hundred starts of the whole program: minutes, on a machine that is busy otherwise
    pytest.mark.skipif(platform.machine() not in CALLS, reason=f"no call numbers for {platform.machine()}"),
]


@pytest.fixture(scope="module", autouse=True)
def tracing() -> None:
    """Some containers allow neither ptrace(2) nor filters of seccomp(2)."""
    with Child(CHILD, "none", "none", "none") as child:
        if child.ask(f"{POINTS_MAX} {PROBE}") != "0":
            pytest.skip(f"nothing may be traced here: {child.said.strip().rpartition(chr(10))[2]}")


@pytest.fixture
def again(archive: SimulatedArchive, source_server: SourceServer, keys: Keys) -> Again:
    return again_with(archive, source_server, keys)


def sweep(directory: Path, keys: Keys, server: SourceServer, what: str, check: Check) -> int:
    """Kill at one point in EVERY until it ends by itself; `check` each. Returns how many there were, nearly."""
    template = directory / "template"
    template.mkdir(exist_ok=True)
    with Child(CHILD, str(keys.keyring), server.url, what) as child:
        for point in range(1, POINTS_MAX, EVERY):
            there = directory / f"struck-{point}"
            shutil.copytree(template, there)
            answer = child.ask(f"{point} {there}")
            assert answer in ("0", str(STRUCK)), f"{answer}\n{child.said}"
            check(there)
            shutil.rmtree(there)
            if answer == "0":
                return point - 1
    raise AssertionError(f"more than {POINTS_MAX} points")


def test_killed_anywhere_in_a_first_adoption_the_next_start_is_coherent(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Again,
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = sweep(tmp_path, keys, source_server, "look", again(0, archive.release_date()))
    tell(capsys, f"a first adoption: killed at one in {EVERY} of {points} points, coherent after each")
    assert points >= 10


def test_killed_anywhere_in_a_cold_fetch_no_half_of_a_file_is_visible(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Again,
    capsys: pytest.CaptureFixture[str],
) -> None:
    large = archive.add_package("large", "1.0", filling_bytes=5_000_000)
    archive.publish()
    uvloop.run(fill_template(tmp_path, keys, source_server))
    points = sweep(tmp_path, keys, source_server, large.path, again(archive.release_date()))
    tell(capsys, f"a cold fetch: killed at one in {EVERY} of {points} points, coherent after each")
    assert points >= 3


def test_killed_anywhere_in_an_adoption_the_old_snapshot_or_the_new_one_is_served_whole(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Again,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [archive.add_package(f"wanted-{number}", "1.0").name for number in range(2)]
    archive.publish()
    old = archive.release_date()
    uvloop.run(fill_template(tmp_path, keys, source_server, names))
    news = [archive.update_package(name, "1.1") for name in names]
    archive.publish()

    digests = [hashlib.sha256(archive.read(one.path)).digest() for one in news]

    def held(here: House) -> None:
        """Whoever serves the new one has what is wanted of it: it was prefetched."""
        served = here.served()
        assert served is not None
        assert served.date == old or None not in map(here.blobs.size, digests)

    check = again(old, archive.release_date(), also=held)
    points = sweep(tmp_path, keys, source_server, "look", check)
    tell(capsys, f"an adoption with its prefetch: killed at one in {EVERY} of {points} points, coherent after each")
    assert points >= 13


def test_killed_anywhere_in_a_sweep_what_is_served_and_wanted_is_whole(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Again,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unwanted = [archive.add_package(f"unwanted-{number}", "1.0").name for number in range(5)]
    archive.publish()
    uvloop.run(fill_template(tmp_path, keys, source_server, ["hello"], unwanted))
    digest = hashlib.sha256(archive.read(archive.suites["stable"].packages[0].path)).digest()
    assert archive.suites["stable"].packages[0].name == "hello"

    def held(here: House) -> None:
        assert here.blobs.size(digest) is not None

    check = again(archive.release_date(), also=held)
    points = sweep(tmp_path, keys, source_server, "gc", check)
    tell(capsys, f"a sweep: killed at one in {EVERY} of {points} points, coherent after each")
    assert points >= len(unwanted) + 1
