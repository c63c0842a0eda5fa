"""A small answer, whole, in memory."""

import asyncio
from collections.abc import Callable

from tidegate.sources.attempt import refusal
from tidegate.sources.connection import Head
from tidegate.sources.failure import Failure, FetchError


class Whole:
    """A sink that keeps a bounded body in memory. `expected` are the statuses that answer what was asked."""

    def __init__(self, size_max: int, expected: frozenset[int], now: Callable[[], float]) -> None:
        self._size_max = size_max
        self._now = now
        self._expected = expected
        self.body = bytearray()
        self.status: Head | None = None
        self.answered_at: float | None = None

    def head(self, head: Head) -> None:
        self.status, self.answered_at = head, asyncio.get_running_loop().time()
        if head.status not in self._expected:
            raise refusal(head, self._now())
        if head.length is not None and head.length > self._size_max:
            raise FetchError(Failure.OVERSIZED, f"{head.length:,} bytes, at most {self._size_max:,} are taken")

    def data(self, data: memoryview) -> None:
        if len(self.body) + len(data) > self._size_max:
            raise FetchError(Failure.OVERSIZED, f"more than {self._size_max:,} bytes")
        self.body += data
