"""A desk's doors for hosts and commands, in this process: the real routes, store and threads, on loopback."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from tidegate.fleet.settings import FleetSettings
from tidegate.fleet.sqlite_hosts import SqliteHosts
from tidegate.store.journal import Value
from tidegate.store.tokens import Scope, TokenFile
from tidegate.web.fleet_control import fleet_routes
from tidegate.web.fleet_intake import intake_routes
from tidegate.web.serving import Serving, control_socket
from tidegate.wiring.fleet_desk import FleetDesk

NOON = 1_777_636_800
CONNECTIONS_MAX = 2_000
READY_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


class Desk:
    """Serves from `with` to the end; `now` is what its clock says."""

    def __init__(self, directory: Path, settings: FleetSettings | None = None) -> None:
        self.now = NOON
        self.events: list[tuple[str, str, dict[str, Value]]] = []
        self.hosts = SqliteHosts(directory / "fleet.db")
        self.tokens = TokenFile(directory / "tokens.json")
        self.token, _ = self.tokens.add("fleet", Scope.REPORT, 1)
        self.desk = FleetDesk(
            self.hosts, self.tokens, settings or FleetSettings(), self._note, now=lambda: float(self.now)
        )
        self.door = self.desk.door
        self._control = control_socket(directory / "desk.sock")
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self._socket.getsockname()[1])
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fleet/report"

    def report(
        self,
        body: bytes | Iterator[bytes] | None = b"",
        query: str = "",
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST a report, in chunks where it comes in pieces. `token`: empty for none, None for the good one."""
        secret = self.token if token is None else token
        given = {"Authorization": f"Bearer {secret}"} if secret else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("POST", f"/fleet/report{query}", body, {**given, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, text)
        finally:
            connection.close()

    def __enter__(self) -> "Desk":
        self._thread.start()
        assert self._ready.wait(READY_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self.desk.close()
        self.hosts.close()

    def _note(self, kind: str, subject: str, **data: Value) -> None:
        self.events.append((kind, subject, data))

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = Starlette(routes=intake_routes(self.desk))
        serving = Serving(app, self._socket, connections_max=CONNECTIONS_MAX)
        control = Serving(Starlette(routes=fleet_routes(self.desk)), self._control)
        self._ready.set()
        await self._end.wait()
        await serving.stop()
        await control.stop()
