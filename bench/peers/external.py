"""A proxy that already runs and is not ours: measured from outside only, so without CPU figures."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.peers import Door, Peer, Running
from bench.process import BenchError

if TYPE_CHECKING:
    from bench.world import World


def external(name: str, url: str) -> Peer:
    """A proxy at `http://HOST:PORT`, asked in absolute-form.

    Its cache cannot be wiped, so every start asks below another `/fresh/TOKEN/` of the origin, which
    is the same tree by a name that the proxy has not seen.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise BenchError(f"--peer {name}={url}: an address like http://127.0.0.1:3128 is wanted")
    host, port = parts.hostname, parts.port or 80

    def start(world: "World", home: Path) -> Running:
        prefix = f"{world.origin.url}/fresh/{home.name}/{world.archive.name}"
        door = Door(name, host, port, prefix, f"127.0.0.1:{world.origin.port}")
        return Running((door,), None, (), f"runs at {url}, settings unknown")

    return Peer(name, start)
