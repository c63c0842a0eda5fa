"""Who else comes to the gateway during a soak: the real apt, hosts that report, an open dashboard."""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
from pathlib import Path

from tests.soak.load import SUITE
from tests.soak.world import World
from tidegate.drill.clients import Apt, Fleet
from tidegate.drill.process import ALIAS, HOST, LabGateway
from tidegate.drill.record import Run

APT_EVERY_S = 30.0
HOSTS = 20
REPORT_EVERY_S = 60.0
PAGE_EVERY_S = 15.0
TIMEOUT_S = 60.0
LINE_BYTES_MAX = 1 << 20


class Audience:
    """`start`, then `end`. Counts what it was given."""

    def __init__(self, root: Path, world: World, gateway: LabGateway, fleet_port: int) -> None:
        self._world, self._gateway, self._fleet_port = world, gateway, fleet_port
        self._over = threading.Event()
        self.apt_runs = self.reports = self.reports_failed = self.pages = self.breaks = self.decisions = 0
        self.first_decision = 0
        self.apt_failed: list[str] = []
        fleet = Fleet(gateway.port, ALIAS, SUITE, world.used, world.published, lambda _: None, lambda _: None)
        self._apt = Apt(root / "apt", fleet, world.keyring) if Apt.is_there() else None
        works = [self._run_apt, self._report, self._read_pages, self._follow]
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        self._stream: http.client.HTTPConnection | None = None

    def start(self) -> None:
        """Everybody comes."""
        self._token = self._new_token()
        for one in self._threads:
            one.start()

    def end(self) -> None:
        """And goes."""
        self._over.set()
        for one in self._threads[:3]:
            one.join(TIMEOUT_S)

    def _run_apt(self) -> None:
        while self._apt is not None and not self._over.is_set():
            self._apt.run(self._ran)
            self._over.wait(APT_EVERY_S)

    def _ran(self, run: Run) -> None:
        self.apt_runs += 1
        if not run.ok:
            self.apt_failed.append(run.said[-500:])

    def _new_token(self) -> str:
        command = [sys.executable, "-m", "tidegate", "fleet", "token", "add", "soak", "--json"]
        command += ["--config", str(self._gateway.config), "--state", str(self._gateway.state)]
        told = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S).stdout
        return str(json.loads(told)["secret"])

    def _report(self) -> None:
        turn = 0
        while not self._over.wait(REPORT_EVERY_S / HOSTS):
            turn += 1
            host, version = f"host{turn % HOSTS}", f"1.{turn // HOSTS}"
            status = "".join(
                f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
                for name in self._world.used
            )
            target = f"/fleet/report?host={host}&name={host}&release=ubuntu:noble&form=dpkg-status"
            answer = self._asked("POST", self._fleet_port, target, status.encode())
            self.reports += 1
            self.reports_failed += not (answer or b"").startswith(b"taken in")

    def _read_pages(self) -> None:
        while not self._over.wait(PAGE_EVERY_S):
            if self._asked("GET", self._gateway.admin_port, "/") is not None:
                self.pages += 1

    def _asked(self, method: str, port: int, target: str, body: bytes | None = None) -> bytes | None:
        """The answer; None for one that is an error."""
        headers = {"Authorization": f"Bearer {self._token}"} if body is not None else {}
        connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            told = answer.read()
            return told if answer.status == 200 else None
        return None

    def _follow(self) -> None:
        """The dashboard's stream, as an open page does: again from where it was, should it break off."""
        after = ""
        while not self._over.is_set():
            connection = http.client.HTTPConnection(HOST, self._gateway.admin_port, timeout=TIMEOUT_S)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/events", headers={"Last-Event-ID": after} if after else {})
                stream = connection.getresponse()
                while line := stream.readline(LINE_BYTES_MAX):
                    if line.startswith(b"id: "):
                        after = line[4:].decode().strip()
                        self.decisions += 1
                        self.first_decision = self.first_decision or int(after)
            if not self._over.is_set():
                self.breaks += 1
                self._over.wait(1.0)
