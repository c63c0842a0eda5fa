"""CONNECT: bytes to and from an allowed host, unseen and unchanged (RFC 9110, 9.3.6)."""

import asyncio
import contextlib
import socket

from tidegate.sources.archive import Endpoint, Reach
from tidegate.sources.client import Client

IDLE_S = 300.0
PIECE_BYTES = 65_536


async def open_tunnel(client: Client, host: str, port: int) -> socket.socket:
    """A connected socket to the host, its address checked. Raises FetchError."""
    return await client.dial(Endpoint("https", host, port, Reach.SITE))


async def pump(near: socket.socket, far: socket.socket, first: bytes) -> None:
    """Carry bytes both ways until one side ends or nothing moves for IDLE_S; closes both sockets."""
    loop = asyncio.get_running_loop()

    async def carry(source: socket.socket, sink: socket.socket) -> None:
        while True:
            async with asyncio.timeout(IDLE_S):
                data = await loop.sock_recv(source, PIECE_BYTES)
                if not data:
                    break
                await loop.sock_sendall(sink, data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    try:
        await loop.sock_sendall(near, b"HTTP/1.1 200 Connection established\r\n\r\n")
        if first:
            await loop.sock_sendall(far, first)
        async with asyncio.TaskGroup() as group:
            group.create_task(carry(near, far))
            group.create_task(carry(far, near))
    except* (OSError, TimeoutError):
        pass  # either side may end as it likes
    finally:
        near.close()
        far.close()
