"""Coroutine tests, and a small archive that a keeper keeps."""

import pytest

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
