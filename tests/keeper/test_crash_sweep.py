"""Threat 38: killed at every single call that makes something lasting, the next start is coherent.

What a killed process wrote stays in the kernel, so this is a crash of the gateway rather than of the machine; that
data are flushed before they get their name, and names before anybody is promised them, tests/store holds.
"""

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
import uvloop

from tests.keeper.crash_child import PROBE
from tests.keeper.crash_point import CALLS, STRUCK
from tests.keeper.house import archive_of, assert_coherent, house
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.keeper.outcome import NotAdopted

POINTS_MAX = 200
TIMEOUT_S = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),  # a hundred starts of the whole program: minutes, on a machine that is busy otherwise
    pytest.mark.skipif(platform.machine() not in CALLS, reason=f"no call numbers for {platform.machine()}"),
]

Check = Callable[[Path], None]


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
def again(archive: SimulatedArchive, source_server: SourceServer, keys: Keys) -> Callable[[tuple[int, ...]], Check]:
    """What must hold at the next start, where one of these dates (0: nothing) may be served; and after a look."""

    def made(dates: tuple[int, ...]) -> Check:
        async def story(directory: Path) -> None:
            async with house(directory, archive_of(keys, source_server)) as here:
                assert list(here.layout.tmp.iterdir()) == []
                assert_coherent(here, keys)
                served = here.served()
                assert (served.date if served else 0) in dates
                outcome = await here.look()
                assert not isinstance(outcome, NotAdopted), outcome
                assert assert_coherent(here, keys) == 1
                served = here.served()
                assert served is not None
                assert served.date == archive.release_date()
                for package in archive.suites["stable"].packages:
                    assert await here.fetch(package.path) == archive.read(package.path)
                seqs = [event.seq for event in here.journal.read()]
                assert seqs == list(range(1, len(seqs) + 1))

        return lambda directory: uvloop.run(story(directory))

    return made


async def adopt_template(directory: Path, keys: Keys, server: SourceServer) -> None:
    """A store that serves what is published now."""
    async with house(directory / "template", archive_of(keys, server)) as here:
        await here.adopt()


def test_killed_anywhere_in_a_first_adoption_the_next_start_is_coherent(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Callable[[tuple[int, ...]], Check],
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = sweep(tmp_path, keys, source_server, "look", again((0, archive.release_date())))
    tell(capsys, "a first adoption", points)
    assert points >= 10


def test_killed_anywhere_in_an_adoption_the_old_snapshot_or_the_new_one_is_served_whole(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Callable[[tuple[int, ...]], Check],
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = archive.release_date()
    uvloop.run(adopt_template(tmp_path, keys, source_server))
    archive.update_package("hello", "1.1")
    archive.publish()
    points = sweep(tmp_path, keys, source_server, "look", again((old, archive.release_date())))
    tell(capsys, "an adoption", points)
    assert points >= 10


def test_killed_anywhere_in_a_cold_fetch_no_half_of_a_file_is_visible(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    again: Callable[[tuple[int, ...]], Check],
    capsys: pytest.CaptureFixture[str],
) -> None:
    large = archive.add_package("large", "1.0", filling_bytes=5_000_000)
    archive.publish()
    uvloop.run(adopt_template(tmp_path, keys, source_server))
    points = sweep(tmp_path, keys, source_server, large.path, again((archive.release_date(),)))
    tell(capsys, "a cold fetch", points)
    assert points >= 3


def tell(capsys: pytest.CaptureFixture[str], what: str, points: int) -> None:
    """The count is worth seeing: a sweep over nothing would pass as well."""
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: killed at {points} points, coherent after each\n")
