"""Threat 38: killed at every single call that makes something lasting, the next start is coherent.

What a killed process wrote stays in the kernel, so this is a crash of the gateway rather than of the machine; that
data are flushed before they get their name, and names before anybody is promised them, tests/store holds.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self

import pytest
import uvloop

from tests.keeper.crash_child import PROBE
from tests.keeper.crash_point import CALLS, STRUCK
from tests.keeper.house import DEBIAN, House, archive_of, assert_coherent, house
from tests.keeper.keeping import age
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.keeper.outcome import NotAdopted
from tidegate.store.holds import PackageKey

POINTS_MAX = 200
TIMEOUT_S = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),  # a hundred starts of the whole program: minutes, on a machine that is busy otherwise
    pytest.mark.skipif(platform.machine() not in CALLS, reason=f"no call numbers for {platform.machine()}"),
]

Check = Callable[[Path], None]
Also = Callable[[House], None]


class Again(Protocol):
    """Makes a check of what must hold at the next start."""

    def __call__(self, *dates: int, also: Also = lambda _: None) -> Check:
        """One of these dates (0: nothing) may be served; `also` is looked at before and after another look."""
        ...


class Child:
    """The process that forks the ones that are killed."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.keeper.crash_child", *arguments]
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the process)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._stderr, text=True)

    def struck(self, point: int, directory: str) -> bool:
        """Do it once: whether it was killed, or came to its end before that point."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{point} {directory}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer in ("0", str(STRUCK)), f"{answer}\n{self.said}"
        return answer != "0"

    @property
    def said(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=TIMEOUT_S)
        self._stderr.close()


@pytest.fixture(scope="module", autouse=True)
def tracing() -> None:
    """Some containers allow neither ptrace(2) nor filters of seccomp(2)."""
    with Child("none", "none", "none") as child:
        try:
            child.struck(POINTS_MAX, PROBE)
        except AssertionError:
            pytest.skip(f"nothing may be traced here: {child.said.strip().rpartition(chr(10))[2]}")


def sweep(directory: Path, keys: Keys, server: SourceServer, what: str, check: Check) -> int:
    """Kill at the first point, the second, … until it ends by itself; `check` each. Returns how many there were."""
    template = directory / "template"
    template.mkdir(exist_ok=True)
    with Child(str(keys.keyring), server.url, what) as child:
        for point in range(1, POINTS_MAX):
            there = directory / f"struck-{point}"
            shutil.copytree(template, there)
            struck = child.struck(point, str(there))
            check(there)
            shutil.rmtree(there)
            if not struck:
                return point - 1
    raise AssertionError(f"more than {POINTS_MAX} points")


@pytest.fixture
def again(archive: SimulatedArchive, source_server: SourceServer, keys: Keys) -> Again:
    """What must hold at the next start, and after a look."""

    def made(*dates: int, also: Also = lambda _: None) -> Check:
        async def story(directory: Path) -> None:
            async with house(directory, archive_of(keys, source_server)) as here:
                assert list(here.layout.tmp.iterdir()) == []
                assert_coherent(here, keys)
                served = here.served()
                assert (served.date if served else 0) in dates
                also(here)
                outcome = await here.look()
                assert not isinstance(outcome, NotAdopted), outcome
                assert assert_coherent(here, keys) == 1
                served = here.served()
                assert served is not None
                assert served.date == archive.release_date()
                also(here)
                for package in archive.suites["stable"].packages:
                    assert await here.fetch(package.path) == archive.read(package.path)
                seqs = [event.seq for event in here.journal.read()]
                assert seqs == list(range(1, len(seqs) + 1))

        return lambda directory: uvloop.run(story(directory))

    return made


def test_killed_anywhere_in_a_first_adoption_the_next_start_is_coherent(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Again,
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = sweep(tmp_path, keys, source_server, "look", again(0, archive.release_date()))
    tell(capsys, "a first adoption", points)
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
    tell(capsys, "a cold fetch", points)
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
    tell(capsys, "an adoption with its prefetch", points)
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
    tell(capsys, "a sweep", points)
    assert points >= len(unwanted) + 1


async def fill_template(
    directory: Path, keys: Keys, server: SourceServer, wanted: Sequence[str] = (), others: Sequence[str] = ()
) -> None:
    """A store that holds these packages, none used of late; the first of them are wanted."""
    async with house(directory / "template", archive_of(keys, server)) as here:
        snapshot = await here.adopt()
        packages = [one for index in here.catalogue.listings(snapshot) for one in here.catalogue.packages(index.digest)]
        for one in packages:
            if one.name in (*wanted, *others):
                assert await here.fetch(one.path) is not None
        keys_of = [PackageKey(DEBIAN, "stable", "main", "amd64", name) for name in wanted]
        here.holds.note_used(keys_of, int(time.time()))
        age(here)


def tell(capsys: pytest.CaptureFixture[str], what: str, points: int) -> None:
    """The count is worth seeing: a sweep over nothing would pass as well."""
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: killed at {points} points, coherent after each\n")
