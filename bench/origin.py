"""Where the bytes come from: an nginx of our own over the generated tree, with a log that can be read."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.peers.nginx import nginx_up
from bench.process import BenchError, Server, free_port

SETTLE_S = 0.1
SETTLE_TIMEOUT_S = 5.0
SLOW_RATE = "50m"  # bytes a second and connection of the slowed port

_HTTP = """
  log_format bench '$msec\\t$request_time\\t$status\\t$http_if_modified_since$http_if_none_match\\t$request_uri';
  access_log {log} bench;
  sendfile on; tcp_nopush off; keepalive_requests 1000000; keepalive_timeout 3600s;
  open_file_cache max=20000 inactive=600s; open_file_cache_valid 600s;
  default_type application/octet-stream;
  server {{ listen 127.0.0.1:{port} backlog=4096; {content} }}
  server {{ listen 127.0.0.1:{slow_port} backlog=4096; limit_rate {rate}; {content} }}
"""
# Below /fresh/TOKEN/ lies the same tree again, new to any cache that cannot be wiped.
_CONTENT = "root {tree}; location ~ ^/fresh/[^/]+/(?<below>.*)$ {{ alias {tree}/$below; }}"


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the origin's log. Times are epoch seconds; `conditional` says it carried a validator."""

    began_at: float
    ended_at: float
    status: int
    conditional: bool
    target: str


@dataclass(frozen=True, slots=True)
class Origin:
    """A running origin. `slow_port` serves the same tree at `SLOW_RATE` a connection."""

    server: Server
    tree: Path
    port: int
    slow_port: int
    log: Path

    @property
    def url(self) -> str:
        """Its address at full speed."""
        return f"http://127.0.0.1:{self.port}"

    def slowed(self) -> "Origin":
        """The same tree at `SLOW_RATE`."""
        return replace(self, port=self.slow_port)

    def mark(self) -> int:
        """A place in the log, once the log stands still."""
        return self._settled()

    def since(self, mark: int) -> tuple[Request, ...]:
        """Every request that ended after `mark`, once the log stands still."""
        self._settled()
        with self.log.open("rb") as log:
            log.seek(mark)
            return tuple(_request(line) for line in log.read().decode().splitlines())

    def _settled(self) -> int:
        """The log's size after it did not grow for `SETTLE_S`."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        size = self.log.stat().st_size
        while time.monotonic() < deadline:
            time.sleep(SETTLE_S)
            before, size = size, self.log.stat().st_size
            if before == size:
                return size
        raise BenchError("the origin is still being asked when everything should be done")


@contextmanager
def origin(tree: Path, work: Path, *, port: int | None = None) -> Iterator[Origin]:
    """Serve `tree` from a new nginx until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="origin-", dir=work))
    home.chmod(0o755)
    chosen, slow = port or free_port(), free_port()
    log = home / "access.log"
    content = _CONTENT.format(tree=tree)
    http = _HTTP.format(log=log, port=chosen, slow_port=slow, content=content, rate=SLOW_RATE)
    server = nginx_up("origin", home, http, chosen)
    try:
        yield Origin(server, tree, chosen, slow, log)
    finally:
        server.stop()


def _request(line: str) -> Request:
    ended, took, status, validator, target = line.split("\t")
    return Request(float(ended) - float(took), float(ended), int(status), validator != "--", target)
