"""The real gateway as a process of its own, and what the laboratory asks of it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tidegate.drill.mirror import Mirror

HOST = "127.0.0.1"
ALIAS = "http://archive.drill/ubuntu"
"""What clients of the laboratory call the archive."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
ASK_TIMEOUT_S = 10.0
POLL_S = 0.02
CONNECT_TIMEOUT_S = 0.5
BACKOFF_CAP_S = 2.0
LOOK_IN_VAIN_S = CONNECT_TIMEOUT_S + BACKOFF_CAP_S
"""What a look may take that waits for sources which do not answer, until one of them may be tried again. Times that
guard against a source cannot be compressed with the story: a busy machine needs them."""


class LabError(RuntimeError):
    """The laboratory cannot be set up: a sentence saying why."""


class LabGateway:
    """`tidegate serve` over a state below `root`, with its clock in our hands. `start`, `stop`."""

    def __init__(self, root: Path, settings: str) -> None:
        self.root = root
        self.state = root / "state"
        self.config = root / "tidegate.toml"
        self._clock = root / "clock"
        self._log = root / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        root.mkdir(parents=True)
        self._clock.write_text("0")
        self.config.write_text(settings)
        self.port, self.admin_port = _free_ports()

    @property
    def url(self) -> str:
        """apt's proxy."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process. It has to be started."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start it, and wait until it serves what it is to serve; how long that took. Raises LabError."""
        begun = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tidegate.cli.clocked", str(self._clock), "serve"),
                    *("--config", str(self.config), "--state", str(self.state)),
                    *("--listen", f"{HOST}:{self.port}", "--admin", f"{HOST}:{self.admin_port}"),
                ],
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise LabError(f"the gateway does not start:\n{self.log}")
            time.sleep(POLL_S)
        return time.monotonic() - begun

    def set_clock(self, by_s: float) -> None:
        """Its wall clock is so many seconds off from now on."""
        fresh = self._clock.with_name("clock.new")
        fresh.write_text(f"{by_s:g}")
        fresh.replace(self._clock)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"the gateway does not end:\n{self.log}") from None
        self._process = None

    def kill(self) -> None:
        """End it at once, if it is there."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def status(self) -> bytes:
        """Its status, as the admin port tells it: JSON. Raises OSError."""
        try:
            return self._ask("/status.json")
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None

    @property
    def log(self) -> str:
        """What it printed."""
        return self._log.read_text(errors="replace")

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._ask("/readyz")
            return (self.state / "control.sock").exists()
        return False

    def _ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(HOST, self.admin_port, timeout=ASK_TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise OSError(f"{path}: {answer.status}")
            return body


def settings_toml(
    mirrors: Iterable[Mirror], keyring: Path, suite: str, *, refresh_s: float, feeds: Iterable[tuple[str, str]]
) -> str:
    """The gateway's settings in a laboratory: the shipped ones, but for what time is compressed in."""
    lines = [
        *("[keeper]", f"refresh_interval_s = {refresh_s:.3f}", "refresh_jitter = 0.0", "retry_first_s = 0.5"),
        *("recovery_spread_s = 0.2", "background_requests_per_minute = 6000", "straggler_grace_s = 0.3"),
        f"freshness_lost_after_s = {max(6.0, 24 * refresh_s):.3f}",
        *("[health]", "alone_after_s = 1.0", f"probe_interval_s = {max(0.5, refresh_s / 2):.3f}"),
        *(f"backoff_cap_s = {BACKOFF_CAP_S}", "calm_s = 5.0", "trial_s = 1.0", "violation_s = 10.0"),
        *("[fetch]", f"connect_timeout_s = {CONNECT_TIMEOUT_S}", "first_byte_timeout_s = 1.0"),
        *(
            "silence_timeout_s = 1.0",
            "rate_window_s = 1.0",
            "[hold]",
            "count_interval_s = 1.0",
            "requests_per_minute = 60000",
        ),
        *("prefetch_s = 20.0", "wait_s = 5.0", "security_wait_s = 20.0", "torn_wait_s = 20.0"),
        *("[journal]", "served_interval_s = 1.0", "[incidents]", "calm_s = 5.0"),
        *("[store]", "free_bytes_min = 1048576"),
        *("[fleet]", "feed_confirmed_max_s = 60"),
    ]
    for name, url in feeds:
        lines += ["[[advisories.feed]]", f'name = "{name}"', f'urls = ["{url}"]', "interval_s = 1.0", "private = true"]
    lines += ["[[archive]]", 'name = "ubuntu"', f'keyring = "{keyring}"', f'suites = ["{suite}"]']
    lines += ['components = ["main"]', 'architectures = ["amd64"]', f'aliases = ["{ALIAS}"]']
    for mirror in mirrors:
        lines += ["[[archive.source]]", f'url = "{mirror.url}"', f'operator = "{mirror.operator}"', "private = true"]
    return "\n".join(lines) + "\n"


def _free_ports() -> tuple[int, int]:
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]
