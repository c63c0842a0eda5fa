"""What a fault makes of an answer on its way: cut, changed, forged, or kept back."""

import re

from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError

SAID = "staged by a drill"
KEPT_BACK_BYTES_MAX = 2 << 20
"""Of one body that comes slowly; what is beyond is cut off, and another source goes on."""
_FIELD = re.compile(rb"^(?:Origin|Label|Suite|Codename): *([A-Za-z])", re.MULTILINE)


class Cutting(Sink):
    """Ends what comes after so many bytes."""

    def __init__(self, sink: Sink, after_bytes: int) -> None:
        self._sink, self._after_bytes, self._left = sink, after_bytes, after_bytes

    def head(self, head: Head) -> None:
        """`Sink.head`."""
        self._sink.head(head)

    def data(self, data: memoryview) -> None:
        """`Sink.data`."""
        if len(data) <= self._left:
            self._left -= len(data)
            self._sink.data(data)
            return
        if self._left:
            self._sink.data(data[: self._left])
        raise FetchError(Failure.CUT, f"{SAID}: ended after {self._after_bytes:,} bytes")


class Corrupting(Sink):
    """Gives another last byte than the one that came, once it is known to be the last: `end`.

    Whoever is sent the body as it comes has right bytes up to there, and the last one waits for the digest: so a client
    goes on with another source's, and notices nothing.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._last = b""

    def head(self, head: Head) -> None:
        """`Sink.head`."""
        self._sink.head(head)

    def data(self, data: memoryview) -> None:
        """`Sink.data`."""
        if not data:
            return
        if self._last:
            self._sink.data(memoryview(self._last))
        self._last = bytes(data[-1:])
        if len(data) > 1:
            self._sink.data(data[:-1])

    def end(self) -> None:
        """All of it came."""
        if self._last:
            self._sink.data(memoryview(bytes([self._last[0] ^ 0xFF])))


class KeepingBack(Sink):
    """Passes the head on, and keeps the body until it is `take`n."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept = bytearray()

    def head(self, head: Head) -> None:
        """`Sink.head`."""
        self._sink.head(head)

    def data(self, data: memoryview) -> None:
        """`Sink.data`."""
        if len(self._kept) + len(data) > KEPT_BACK_BYTES_MAX:
            raise FetchError(Failure.CUT, f"{SAID}: {KEPT_BACK_BYTES_MAX:,} bytes wait already")
        self._kept += data

    def take(self, size: int) -> bytes:
        """At most so many of the bytes that wait."""
        taken = bytes(self._kept[:size])
        del self._kept[:size]
        return taken

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._kept)


class Gathering(Sink):
    """An answer as a whole."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self.answer = Head(200, {}, 0)
        self.body = bytearray()

    def head(self, head: Head) -> None:
        """`Sink.head`."""
        self.answer = head

    def data(self, data: memoryview) -> None:
        """`Sink.data`."""
        if len(self.body) + len(data) > self._size_max:
            raise FetchError(Failure.OVERSIZED, f"more than {self._size_max:,} bytes")
        self.body += data

    def give(self, sink: Sink) -> None:
        """All of it."""
        headers = self.answer.headers
        sink.head(Head(self.answer.status, headers, len(self.body)))
        if self.body:
            sink.data(memoryview(bytes(self.body)))


def forged(release: bytes) -> bytes:
    """A Release that somebody changed after it was signed: it says another name, and is as long as it was. Pure."""
    found = _FIELD.search(release)
    if found is None:
        return release[:-1] + bytes([release[-1] ^ 0xFF]) if release else release
    place = found.start(1)
    return release[:place] + release[place : place + 1].swapcase() + release[place + 1 :]
