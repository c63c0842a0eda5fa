"""Carrying the applications: uvicorn on our own loop, on a port and on a socket file."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from tidegate.web.bounded_http import HEAD_BYTES_MAX, BoundedProtocol
from tidegate.web.socket_file import socket_address

CONNECTIONS_MAX = 64


class _Server(uvicorn.Server):
    """Signals are the program's business, not this server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving:
    """One application on one listening socket. Beyond `connections_max` open connections a request gets a 503."""

    def __init__(self, app: Starlette, sock: socket.socket, *, connections_max: int = CONNECTIONS_MAX) -> None:
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=5,
            limit_concurrency=connections_max,
            # httptools, which uvicorn would choose, has no limit for a head.
            http=BoundedProtocol,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        )
        self._server = _Server(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve([sock]))

    async def stop(self) -> None:
        """Close the socket and what is open on it."""
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.gather(self._task, return_exceptions=True)


def control_socket(path: Path) -> socket.socket:
    """The control socket, for its owner alone. One that a killed gateway left behind is replaced (the store's lock
    says that nobody uses it). Raises OSError."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket_address(path) as address:
        sock.bind(address)
    path.chmod(0o600)
    return sock
