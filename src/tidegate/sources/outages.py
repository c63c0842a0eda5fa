"""Which sources are out, worker by worker: so that what is news to one worker and to no other is told once.

Each worker has breakers of its own, and leaves who is out in a slot of memory that was shared before it was forked. A
worker looks at the others' slots before it writes its own: two that learn of something in the same moment may both
tell it, but nothing is told by nobody.
"""

import mmap
import struct
import zlib
from collections.abc import Collection, Mapping

import msgspec

from tidegate.sources.breaker import Breaker, Cause, State, is_news

SLOT_BYTES = 256 << 10
"""The addresses of a thousand sources that are all out; only what is written to takes memory."""
_HEAD = struct.Struct("<II")

Out = Mapping[str, Cause]
"""Sources that are left alone, and why."""


def is_news_for_all(before: Breaker, after: Breaker, elsewhere: Collection[Cause]) -> bool:
    """Whether a change of one worker's breaker is one of the gateway's. `elsewhere`: why other workers leave it alone.

    A source is out while it is for any of them, and for wrong bytes, if it is for any of them for that.
    """
    if not is_news(before, after):
        return False
    if after.state is State.CLOSED:
        return not elsewhere
    return after.cause not in elsewhere and Cause.VIOLATION not in elsewhere


class Outages:
    """The slots. Made by whoever forks the workers, before it does."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, workers * SLOT_BYTES)
        self._seen: list[dict[str, Cause]] = [{} for _ in range(workers)]

    def write(self, worker: int, out: Out) -> None:
        """What is out for this worker now. More than a slot can hold is told by each worker for itself."""
        data = msgspec.msgpack.encode(out)
        if len(data) > SLOT_BYTES - _HEAD.size:
            data = msgspec.msgpack.encode({})
        start = worker * SLOT_BYTES
        self._memory[start : start + _HEAD.size + len(data)] = _HEAD.pack(len(data), zlib.crc32(data)) + data

    def read(self, worker: int) -> Out:
        """What is out for a worker; or was, if it is just writing."""
        start = worker * SLOT_BYTES
        length, checksum = _HEAD.unpack_from(self._memory, start)
        data = self._memory[start + _HEAD.size : start + _HEAD.size + min(length, SLOT_BYTES - _HEAD.size)]
        if length and zlib.crc32(data) == checksum:
            self._seen[worker] = msgspec.msgpack.decode(data, type=dict[str, Cause])
        return self._seen[worker]

    def elsewhere(self, worker: int, source: str) -> frozenset[Cause]:
        """Why other workers leave a source alone; empty: none does."""
        others = (self.read(one) for one in range(len(self._seen)) if one != worker)
        return frozenset(out[source] for out in others if source in out)
