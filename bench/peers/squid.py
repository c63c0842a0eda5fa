"""squid: one process, a disk cache, everything fresh for a day."""

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import Peer, Running, proxy_door, up
from bench.process import free_port, run

if TYPE_CHECKING:
    from bench.world import World

_CONF = """\
http_port 127.0.0.1:{port}
visible_hostname bench.example
http_access allow localhost
http_access deny all
cache_mem 256 MB
maximum_object_size 1 GB
maximum_object_size_in_memory 512 KB
cache_dir aufs {home}/cache 8192 16 256
refresh_pattern . 1440 100% 525600
access_log stdio:{home}/access.log
cache_log {home}/cache.log
pid_filename {home}/pid
coredump_dir {home}
pinger_enable off
shutdown_lifetime 0 seconds
max_filedescriptors 16384
"""
_NOT_ROOT = "proxy"  # the user that Debian's squid gives up root for


def _start(world: "World", home: Path) -> Running:
    port = free_port()
    settings = _CONF.format(home=home, port=port)
    conf = home / "squid.conf"
    conf.write_text(settings)
    (home / "cache").mkdir()
    if os.geteuid() == 0:
        uid = pwd.getpwnam(_NOT_ROOT).pw_uid
        for path in (home, home / "cache"):
            shutil.chown(path, uid)
    run(["squid", "-N", "-z", "-f", str(conf)])
    server = up("squid", ["squid", "-N", "-f", str(conf)], port, home)
    door = proxy_door("squid", port, f"{world.origin.url}/{world.archive.name}")
    return Running((door,), server, (home / "access.log",), settings)


SQUID = Peer("squid", _start)
