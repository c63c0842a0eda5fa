"""Hooks: told how each incident stands, signed, until they heard it."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidegate.incidents.settings import HookSettings, IncidentSettings
from tidegate.store.journal import Happening
from tidegate.store.memory_journal import MemoryJournal
from tidegate.wiring.hook_post import HookError, secret_of
from tidegate.wiring.hooks import Hooks
from tidegate.wiring.incidents import Incidents

WAIT_S = 60.0
SECRET = b"sixteen bytes and more"


class Receiver:
    """Whoever is told, on loopback: keeps what came; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/told"

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    @contextmanager
    def serving(self) -> Iterator["Receiver"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as made:
        yield made


class House:
    """A journal, and the hooks that are told of its incidents."""

    def __init__(self, root: Path, *hooks: HookSettings) -> None:
        self.journal = MemoryJournal()
        self.memory = root / "hooks.json"
        self.noted: list[tuple[str, str]] = []
        self.settings = hooks

    def alone(self, archive: str = "debian") -> None:
        self.journal.append([Happening("alone-begun", archive, {"since": 1.0, "reason": "in a test"})])

    def back(self, archive: str = "debian") -> None:
        self.journal.append([Happening("alone-ended", archive, {"since": 1.0, "seconds": 60.0})])

    def remembers(self, receiver: Receiver) -> bool:
        """Whether it is written down that the last message was heard."""
        if not self.memory.exists() or not receiver.got:
            return False
        last = json.loads(receiver.got[-1][1])
        told = json.loads(self.memory.read_bytes()).get(receiver.url, {}).get(last["incident"], {})
        return bool(f"incident.{told.get('state')}" == last["type"])

    def until(self, condition: Callable[[], Any]) -> None:
        """Tell, as a desk would that has just been started, until this is so."""

        async def telling() -> None:
            incidents = Incidents(self.journal, IncidentSettings())
            hooks = Hooks(
                self.settings, incidents, self.memory, lambda kind, subject, **_: self.noted.append((kind, subject))
            )
            running = asyncio.get_running_loop().create_task(hooks.run())
            try:
                async with asyncio.timeout(WAIT_S):
                    while not condition():  # noqa: ASYNC110  # what is waited for is another thread's
                        await asyncio.sleep(0.02)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(telling())


def hook(receiver: Receiver, **more: Any) -> HookSettings:
    return HookSettings(url=receiver.url, **{"retry_max_s": 1.0, **more})


def test_an_incident_is_told_as_it_opens_and_as_it_is_mitigated_and_never_twice(
    tmp_path: Path, receiver: Receiver
) -> None:
    house = House(tmp_path, hook(receiver))
    house.alone()
    house.until(lambda: receiver.types == ["incident.open"] and house.remembers(receiver))
    house.back()
    house.until(lambda: receiver.types == ["incident.open", "incident.mitigated"] and house.remembers(receiver))
    house.alone("ubuntu")
    house.until(lambda: len(receiver.got) == 3 and house.remembers(receiver))
    assert [json.loads(body)["name"] for _, body in receiver.got] == ["debian", "debian", "ubuntu"]


def test_a_message_is_signed_so_that_whoever_has_the_secret_can_tell(tmp_path: Path, receiver: Receiver) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    house = House(tmp_path, hook(receiver, secret_file=str(secret)))
    house.alone()
    house.until(lambda: receiver.got)
    headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("status", [302, 410, 500])
def test_one_that_does_not_hear_is_told_again_the_same_message_and_that_is_written_down_once(
    tmp_path: Path, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    house = House(tmp_path, hook(receiver))
    house.alone()

    def heard_in_the_end() -> bool:
        if len(receiver.got) >= 2:
            receiver.status = 204
        return house.memory.exists()

    house.until(heard_in_the_end)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert house.noted == [("hook-failed", receiver.url), ("hook-back", receiver.url)]


def test_after_a_long_silence_each_incident_is_one_message_as_it_stands_by_then(
    tmp_path: Path, receiver: Receiver
) -> None:
    house = House(tmp_path, hook(receiver))
    for _ in range(5):
        house.alone()
        house.back()
    house.until(lambda: receiver.got)
    assert receiver.types == ["incident.mitigated"]


def test_a_hook_that_is_gone_keeps_no_other_waiting(tmp_path: Path, receiver: Receiver) -> None:
    gone = HookSettings(url="http://127.0.0.1:1/", timeout_s=0.5)
    house = House(tmp_path, gone, hook(receiver))
    house.alone()
    house.until(lambda: receiver.got and ("hook-failed", gone.url) in house.noted)


def test_what_is_less_severe_than_asked_for_is_not_told(tmp_path: Path, receiver: Receiver) -> None:
    with Receiver().serving() as all_of_it:
        house = House(tmp_path, hook(receiver, severity_max=1), hook(all_of_it, severity_max=4))
        house.alone()
        house.until(lambda: all_of_it.got)
    severity = json.loads(all_of_it.got[0][1])["severity"]
    assert (receiver.got == []) is (severity > 1)
    assert severity > 1


@pytest.mark.parametrize(("content", "why"), [(b"short", "fewer than"), (b"whsec_!!!", "base64"), (None, "read")])
def test_a_secret_that_is_none_is_said_to_be_so(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HookError, match=why):
        secret_of(str(path))


def test_a_secret_may_be_written_as_the_standard_has_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"whsec_" + base64.b64encode(SECRET) + b"\n")
    assert secret_of(str(path)) == SECRET


def test_a_spoiled_memory_costs_a_message_told_twice_and_no_more(tmp_path: Path, receiver: Receiver) -> None:
    house = House(tmp_path, hook(receiver))
    house.alone()
    house.until(lambda: house.remembers(receiver))
    house.memory.write_text("rubbish")
    house.until(lambda: len(receiver.got) == 2 and house.remembers(receiver))
