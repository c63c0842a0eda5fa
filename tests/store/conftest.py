"""Coroutine tests."""

import pytest

from tests.sources.running import run_on_uvloop


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return run_on_uvloop(pyfuncitem)
