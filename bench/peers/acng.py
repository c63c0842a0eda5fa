"""apt-cacher-ng as Debian ships it, with a private cache and configuration."""

from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import Peer, Running, proxy_door, up
from bench.process import free_port

if TYPE_CHECKING:
    from bench.world import World

_CONF = """\
CacheDir: {home}/cache
LogDir: {home}/log
SupportDir: /usr/lib/apt-cacher-ng
BindAddress: 127.0.0.1
Port: {port}
ForeGround: 1
PidFile: {home}/pid
SocketPath: {home}/socket
AllowUserPorts: 0
ExThreshold: 4
"""


def _start(world: "World", home: Path) -> Running:
    port = free_port()
    for name in ("conf", "cache", "log"):
        (home / name).mkdir()
    settings = _CONF.format(home=home, port=port)
    (home / "conf" / "acng.conf").write_text(settings)
    server = up("apt-cacher-ng", ["apt-cacher-ng", "-c", str(home / "conf")], port, home)
    door = proxy_door("apt-cacher-ng", port, f"{world.origin.url}/{world.archive.name}")
    return Running((door,), server, (home / "log" / "apt-cacher.log",), settings)


ACNG = Peer("apt-cacher-ng", _start)
