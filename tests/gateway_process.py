"""The real `tidegate serve` as a process of its own, for tests that want the whole product."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.store.journal_kinds import objection
from tidegate.store.sqlite_journal import SqliteJournal

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 40.0
POLL_S = 0.02
START_TRIES = 3
EVENTS_LOOKED_AT = 10_000
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServedArchive:
    """One `[[archive]]` of the configuration."""

    name: str
    sources: tuple[str, ...]
    keyring: Path
    suites: tuple[str, ...] = ("stable",)
    components: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ("amd64",)
    deb_src: bool = True
    aliases: tuple[str, ...] = ()
    options: tuple[tuple[str, bool], ...] = ()  # further keys of the table
    private: bool = True  # the sources may be on loopback, which is where the simulator lives

    def toml(self) -> str:
        """As the configuration file has it."""
        lines = ["[[archive]]"]
        lines += [f"name = {_quoted(self.name)}", f"keyring = {_quoted(str(self.keyring))}"]
        for key in ("suites", "components", "architectures", "aliases"):
            lines.append(f"{key} = {_quoted(list(getattr(self, key)))}")
        lines += [f"deb_src = {_quoted(self.deb_src)}"]
        lines += [f"{key} = {_quoted(value)}" for key, value in self.options]
        for url in self.sources:
            operator = urllib.parse.urlsplit(url).netloc
            lines += ["[[archive.source]]", f"url = {_quoted(url)}", f"operator = {_quoted(operator)}"]
            lines += [f"private = {_quoted(self.private)}"]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def journal_objections(state: Path) -> list[str]:
    """What is wrong with a state directory's journal, whatever became of the gateway that wrote it."""
    if not (state / "journal.db").exists():
        return []
    with contextlib.closing(SqliteJournal(state / "journal.db")) as journal:
        told = [f"event {one.seq} {one.what}" for one in journal.check().troubles]
        events = journal.last(EVENTS_LOOKED_AT)
        return told + [why for event in events if (why := objection(event.kind, event.data)) is not None]


class GatewayProcess:
    """One gateway with its state below `root`. `start` it; it keeps its ports over a restart.

    `settings` is further TOML, put before the archives: `[keeper]\\nrefresh_interval_s = 3600.0\\n`.
    """

    def __init__(
        self,
        root: Path,
        archives: Sequence[ServedArchive],
        *,
        settings: str = "",
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.state = root / "state"
        self.config = root / "tidegate.toml"
        self._arguments = tuple(arguments)
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._log = root / "gateway.log"
        self.port, self.admin_port = 0, 0
        root.mkdir(parents=True, exist_ok=True)
        self.configure(archives, settings)

    def configure(self, archives: Sequence[ServedArchive], settings: str = "") -> None:
        """Write the configuration; it counts from the next start or reload."""
        self.config.write_text(settings + "\n" + "\n".join(archive.toml() for archive in archives))

    @property
    def url(self) -> str:
        """Where apt finds it: the proxy's address, and the mirror form's root."""
        return f"http://{HOST}:{self.port}"

    @property
    def admin_url(self) -> str:
        """Where its health is told."""
        return f"http://{HOST}:{self.admin_port}"

    @property
    def pid(self) -> int:
        """The serving process (the parent, where there are several workers)."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has printed, over restarts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, until: str = "/readyz", timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it and wait for 200 at `until` (`/healthz` where no suite can be served yet)."""
        for _ in range(START_TRIES):
            if not self.port:
                self.port, self.admin_port = _free_ports()
            begun = len(self.log)
            self._spawn()
            if self._answers(until, timeout_s):
                return
            if self.running or "in use" not in self.log[begun:]:
                break
            self.port = 0  # somebody took it between our look and its bind
        state = "never ready" if self.running else "ended by itself"
        self.kill9()
        raise AssertionError(f"{state}: {until}\n{self.log}")

    def stop(self) -> int:
        """Ask it to end, as systemd would, and return its exit status."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"did not end within {STOP_TIMEOUT_S} s\n{self.log}") from None

    def kill9(self) -> None:
        """Kill it and all its workers where they stand."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT_S)

    def restart(self, **options: Any) -> None:
        """Stop and start on the same ports over the same state."""
        if self.running:
            self.stop()
        self.start(**options)

    def reload(self) -> None:
        """SIGHUP."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGHUP)

    def status(self) -> Any:
        """What `tidegate status --json` says."""
        done = self.command("status", "--json", "--state", str(self.state))
        assert done.stdout, done.stderr.decode(errors="replace")
        return json.loads(done.stdout)

    def command(self, *arguments: str, timeout_s: float = ANSWER_TIMEOUT_S) -> subprocess.CompletedProcess[bytes]:
        """Run another command of tidegate in the same environment."""
        return subprocess.run(
            [sys.executable, "-m", "tidegate", *arguments],
            env=self._env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )

    def get(self, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own; `target` goes into the request line as it is."""
        return _ask(self.port, target, method, headers or {})

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
        """Look until `condition` holds; fail with the log if it does not in time, or if the process ends."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.running, f"ended by itself\n{self.log}"
            assert time.monotonic() < deadline, f"not within {timeout_s} s\n{self.log}"
            time.sleep(POLL_S)

    # Within

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tidegate", "serve"),
                    *("--config", str(self.config), "--state", str(self.state)),
                    *("--listen", f"{HOST}:{self.port}", "--admin", f"{HOST}:{self.admin_port}"),
                    *self._arguments,
                ],
                env=self._env(),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self, path: str, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.running and time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if _ask(self.admin_port, path, "GET", {}).status == 200:
                    return True
            time.sleep(POLL_S)
        return False

    def _env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k.startswith(("COVERAGE_", "PYTHON")) or k == "PATH"}
        return {**kept, "HOME": str(self.root), "LC_ALL": "C.UTF-8", **self._environment}


def _ask(port: int, target: str, method: str, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    with contextlib.closing(connection):
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in {"Connection": "close", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, answer.reason, named, answer.read())


def _free_ports() -> tuple[int, int]:
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _quoted(value: str | bool | list[str]) -> str:
    """A TOML value; JSON's strings, booleans and lists are TOML's too."""
    return json.dumps(value)
