"""Whether we may listen where the settings say, or already do."""

import errno
import socket

import msgspec

from tidegate.cli.reports import CheckReport
from tidegate.store.layout import Layout
from tidegate.web.report import RunningReport, StatusReport
from tidegate.wiring.ask import NotRunningError, ask

ANSWER_TIMEOUT_S = 5.0
_EVERY = {"": "0.0.0.0"}  # noqa: S104  # the setting says so


def check_port(name: str, listen: str, ours: str | None = None) -> CheckReport:
    """Try to listen at `HOST:PORT`; where somebody does already it is good if that is us, at `ours`."""
    host, _, port_text = listen.rpartition(":")
    host, port = _EVERY.get(host, host.strip("[]")), int(port_text)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        return _taken(name, listen, error, ours)
    return CheckReport(name=name, state="ok", saw=f"{listen} is free")


def _taken(name: str, listen: str, error: OSError, ours: str | None) -> CheckReport:
    port = listen.rpartition(":")[2]
    if error.errno == errno.EADDRINUSE:
        if ours is not None and ours.rpartition(":")[2] == port:
            return CheckReport(name=name, state="ok", saw=f"the gateway that serves from this state has {ours}")
        todo = f"See who has it (ss -ltnp 'sport = :{port}') and stop it, or set {name} to another port."
        return CheckReport(
            name=name, state="bad", saw=f"{listen} is taken, not by the gateway of this state", todo=todo
        )
    if error.errno == errno.EACCES:
        todo = "Choose a port from 1024 up, or run with CAP_NET_BIND_SERVICE."
        return CheckReport(name=name, state="bad", saw=f"this user may not listen at {listen}", todo=todo)
    saw = f"{listen}: {error.strerror or error}"
    return CheckReport(name=name, state="bad", saw=saw, todo=f"Set {name} to an address of this host.")


def running_at(layout: Layout) -> RunningReport | None:
    """The gateway that serves from this state now, by its own word; None where none does or it will not say."""
    try:
        answer = ask(layout, "GET", "/status", timeout_s=ANSWER_TIMEOUT_S)
        return msgspec.json.decode(answer, type=StatusReport).running
    except (NotRunningError, PermissionError, KeyError, msgspec.DecodeError):
        return None
