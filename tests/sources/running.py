"""Coroutine tests run on the loop that the product runs on, each on a loop of its own, within a bound."""

import asyncio
import inspect

import pytest
import uvloop

TEST_TIMEOUT_S = 60.0


def run_on_uvloop(item: pytest.Function) -> bool | None:
    """For a conftest's `pytest_pyfunc_call`: true when it was a coroutine and has been run."""
    if not inspect.iscoroutinefunction(item.obj):
        return None
    arguments = {name: item.funcargs[name] for name in inspect.signature(item.obj).parameters}

    async def bounded() -> None:
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await item.obj(**arguments)

    uvloop.run(bounded())
    return True
