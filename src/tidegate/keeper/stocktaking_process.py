"""The parent's side of `stocktaking`: start the child, read what it counted; and again now and then."""

import asyncio
import contextlib
import sys
from collections.abc import Callable

import msgspec

from tidegate.keeper.settings import HoldSettings
from tidegate.keeper.stock import Stock
from tidegate.store.layout import Layout

COUNT_TIMEOUT_S = 300.0
SETTLE_S = 30.0
"""Before the first count, and after news: a start and an adoption are followed by others, and by fetching."""


class StocktakingError(Exception):
    """What is held could not be counted: a sentence saying why. What was counted before stays."""


async def count_in_process(layout: Layout, forget_after_s: float) -> Stock:
    """Count in a child process. Raises StocktakingError."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tidegate.keeper.stocktaking", str(layout.state), str(layout.cache), str(forget_after_s)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(COUNT_TIMEOUT_S):
            out, err = await child.communicate()
    except TimeoutError:
        raise StocktakingError(f"what is held was not counted within {COUNT_TIMEOUT_S:g} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        tail = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise StocktakingError(f"what is held could not be counted: {' '.join(tail) or child.returncode}")
    return msgspec.json.decode(out, type=Stock)


class Stocktaking:
    """The last count of a running gateway, and the next ones: every `hold.count_interval_s`, and soon after news."""

    def __init__(self, layout: Layout, settings: Callable[[], HoldSettings], trouble: Callable[[str], None]) -> None:
        """`trouble` is told why something could not be counted."""
        self.last: Stock | None = None
        self._layout = layout
        self._settings = settings
        self._trouble = trouble
        self._news = asyncio.Event()

    def news(self) -> None:
        """What is listed or wanted has changed."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(min(SETTLE_S, self._settings().count_interval_s))
            self._news.clear()
            try:
                self.last = await count_in_process(self._layout, self._settings().forget_after_s)
            except (OSError, StocktakingError, msgspec.DecodeError) as error:
                self._trouble(str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings().count_interval_s):
                    await self._news.wait()
