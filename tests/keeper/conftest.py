"""Coroutine tests, and as many sources as a test wants of a small archive that a keeper keeps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.keeper.house import ServerFactory
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tests.sources.running import run_on_uvloop
from tidegate.sources import flight
from tidegate.store import committer


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return run_on_uvloop(pyfuncitem)


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a commit nor a source that may come back is waited for: what is tested is what comes of it."""
    monkeypatch.setattr(committer, "LINGER_S", 0.0)
    monkeypatch.setattr(flight, "PATIENCE_S", 0.1)


@pytest.fixture
def serve(archive: SimulatedArchive) -> Iterator[ServerFactory]:
    """Make further servers of the archive, or of one generation of it."""
    made: list[SourceServer] = []

    def make(root: Path | None = None, **options: Any) -> SourceServer:
        made.append(SourceServer(root or archive.public, prefix="/debian", **options))
        return made[-1]

    yield make
    for server in made:
        server.close()
