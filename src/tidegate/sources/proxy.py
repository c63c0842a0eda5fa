"""The site's own proxy, where the world is only reached through one: CONNECT for https, absolute form for http.

The proxy resolves names, so the addresses that they lead to are its to judge. What can be told from a name alone is
refused here before the proxy is asked: addresses that a source may not have, in any spelling, and names of this machine
or of the site (threats 23 and 24).
"""

import asyncio
import re
import socket

from tidegate import __version__
from tidegate.sources.address import forbidden
from tidegate.sources.archive import Endpoint, Reach, endpoint_of, is_literal
from tidegate.sources.failure import Failure, FetchError

HEAD_BYTES_MAX = 16_384
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z", re.IGNORECASE).match
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?\r\n").match


def proxy_of(address: str) -> Endpoint | None:
    """The proxy that the settings name (`http://HOST:PORT`), or None for none."""
    return endpoint_of(address, Reach.ANY)[0] if address else None


def goes_by(proxy: Endpoint | None, endpoint: Endpoint) -> Endpoint | None:
    """The proxy, if this endpoint is asked through it; what the owner has within the site is asked directly.

    Raises FetchError where a name that must not lead inside (a redirect's) does so by itself.
    """
    if proxy is None or endpoint.reach is Reach.ANY:
        return None
    inside = _inside(endpoint.host.rstrip(".").lower())
    if inside is None:
        return proxy
    if endpoint.reach is Reach.SITE:
        return None
    raise FetchError(Failure.FORBIDDEN_ADDRESS, f"{endpoint.host}: {inside}")


def _inside(host: str) -> str | None:
    """Why a host is none of the world outside; None where only the proxy can tell."""
    if is_literal(host):
        return forbidden(host, Reach.PUBLIC)
    last = host.rpartition(".")[2]
    if _NUMBER(last):
        return "an address in an odd spelling"
    return "a name of this machine or of the site" if "." not in host or last == "localhost" else None


def target_by(endpoint: Endpoint, target: str) -> str:
    """A request's target as a proxy takes it (RFC 9112, 3.2.2); within a tunnel it is the source that is asked."""
    return f"http://{endpoint.authority}{target}" if endpoint.scheme == "http" else target


async def tunnel(sock: socket.socket, proxy: Endpoint, endpoint: Endpoint, *, within_s: float) -> None:
    """Have the proxy connect this socket to an endpoint (RFC 9110, 9.3.6). Raises FetchError; the socket stays open."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    where = f"{host}:{endpoint.port}"
    request = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\nUser-Agent: tidegate/{__version__}\r\n\r\n"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(within_s):
            await loop.sock_sendall(sock, request.encode("latin-1"))
            head = await _head(sock)
    except TimeoutError:
        raise FetchError(Failure.UNREACHABLE, f"the proxy {proxy.authority} is silent for {within_s:g} s") from None
    except OSError as error:
        raise FetchError(Failure.UNREACHABLE, f"the proxy {proxy.authority}: {error}") from None
    status = _STATUS(head)
    if status is None or not head.endswith(b"\r\n\r\n"):
        raise FetchError(Failure.UNREACHABLE, f"the proxy {proxy.authority} does not answer as a proxy does")
    if not status[1].startswith(b"2"):
        said = f"{status[1].decode()} {(status[2] or b'').decode('latin-1')[:100]}".strip()
        raise FetchError(Failure.UNREACHABLE, f"the proxy {proxy.authority} makes no connection to {where}: {said}")


async def _head(sock: socket.socket) -> bytes:
    """The answer's head to its end, and not one byte of what follows; less where it ends early or is too long."""
    loop = asyncio.get_running_loop()
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < HEAD_BYTES_MAX:
        byte = await loop.sock_recv(sock, 1)
        if not byte:
            break
        head += byte
    return head
