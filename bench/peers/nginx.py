"""nginx: as a file server at its best, as a proxy that stores, and as a cache with a lock."""

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers import Peer, Running, mirror_door, up
from bench.process import Server, free_port

if TYPE_CHECKING:
    from bench.world import World

_MAIN = """\
{user}worker_processes 1;
daemon off;
pid {home}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {connections}; }}
http {{
  client_body_temp_path {home}/t1; proxy_temp_path {home}/temp;
  fastcgi_temp_path {home}/t3; uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
{http}
}}
"""
# `tcp_nopush off` with open_file_cache is nginx at its best here; Debian's own default is half as fast.
_HITS = """
  access_log {home}/access.log combined buffer=64k flush=5s;
  sendfile on; tcp_nopush off; tcp_nodelay on;
  keepalive_requests 100000000; keepalive_timeout 3600s;
  open_file_cache max=20000 inactive=3600s; open_file_cache_valid 3600s;
  default_type application/octet-stream;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {tree}; }}
"""
_PROXY = """
  access_log {home}/access.log combined buffer=64k flush=5s;
  sendfile on; tcp_nopush off; tcp_nodelay on;
  keepalive_requests 100000000; keepalive_timeout 3600s;
  default_type application/octet-stream;
  upstream origin {{ server 127.0.0.1:{origin_port}; keepalive 64; keepalive_requests 100000000; }}
  {zone}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1; proxy_set_header Connection "";
    {location}
  }}
"""
_STORE = """root {home}/store;
    location / { try_files $uri @fetch; }
    location @fetch { proxy_pass http://origin; proxy_store on; proxy_store_access all:r; }"""
_LOCK_ZONE = "proxy_cache_path {home}/cache levels=1:2 keys_zone=c:16m max_size=8g use_temp_path=off;"
_LOCK = """location / {
      proxy_pass http://origin; proxy_cache c; proxy_cache_valid 200 1d;
      proxy_cache_lock on; proxy_cache_lock_timeout 600s; proxy_cache_lock_age 600s;
    }"""


def nginx_up(name: str, home: Path, http: str, port: int, *, connections: int = 16_384) -> Server:
    """A running nginx with one worker and that http block, everything it writes below `home`."""
    conf = home / "nginx.conf"
    conf.write_text(nginx_conf(home, http, connections))
    return up(name, ["nginx", "-p", str(home), "-c", str(conf), "-e", "stderr"], port, home)


def nginx_conf(home: Path, http: str, connections: int) -> str:
    """The whole configuration around an http block."""
    user = f"user {pwd.getpwuid(0).pw_name};\n" if os.geteuid() == 0 else ""
    return _MAIN.format(user=user, home=home, http=http, connections=connections)


def _started(name: str, home: Path, http: str, port: int, archive: str) -> Running:
    server = nginx_up(name, home, http, port)
    door = mirror_door(name, port, archive)
    return Running((door,), server, (home / "access.log",), nginx_conf(home, http, 16_384))


def file_server(home: Path, tree: Path, archive: str) -> Running:
    """nginx at its best over a tree of files."""
    port = free_port()
    return _started("nginx", home, _HITS.format(home=home, port=port, tree=tree), port, archive)


def _proxy(name: str, zone: str, location: str) -> Peer:
    def start(world: "World", home: Path) -> Running:
        port = free_port()
        http = _PROXY.format(
            home=home,
            port=port,
            origin_port=world.origin.port,
            zone=zone.replace("{home}", str(home)),
            location=location.replace("{home}", str(home)),
        )
        return _started(name, home, http, port, world.archive.name)

    return Peer(name, start)


NGINX = Peer("nginx", lambda world, home: file_server(home, world.origin.tree, world.archive.name))
NGINX_STORE = _proxy("nginx proxy_store", "", _STORE)
NGINX_LOCK = _proxy("nginx proxy_cache_lock", _LOCK_ZONE, _LOCK)
