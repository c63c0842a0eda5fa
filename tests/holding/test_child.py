"""Child processes: what they say, how they fail, and that none is left behind."""

import asyncio
import os
from pathlib import Path

import pytest
import uvloop

from tidegate.holding.child import ChildError, told_by

ENDLESS = ("http.server", "--bind", "127.0.0.1", "0")


def children() -> str:
    return " ".join(path.read_text() for path in Path(f"/proc/{os.getpid()}/task").glob("*/children")).strip()


def test_what_it_says_comes_whole() -> None:
    assert uvloop.run(told_by("calendar", "2024", "6", timeout_s=30.0)).split()[:2] == [b"June", b"2024"]


def test_one_that_fails_is_told_by_its_last_line() -> None:
    with pytest.raises(ChildError, match="No module named"):
        uvloop.run(told_by("tidegate.no_such_module", timeout_s=30.0))


def test_one_that_goes_on_is_ended_at_its_time_limit() -> None:
    before = children()
    with pytest.raises(ChildError, match=r"not within 0\.3 s"):
        uvloop.run(told_by(*ENDLESS, timeout_s=0.3))
    assert children() == before


def test_one_that_nobody_waits_for_any_more_ends_with_its_waiter() -> None:
    before = children()

    async def story() -> None:
        waiting = asyncio.create_task(told_by(*ENDLESS, timeout_s=60.0))
        while children() == before:  # noqa: ASYNC110 (the kernel tells nobody that a child has begun)
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    uvloop.run(story())
    assert children() == before
