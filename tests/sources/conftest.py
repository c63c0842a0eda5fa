"""A folder with files in it, servers of that folder, and a place to fetch to."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.server import SourceServer
from tests.sources.running import run_on_uvloop
from tidegate.store import committer

ServerFactory = Callable[..., SourceServer]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return run_on_uvloop(pyfuncitem)


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that waits for company would add its quarter of a second to every test."""
    monkeypatch.setattr(committer, "LINGER_S", 0.0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder that sources publish."""
    tree = tmp_path / "tree"
    tree.mkdir()
    return tree


@pytest.fixture
def publish(tree: Path) -> Callable[[str, int], bytes]:
    """`publish(path, size)`: put random bytes there, the same ones in each run."""

    def put(path: str, size: int) -> bytes:
        data = random.Random(path).randbytes(size)
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return data

    return put


@pytest.fixture
def serve(tree: Path) -> Iterator[ServerFactory]:
    """Make servers of `tree`: `serve(style=…)`."""
    made: list[SourceServer] = []

    def make(root: Path = tree, **options: Any) -> SourceServer:
        made.append(SourceServer(root, **options))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def server(serve: ServerFactory) -> SourceServer:
    """One of them."""
    return serve()
