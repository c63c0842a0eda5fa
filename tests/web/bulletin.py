"""The answers on advisories, served on loopback in this process: the real routes, history and threads."""

import asyncio
import hashlib
import http.client
import io
import json
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from tests.advisories.samples import DATA, NOON
from tidegate.advisories.documents import Documents
from tidegate.advisories.from_files import take_in_path
from tidegate.advisories.history import History
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.answers.age import DAY_S
from tidegate.fleet.freshness import DEFAULT_LIMITS, AgeLimits
from tidegate.web.advisories import advisory_routes
from tidegate.web.asking import ExposedHost
from tidegate.web.documents import OpenDocument, opened
from tidegate.web.serving import Serving

READY_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 60.0
SAMPLES = {
    "ubuntu-osv": "ubuntu-osv",
    "ubuntu-tracker": "ubuntu-tracker",
    "ubuntu-vex": "ubuntu-vex",
    "ubuntu-security-api": "ubuntu-security-api.json",
    "ubuntu-notices": "ubuntu-notices.json",
    "debian-tracker": "debian-tracker.json",
    "debian-osv": "debian-osv",
    "kev": "kev.json",
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


def held(*feeds: str, at: int = NOON) -> MemoryHistory:
    """A history with the test data of some feeds, or of all."""
    history = MemoryHistory()
    for feed in feeds or SAMPLES:
        take_in_path(history, feed, DATA / SAMPLES[feed], origin=f"https://feeds.example/{feed}", fetched_at=at)
    return history


class Bulletin:
    """Serves from `with` to the end; `now` is what its clock says."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.limits: AgeLimits = DEFAULT_LIMITS
        self.refuse_after_s = 30 * DAY_S
        self.clock = NOON + 100
        self.files: dict[str, bytes] = {}
        self.feeds: Path | None = None
        """Where the feeds' files are kept; else they are those of `files`."""
        self.hosts: Sequence[ExposedHost] | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def now(self) -> int:
        return self.clock

    def document(self, file: str) -> OpenDocument | None:
        if self.feeds is not None:
            return opened(Documents(self.feeds), file)
        data = self.files.get(file)
        if data is None:
            return None
        return OpenDocument(io.BytesIO(data), file, len(data), hashlib.sha256(data).digest(), NOON, NOON)

    def exposed(self, about: str) -> Sequence[ExposedHost] | None:
        return self.hosts

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            body = answer.read()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, body)
        finally:
            connection.close()

    def __enter__(self) -> "Bulletin":
        self._thread.start()
        assert self._ready.wait(READY_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        serving = Serving(Starlette(routes=advisory_routes(self)), self._socket)
        self._ready.set()
        await self._end.wait()
        await serving.stop()
