"""Commands ask a running gateway through its control socket, or read its state when none runs."""

import errno
import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from tidegate.config import Gathered
from tidegate.store.layout import Layout
from tidegate.web.probe_report import ProbeReport, ProbeRound
from tidegate.web.report import LookReport, StatusReport
from tidegate.web.socket_file import socket_address
from tidegate.wiring.store import layout_of, open_store

if TYPE_CHECKING:
    from tidegate.wiring.probe import Told

ANSWER_BYTES_MAX = 64 << 20
LINE_BYTES_MAX = 1 << 20
PROBE_TIMEOUT_S = 60.0
"""Until the next probe of a round ends; each has a time of its own, and only so many are made at once."""

ENDED = "the gateway ended in the middle of its answer"


class NotRunningError(Exception):
    """No gateway serves from this state."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("control", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with socket_address(self._path) as address:
            self.sock.connect(address)


def ask(layout: Layout, method: str, target: str, *, timeout_s: float, body: bytes | None = None) -> bytes:
    """The body of a 200 from the running gateway. Raises NotRunningError, PermissionError, or KeyError for a 404."""
    return ask_at(layout.control, method, target, timeout_s=timeout_s, body=body)


def ask_at(
    path: Path,
    method: str,
    target: str,
    *,
    timeout_s: float,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The same from whoever listens on a socket file: the gateway, or the desk beside it."""
    connection = _Connection(path, timeout_s)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        told = answer.read(ANSWER_BYTES_MAX)
    except PermissionError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise NotRunningError(f"no gateway answers at {path}: {error}") from None
    finally:
        connection.close()
    if answer.status == 404:
        raise KeyError(json.loads(told)["error"])
    if answer.status != 200:
        raise NotRunningError(f"the gateway at {path} answered {answer.status}")
    return told


def ask_lines(path: Path, method: str, target: str, *, timeout_s: float, body: bytes | None = None) -> Iterator[bytes]:
    """The lines of a 200 from whoever listens on a socket file, each as it comes; `timeout_s` is for each line.

    Raises as `ask`, and ConnectionResetError where it ends in the middle (http.client takes a close for the end).
    """
    connection = _Connection(path, timeout_s)
    begun = False
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        if answer.status == 404:
            raise KeyError(json.loads(answer.read(ANSWER_BYTES_MAX))["error"])
        if answer.status != 200:
            raise NotRunningError(f"the gateway at {path} answered {answer.status}")
        while line := answer.readline(LINE_BYTES_MAX):
            begun = True
            yield line
    except PermissionError:
        raise
    except (OSError, http.client.HTTPException) as error:
        if begun:
            raise ConnectionResetError(errno.ECONNRESET, ENDED, str(path)) from None
        raise NotRunningError(f"no gateway answers at {path}: {error}") from None
    finally:
        connection.close()


def status(gathered: Gathered, environment: Mapping[str, str], *, timeout_s: float = 10.0) -> StatusReport:
    """The running gateway's own word; else what its state says. Raises OSError where there is no state at all."""
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    try:
        return msgspec.json.decode(ask(layout, "GET", "/status", timeout_s=timeout_s), type=StatusReport)
    except NotRunningError:
        if not layout.catalogue.exists():
            raise FileNotFoundError(2, "no gateway has ever served from here", str(layout.state)) from None
    return _at_rest(gathered, layout)


def _at_rest(gathered: Gathered, layout: Layout) -> StatusReport:
    """What the state says. Who has a gateway to ask does without these imports, a tenth of a second."""
    from tidegate.wiring.archives import archives_of
    from tidegate.wiring.probe import remembered_health
    from tidegate.wiring.view import status_at_rest

    store = open_store(layout)
    try:
        archives, found = archives_of(gathered.settings.archive)
        notes = [*gathered.notes, *found]
        health = remembered_health(layout, gathered.settings.health, archives.values(), notes.append)
        health.offline = gathered.settings.fetch.offline
        return status_at_rest(archives, store, health, tuple(notes))
    finally:
        store.close()


def refresh(
    gathered: Gathered, environment: Mapping[str, str], archive: str, suite: str, *, wait: bool, timeout_s: float
) -> LookReport:
    """Have the running gateway look at a suite, and, if told to, wait for how that ends. Raises as `ask`."""
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    target = "/refresh?" + urlencode({"archive": archive, "suite": suite, "wait": "yes" if wait else "no"})
    return msgspec.json.decode(ask(layout, "POST", target, timeout_s=timeout_s), type=LookReport)


def probe(
    gathered: Gathered, environment: Mapping[str, str], archive: str | None, told: "Told"
) -> tuple[ProbeReport, ...]:
    """Have the running gateway probe its sources, or those of one archive; tell each as it ends.

    Raises as `ask`, and ConnectionResetError where the gateway ends in the middle.
    """
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    target = "/probe" if archive is None else "/probe?" + urlencode({"archive": archive})
    probes: list[ProbeReport] = []
    expected: int | None = None
    for text in ask_lines(layout.control, "POST", target, timeout_s=PROBE_TIMEOUT_S):
        try:
            line = msgspec.json.decode(text, type=ProbeRound | ProbeReport)
        except msgspec.DecodeError:  # half a line
            break
        told(line)
        match line:
            case ProbeRound(sources=count):
                expected = count
            case ProbeReport():
                probes.append(line)
    if expected is None or len(probes) < expected:
        raise ConnectionResetError(errno.ECONNRESET, ENDED, str(layout.control))
    return tuple(probes)
