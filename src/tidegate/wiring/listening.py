"""Sockets to listen on, and systemd's word that we are ready."""

import os
import socket


def address_of(listen: str) -> tuple[str, int]:
    """HOST:PORT taken apart; an empty host means every address."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def listen_on(listen: str, *, shared: bool = False, backlog: int = 4096) -> socket.socket:
    """A non-blocking listening socket. `shared`: further ones may listen there too (SO_REUSEPORT). Raises OSError."""
    host, port = address_of(listen)
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    if family is socket.AF_INET:
        host = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0] if host else host  # type: ignore[assignment]  # AF_INET has a name first
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{error.strerror}: cannot listen on {listen}") from None
    return sock


def shown(sock: socket.socket) -> str:
    """HOST:PORT as a client would write it."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        host = socket.gethostname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing where it did not start us."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + path[1:] if path.startswith("@") else path)
        sock.sendall(state.encode())
