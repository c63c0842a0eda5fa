"""Where answers go in these tests, and settings small enough to wait for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.simulator.server import SourceServer
from tidegate.sources.archive import Endpoint, Reach, endpoint_of
from tidegate.sources.client import Client
from tidegate.sources.connection import Head
from tidegate.sources.settings import FetchSettings

# Long enough for a busy machine, short enough to wait for where the wait itself is the test.
PATIENT = FetchSettings(first_byte_timeout_s=20.0, silence_timeout_s=20.0, stall_hedge_s=20.0, rate_window_s=20.0)
SHORT_S = 0.4


def settings(**changes: Any) -> FetchSettings:
    """The patient settings with something changed."""
    return msgspec.structs.replace(PATIENT, **changes)


@dataclass(slots=True)
class Collected:
    """A sink that keeps everything, up to a bound of its own."""

    bytes_max: int = 1 << 26
    heads: list[Head] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def head(self, head: Head) -> None:
        self.heads.append(head)

    def data(self, data: memoryview) -> None:
        self.body += data
        if len(self.body) > self.bytes_max:
            raise OSError("no room for more")


@asynccontextmanager
async def client(**changes: Any) -> AsyncIterator[Client]:
    """A client that is closed in the end."""
    made = Client(settings(**changes))
    try:
        yield made
    finally:
        made.close()


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(conversation: Conversation) -> AsyncIterator[Endpoint]:
    """A source that says what the test tells it to; its conversations end with the block."""
    under_way: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            with contextlib.suppress(ConnectionError):
                await conversation(reader, writer)
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with listening:
        try:
            yield Endpoint("http", "127.0.0.1", listening.sockets[0].getsockname()[1], Reach.ANY)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


def at(server: SourceServer, reach: Reach = Reach.ANY) -> Endpoint:
    """Where a simulated source listens."""
    return endpoint_of(server.url, reach)[0]


async def get(asking: Client, server: SourceServer, path: str = "file", **headers: str) -> Collected:
    """A whole answer. Raises FetchError."""
    sink = Collected()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    await asking.get(at(server), f"{server.prefix}/{path}", named, sink)
    return sink


async def answered(server: SourceServer) -> list[tuple[str, int]]:
    """Path and status of all requests so far; a client may have an answer before its server notes that it gave it."""
    await asyncio.to_thread(server.wait_for, lambda: all(request.done for request in server.requests))
    return [(request.path, request.status) for request in server.asked()]
