"""What the sweeps share: a child process to which something happens, point after point, and what must hold then."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self

import pytest
import uvloop

from tests.holding.keeping import age
from tests.keeper.house import DEBIAN, House, archive_of, assert_coherent, house
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.keeper.outcome import NotAdopted
from tidegate.store.holds import PackageKey

TIMEOUT_S = 60.0
Check = Callable[[Path], None]
Also = Callable[[House], None]


class Again(Protocol):
    """Makes a check of what must hold at the next start."""

    def __call__(self, *dates: int, also: Also = lambda _: None) -> Check:
        """One of these dates (0: nothing) may be served; `also` is looked at before and after another look."""
        ...


class Child:
    """The process that forks the ones that something happens to: `python -m MODULE ARGUMENTS`."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the process)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._stderr, text=True)

    def ask(self, line: str) -> str:
        """Its answer to a line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    @property
    def said(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=TIMEOUT_S)
        self._stderr.close()


def again_with(archive: SimulatedArchive, source_server: SourceServer, keys: Keys) -> Again:
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


def tell(capsys: pytest.CaptureFixture[str], sentence: str) -> None:
    """The count is worth seeing: a sweep over nothing would pass as well."""
    with capsys.disabled():
        sys.stdout.write(f"\n{sentence}\n")
