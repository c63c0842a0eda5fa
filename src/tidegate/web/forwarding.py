"""What the admin port does not know itself, it asks the desk for: the same request, and the answer as it comes.

Only GET, and notes on incidents, which bring a token; and only headers that are about the answer's form.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httptools
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from tidegate.web.notes import BODY_BYTES_MAX, is_ours
from tidegate.web.socket_file import socket_address

FORWARDED = ("accept", "if-none-match", "if-modified-since", "range", "if-range", "last-event-id")
WITH_BODY = ("authorization", "content-type")
"""And these, with what somebody writes down."""
RETURNED = frozenset(
    {
        "content-type", "content-length", "content-range", "content-security-policy", "referrer-policy", "etag",
        "last-modified", "accept-ranges", "cache-control", "retry-after", "warning", "content-disposition", "location",
    }
)  # fmt: skip
"""And all that begin with `x-`."""
HEAD_BYTES_MAX = 65_536
BODY_TIMEOUT_S = 10.0
TIMEOUT_S = 60.0
"""For the head, and for each piece of the body."""
STARTS = ("/", "/events")
"""Whoever asks for these wants a desk, whether there is anything else for it to do or not: the dashboard."""
START_TIMEOUT_S = 10.0
"""For a desk to come up, before whoever asked for a page is told to wait."""
STARTING_POLL_S = 0.05
_CHUNK_BYTES = 65_536
_STARTING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="2"><title>Starting - Tidegate</title>
</head><body><main><h1>The dashboard is being started</h1>
<p>This page asks again every two seconds. If it stays, the gateway's log says why.</p></main></body></html>
"""


class _Reading:
    """What httptools tells while it reads."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.pieces: deque[bytes] = deque()
        self.has_head = self.has_ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.has_ended = True


class Desk:
    """The desk's socket, as the admin port sees it."""

    def __init__(self, path: Path, start: Callable[[], None]) -> None:
        """`start`: see that there is a desk; called when one of STARTS is asked for and none is there."""
        self._path = path
        self._start = start

    async def get(self, request: Request) -> Response:
        """The desk's answer to a request. 404 where there is no desk, 504 where it says nothing."""
        return await self._told(request, b"")

    async def note(self, request: Request) -> Response:
        """The desk's answer to what somebody writes down about an incident, unless another site's page posts it."""
        if not is_ours(request.headers):
            return PlainTextResponse("this was sent by a page of another site\n", 403)
        body = b""
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for piece in request.stream():
                    body += piece
                    if len(body) > BODY_BYTES_MAX:
                        return PlainTextResponse(f"more than {BODY_BYTES_MAX} bytes\n", 413)
        except TimeoutError:
            return PlainTextResponse("it did not come in time\n", 408)
        return await self._told(request, body)

    async def _told(self, request: Request, body: bytes) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        lines = [
            f"{request.method} {request.scope['raw_path'].decode('latin-1')}{query} HTTP/1.1",
            "Host: desk",
            "Connection: close",
        ]
        names = FORWARDED if request.method == "GET" else (*FORWARDED, *WITH_BODY)
        lines += [f"{name}: {value}" for name in names if (value := request.headers.get(name))]
        lines += [f"Content-Length: {len(body)}"] if request.method != "GET" else []
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._answer_of("\r\n".join([*lines, "", ""]).encode("latin-1") + body, request)
        except (FileNotFoundError, ConnectionError):
            if request.url.path in STARTS:
                headers = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Retry-After": "2"}
                return HTMLResponse(_STARTING, 503, headers)
            return PlainTextResponse("nothing of that name; hosts and feeds are not kept here, or not now\n", 404)
        except TimeoutError:
            return PlainTextResponse("the desk does not answer in time\n", 504)
        except (OSError, httptools.HttpParserError) as error:
            return PlainTextResponse(f"the desk cannot be asked: {error}\n", 502)

    async def _answer_of(self, head: bytes, request: Request) -> Response:
        try:
            return await self._answer(head)
        except (FileNotFoundError, ConnectionError):
            if request.url.path not in STARTS:
                raise
        self._start()
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while True:
            try:
                return await self._answer(head)
            except (FileNotFoundError, ConnectionError):
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(STARTING_POLL_S)

    async def _answer(self, head: bytes) -> Response:
        with socket_address(self._path) as address:
            reader, writer = await asyncio.open_unix_connection(address)
        reading = _Reading()
        parser = httptools.HttpResponseParser(reading)
        try:
            writer.write(head)
            seen = 0
            while not reading.has_head:
                piece = await reader.read(_CHUNK_BYTES)
                seen += len(piece)
                if not piece or seen > HEAD_BYTES_MAX + _CHUNK_BYTES:
                    raise ConnectionResetError("it ended in the middle of an answer")
                parser.feed_data(piece)
        except BaseException:
            writer.close()
            raise
        headers = {k: v for k, v in reading.headers.items() if k in RETURNED or k.startswith("x-")}
        return StreamingResponse(_body(reader, writer, parser, reading), parser.get_status_code(), headers)


async def _body(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    parser: httptools.HttpResponseParser,
    reading: _Reading,
) -> AsyncIterator[bytes]:
    try:
        while True:
            while reading.pieces:
                yield reading.pieces.popleft()
            if reading.has_ended:
                return
            async with asyncio.timeout(TIMEOUT_S):
                piece = await reader.read(_CHUNK_BYTES)
            if not piece:
                return
            parser.feed_data(piece)
    finally:
        writer.close()
