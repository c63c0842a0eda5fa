"""Where a drill is written up for every process that takes part in it: memory that they share, good until a moment.

Whoever leads the drill writes what is played, and until when. Everybody reads it before each fetch. Nothing has to be
taken down: once that moment is past (`time.monotonic`, which is one clock for the whole machine), nothing is played,
whatever became of the writer. A board that is just being written, or was left half written, is good for what was read
before, and no longer than that was good for.
"""

import mmap
import struct
import time
import zlib
from collections.abc import Callable

import msgspec

from tidegate.drill.playing import NOTHING, Playing

BOARD_BYTES = 256 << 10
_HEAD = struct.Struct("<dII")


class TooMuchError(ValueError):
    """More faults than there is room for."""


class Board:
    """Made before processes are forked from the one that makes it; a process that is not has one of its own."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._memory = mmap.mmap(-1, BOARD_BYTES)
        self._now = now
        self._seen_head = b""
        self._seen_data = b""
        self._seen_until = 0.0
        self._seen = NOTHING

    def put(self, playing: Playing, until: float) -> None:
        """This is played until then. Raises TooMuchError."""
        data = msgspec.msgpack.encode(playing)
        if _HEAD.size + len(data) > BOARD_BYTES:
            raise TooMuchError(f"more faults than {BOARD_BYTES:,} bytes can name")
        self._memory[: _HEAD.size + len(data)] = _HEAD.pack(until, len(data), _checksum(until, data)) + data

    def clear(self) -> None:
        """Nothing is played."""
        self.put(NOTHING, 0.0)

    def read(self) -> Playing:
        """What is played now. The same object for as long as it is the same."""
        head = self._memory[: _HEAD.size]
        if head != self._seen_head:
            until, length, checksum = _HEAD.unpack(head)
            data = self._memory[_HEAD.size : _HEAD.size + min(length, BOARD_BYTES)]
            if checksum == _checksum(until, data):
                self._seen_head, self._seen_until = head, until
                if data != self._seen_data:
                    self._seen, self._seen_data = msgspec.msgpack.decode(data, type=Playing), data
        return self._seen if self._now() < self._seen_until else NOTHING


def _checksum(until: float, data: bytes) -> int:
    return zlib.crc32(struct.pack("<d", until) + data)
