"""CONNECT: bytes to and from an allowed host, unseen and unchanged (RFC 9110, 9.3.6)."""

import asyncio
import contextlib
import socket

from tidegate.sources.archive import Endpoint, Reach, is_literal
from tidegate.sources.client import Client

IDLE_S = 300.0
PIECE_BYTES = 65_536


async def open_tunnel(client: Client, host: str, port: int) -> socket.socket:
    """A connected socket to an allowed host, its address checked. Raises FetchError.

    A name may lead to the site at most, whatever its DNS says; an address that the operator wrote is what it says.
    """
    return await client.dial(Endpoint("https", host, port, Reach.ANY if is_literal(host) else Reach.SITE))


async def pump(near: socket.socket, far: socket.socket, first: bytes, *, idle_s: float = IDLE_S) -> None:
    """Carry bytes both ways until both sides have ended or nothing moves either way for `idle_s`; closes both."""
    loop = asyncio.get_running_loop()

    async def carry(source: socket.socket, sink: socket.socket, limit: asyncio.Timeout) -> None:
        while data := await loop.sock_recv(source, PIECE_BYTES):
            limit.reschedule(loop.time() + idle_s)
            await loop.sock_sendall(sink, data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    try:
        async with asyncio.timeout(idle_s) as limit, asyncio.TaskGroup() as group:
            await loop.sock_sendall(near, b"HTTP/1.1 200 Connection established\r\n\r\n")
            if first:
                await loop.sock_sendall(far, first)
            group.create_task(carry(near, far, limit))
            group.create_task(carry(far, near, limit))
    except* (OSError, TimeoutError):
        pass  # either side may end as it likes
    finally:
        near.close()
        far.close()
