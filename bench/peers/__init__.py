"""What is measured: how each gateway is started fresh, and how a client asks it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.process import Server, spawn

if TYPE_CHECKING:
    from bench.world import World


@dataclass(frozen=True, slots=True)
class Door:
    """A way in: where to connect, and what stands before a path in the request's target."""

    name: str
    host: str
    port: int
    prefix: str
    authority: str

    def target(self, path: str) -> str:
        """The request target for a path below the archive's root."""
        return f"{self.prefix}/{path}"

    def request(self, path: str) -> bytes:
        """A whole GET request."""
        return f"GET {self.target(path)} HTTP/1.1\r\nHost: {self.authority}\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Running:
    """A started peer: its doors, the process to watch (None: not ours), its settings as text."""

    doors: tuple[Door, ...]
    server: Server | None
    logs: tuple[Path, ...]
    settings: str

    @property
    def door(self) -> Door:
        """The way in that is measured where only one is."""
        return self.doors[0]

    def stop(self) -> None:
        """End it when it is ours."""
        if self.server is not None:
            self.server.stop()


@dataclass(frozen=True, slots=True)
class Peer:
    """A recipe: `start` brings it up with empty caches below the given home."""

    name: str
    start: Callable[["World", Path], Running]


@contextmanager
def fresh_home(name: str, work: Path) -> Iterator[Path]:
    """An empty directory for one instance, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix=f"{name.replace(' ', '-')}-", dir=work))
    home.chmod(0o755)  # squid gives up root and must still get in
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def running(peer: Peer, world: "World") -> Iterator[Running]:
    """A fresh instance with a home of its own, both gone afterwards."""
    with fresh_home(peer.name, world.work) as home:
        started = peer.start(world, home)
        try:
            yield started
        finally:
            started.stop()


def up(name: str, argv: list[str], port: int, home: Path) -> Server:
    """Spawn a server that will listen on `port`; never leaves it behind when it does not."""
    server = spawn(name, argv, log=home / "printed.log", cwd=home)
    try:
        server.await_port(port)
    except BaseException:
        server.stop()
        raise
    return server


def mirror_door(name: str, port: int, archive: str) -> Door:
    """Plain GET /archive/path, as from a mirror."""
    return Door(name, "127.0.0.1", port, f"/{archive}", f"127.0.0.1:{port}")


def proxy_door(name: str, port: int, url: str) -> Door:
    """Absolute-form, as apt asks an http proxy: GET http://origin/archive/path."""
    return Door(name, "127.0.0.1", port, url, url.removeprefix("http://").partition("/")[0])
