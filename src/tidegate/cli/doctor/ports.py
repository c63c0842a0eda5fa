"""Whether we may listen where the settings say, or already do."""

import errno
import socket

from tidegate.cli.reports import CheckReport

ANSWER_TIMEOUT_S = 2.0
_ANSWER_BYTES = 4_096
_EVERY = {"": "0.0.0.0"}  # noqa: S104  # the setting says so


def check_port(name: str, listen: str) -> CheckReport:
    """Try to listen at `HOST:PORT`; where somebody does already, ask whether it is us."""
    host, _, port_text = listen.rpartition(":")
    host, port = _EVERY.get(host, host.strip("[]")), int(port_text)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        return _taken(name, listen, host, port, error)
    return CheckReport(name=name, state="ok", saw=f"{listen} is free")


def _taken(name: str, listen: str, host: str, port: int, error: OSError) -> CheckReport:
    if error.errno == errno.EADDRINUSE:
        if _is_ours(host, port):
            return CheckReport(name=name, state="ok", saw=f"a Tidegate answers at {listen}")
        todo = f"See who has it (ss -ltnp 'sport = :{port}') and stop it, or set {name} to another port."
        return CheckReport(name=name, state="bad", saw=f"{listen} is taken by another program", todo=todo)
    if error.errno == errno.EACCES:
        todo = "Choose a port from 1024 up, or run with CAP_NET_BIND_SERVICE."
        return CheckReport(name=name, state="bad", saw=f"this user may not listen at {listen}", todo=todo)
    saw = f"{listen}: {error.strerror or error}"
    return CheckReport(name=name, state="bad", saw=saw, todo=f"Set {name} to an address of this host.")


def _is_ours(host: str, port: int) -> bool:
    """Every answer of ours, on either port, says so in its head."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    try:
        with socket.create_connection((reachable, port), timeout=ANSWER_TIMEOUT_S) as asking:
            asking.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b"tidegate" in asking.recv(_ANSWER_BYTES).lower()
    except OSError:
        return False
