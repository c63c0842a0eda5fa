"""One HTTP/1.1 connection to a source: a request goes out, a head and bytes come in.

The grammar of heads and of chunked bodies is llhttp's (httptools); a body of known length passes by the parser,
straight from one receive buffer into the sink.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, cast

import httptools

from tidegate.sources.failure import Failure, FetchError

BUFFER_BYTES = 262_144
_LENGTH = re.compile(r"[0-9]{1,18}\Z").match
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's head; `length` is the body's in bytes, or None where the source does not say."""

    status: int
    headers: Mapping[str, str]
    length: int | None
    raw: bytes = b""
    """As it came over the line, the blank line included; empty for what is no host's."""


class Sink(Protocol):
    """Where an answer goes. Either method may raise FetchError or OSError, which ends the exchange."""

    def head(self, head: Head) -> None:
        """The head came; called once, before any data."""
        ...

    def data(self, data: memoryview) -> None:
        """Bytes of the body came. The view is only good during the call."""
        ...


class _State(Enum):
    IDLE = auto()
    HEAD = auto()
    FIXED = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    CLOSED = auto()


class Connection(asyncio.BufferedProtocol):
    """A kept-alive connection. One exchange at a time; `released` is called when it may serve the next."""

    def __init__(self, head_bytes_max: int, released: Callable[["Connection"], None], address: str = "") -> None:
        self.address = address
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._head_bytes_max = head_bytes_max
        self._released = released
        self._state = _State.IDLE
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._head = b""
        self._left = 0
        self._keep_alive = False
        self.received = 0
        """Bytes since the exchange began, head included; watched by the client's deadlines."""
        self.has_head = False

    # What the client calls

    @property
    def is_idle(self) -> bool:
        return self._state is _State.IDLE and self._transport is not None

    def exchange(self, request: bytes, sink: Sink) -> asyncio.Future[None]:
        """Send a GET and deliver its answer; the future ends with it, or raises FetchError or the sink's error."""
        assert self._transport is not None
        self._state, self._sink, self._head, self.received, self.has_head = _State.HEAD, sink, b"", 0, False
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._done

    def close(self) -> None:
        """End the connection, and the exchange with it; idempotent."""
        self._state = _State.CLOSED
        self._sink = None
        if self._transport is not None:
            self._transport.abort()

    def fail(self, error: BaseException) -> None:
        """End the exchange with an error."""
        done, self._done = self._done, None
        self.close()
        if done is not None and not done.done():
            done.set_exception(error)

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes
        try:
            self._take(self._buffer[:nbytes])
        except (FetchError, OSError) as error:
            self.fail(error)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raised = error.__context__  # by the sink, where it was called from within the parser
            told = isinstance(error, httptools.HttpParserCallbackError) and isinstance(raised, (FetchError, OSError))
            self.fail(raised if told and raised else FetchError(Failure.MALFORMED, f"not HTTP: {error}"))

    def eof_received(self) -> None:
        if self._state is _State.UNTIL_CLOSE:
            self._keep_alive = False
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        done, self._done = self._done, None
        self._state = _State.CLOSED
        self._sink = None
        self._released(self)
        if done is not None and not done.done():
            why = "closed the connection" if exc is None else str(exc) or type(exc).__name__
            done.set_exception(FetchError(Failure.CUT, f"{why} after {self.received:,} bytes"))

    # Taking an answer apart

    def _take(self, data: memoryview) -> None:
        match self._state:
            case _State.FIXED:
                self._take_fixed(data)
            case _State.HEAD:
                self._take_head(bytes(data))
            case _State.CHUNKED:
                self._parser.feed_data(data)
            case _State.UNTIL_CLOSE:
                self._to_sink(data)
            case _State.IDLE | _State.CLOSED:
                self.close()

    def _to_sink(self, data: memoryview) -> None:
        if self._sink is not None:
            self._sink.data(data)

    def _take_fixed(self, data: memoryview) -> None:
        if len(data) > self._left:
            # Whatever follows belongs to no answer that was asked for; whether it comes at once or a moment later, it
            # ends the connection and not the object.
            self._keep_alive, data = False, data[: self._left]
        self._left -= len(data)
        self._to_sink(data)
        if not self._left:
            self._finish()

    def _take_head(self, data: bytes) -> None:
        head = self._head + data if self._head else data
        end = head.find(b"\r\n\r\n")
        if max(end, len(head) if end < 0 else 0) > self._head_bytes_max:
            raise FetchError(Failure.OVERSIZED, "the answer's head is too long")
        if end < 0:
            self._head = head
            return
        self._head = b""
        parsed, keep_alive, chunked = self._parse(head[: end + 4])
        if 100 <= parsed.status < 200:
            raise FetchError(Failure.MALFORMED, f"an interim answer ({parsed.status}) that nobody asked for")
        self.has_head = True
        self._keep_alive = keep_alive
        if self._sink is not None:
            self._sink.head(parsed)
        self._begin_body(parsed, chunked=chunked, rest=memoryview(head)[end + 4 :])

    def _begin_body(self, head: Head, *, chunked: bool, rest: memoryview) -> None:
        if head.status in _NO_BODY or head.length == 0:
            if rest:
                self._keep_alive = False
            self._finish()
        elif chunked:
            self._state = _State.CHUNKED
            if rest:
                self._parser.feed_data(rest)
        elif head.length is not None:
            self._state, self._left = _State.FIXED, head.length
            if rest:
                self._take_fixed(rest)
        else:
            self._state = _State.UNTIL_CLOSE
            if rest:
                self._to_sink(rest)

    def _parse(self, head: bytes) -> tuple[Head, bool, bool]:
        """Status, headers, whether the connection is kept, whether the body is chunked."""
        if not head.startswith(b"HTTP/1."):  # llhttp would skip line ends before it, and make status 0 of nothing
            raise FetchError(Failure.MALFORMED, "not HTTP/1")
        self._headers: dict[str, str] = {}
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(head)
        headers = self._headers
        chunked = "transfer-encoding" in headers
        length = headers.get("content-length")
        if chunked and (length is not None or headers["transfer-encoding"].lower() != "chunked"):
            raise FetchError(Failure.MALFORMED, "a Transfer-Encoding that is not simply chunked")
        if length is not None and not _LENGTH(length):
            raise FetchError(Failure.MALFORMED, "a Content-Length that is no number")
        keep_alive = head.startswith(b"HTTP/1.1") and "close" not in headers.get("connection", "").lower()
        status = self._parser.get_status_code()
        return Head(status, headers, None if length is None else int(length), head), keep_alive, chunked

    def _finish(self) -> None:
        done, self._done = self._done, None
        self._sink = None  # an idle connection must not pin the last object's descriptor
        if self._keep_alive:
            self._state = _State.IDLE
            self._released(self)
        else:
            self.close()
        if done is not None and not done.done():
            done.set_result(None)

    # What llhttp calls

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        if key in self._headers and key in ("content-length", "transfer-encoding", "location", "content-range"):
            raise FetchError(Failure.MALFORMED, f"two {key} headers")
        self._headers[key] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._to_sink(memoryview(body))

    def on_message_complete(self) -> None:
        if self._state is _State.CHUNKED:
            self._finish()
