"""The parent's side of `stocktaking`: start the child, read what it counted; and again now and then."""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from tidegate.holding.child import ChildError, told_by
from tidegate.holding.settings import HoldSettings
from tidegate.holding.stock import Stock
from tidegate.store.layout import Layout

COUNT_TIMEOUT_S = 300.0
SETTLE_S = 30.0
"""Before the first count, and after news: a start and an adoption are followed by others, and by fetching."""


class StocktakingError(Exception):
    """What is held could not be counted: a sentence saying why. What was counted before stays."""


async def count_in_process(layout: Layout, forget_after_s: float) -> Stock:
    """Count in a child process. Raises StocktakingError."""
    arguments = (str(layout.state), str(layout.cache), str(forget_after_s))
    try:
        out = await told_by("tidegate.holding.stocktaking", *arguments, timeout_s=COUNT_TIMEOUT_S)
    except ChildError as error:
        raise StocktakingError(f"what is held could not be counted: {error}") from None
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
