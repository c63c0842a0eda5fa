"""Tidegate as its users start it, with logging and counting on."""

import http.client
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import Door, Peer, Running, mirror_door, proxy_door, up
from bench.process import POLL_S, START_TIMEOUT_S, BenchError, Server, free_port

if TYPE_CHECKING:
    from bench.world import World

COMMAND = (sys.executable, "-m", "tidegate")

_TOML = """\
[gateway]
access_log = true

[[archive]]
name = "{name}"
keyring = "{keyring}"
suites = ["{suite}"]
components = ["main"]
architectures = ["amd64"]
aliases = ["{alias}"]

[[archive.source]]
url = "{source}"
operator = "bench"
kind = "origin"
private = true
"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """How one instance is run: which archive it serves, from where, with how many workers."""

    name: str
    keyring: Path
    suite: str
    source: str
    workers: int = 1

    def toml(self) -> str:
        """Its configuration file; whatever it does not say is the product's default."""
        return _TOML.format(
            name=self.name, keyring=self.keyring, suite=self.suite, alias=self.source, source=self.source
        )

    def argv(self, home: Path, port: int, admin: int) -> list[str]:
        """`tidegate serve` with its state below `home`."""
        return [
            *COMMAND,
            *("serve", "--config", str(home / "tidegate.toml"), "--state", str(home / "state")),
            *("--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}"),
            *("--workers", str(self.workers)),
        ]

    def prepare(self, home: Path) -> None:
        """Write the configuration below `home`."""
        (home / "tidegate.toml").write_text(self.toml())

    def launch(self, home: Path, port: int, admin: int) -> Server:
        """Start it and return as soon as clients can connect; suites may still be on their way."""
        return up("tidegate", self.argv(home, port, admin), port, home)

    def serve(self, home: Path) -> tuple[Server, Door, Door]:
        """Start it fresh and return when every suite is served: the proxy's door, the mirror's door."""
        self.prepare(home)
        port, admin = free_port(), free_port()
        server = self.launch(home, port, admin)
        try:
            await_ready(server, admin)
        except BaseException:
            server.stop()
            raise
        kind = "tidegate" if self.workers == 1 else f"tidegate, {self.workers} workers"
        return server, proxy_door(kind, port, self.source), mirror_door(f"{kind} (mirror form)", port, self.name)


def await_ready(server: Server, admin: int) -> None:
    """Return when /readyz on the admin port answers 200."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        server.must_run()
        with suppress(OSError, http.client.HTTPException):
            asking = http.client.HTTPConnection("127.0.0.1", admin, timeout=5.0)
            asking.request("GET", "/readyz")
            status = asking.getresponse().status
            asking.close()
            if status == 200:
                return
        time.sleep(10 * POLL_S)
    raise BenchError(f"tidegate is not ready after {START_TIMEOUT_S:.0f} s: {server.tail()}")


def generated(world: "World", *, workers: int = 1) -> Gateway:
    """The gateway over the generated archive."""
    archive = world.archive
    return Gateway(
        name=archive.name,
        keyring=archive.keyring,
        suite=archive.suite,
        source=f"{world.origin.url}/{archive.name}",
        workers=workers,
    )


def tidegate(*, workers: int = 1) -> Peer:
    """Tidegate over the generated archive, with that many workers."""

    def start(world: "World", home: Path) -> Running:
        gateway = generated(world, workers=workers)
        server, *doors = gateway.serve(home)
        settings = f"{gateway.toml()}\n# {' '.join(gateway.argv(home, 3142, 3143)[2:])}\n"
        return Running(tuple(doors), server, (home / "printed.log",), settings)

    return Peer("tidegate" if workers == 1 else f"tidegate, {workers} workers", start)
