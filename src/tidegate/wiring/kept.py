"""A value that takes long to work out, and is asked for by many."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Worked out when asked for, once at a time, and at most every `every_s`. Belongs to one event loop."""

    def __init__(self, work: Callable[[], Awaitable[T]], every_s: float) -> None:
        self._work = work
        self._every_s = every_s
        self._task: asyncio.Task[T] | None = None
        self._done_at = 0.0
        self._last: T | None = None

    async def get(self) -> T:
        """The value, at most `every_s` old. Raises what the work raises."""
        loop = asyncio.get_running_loop()
        if self._task is None or (self._task.done() and loop.time() - self._done_at >= self._every_s):
            self._task = loop.create_task(self._run(loop))
        # Whoever goes away does not end it for the others.
        return await asyncio.shield(self._task)

    async def soon(self, patience_s: float) -> T | None:
        """The value; after so long the last one, None where there is none yet, or it could not be worked out."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(patience_s):
                return await self.get()
        return self._last

    async def _run(self, loop: asyncio.AbstractEventLoop) -> T:
        try:
            self._last = await self._work()
            return self._last
        finally:
            self._done_at = loop.time()
