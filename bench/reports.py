"""What hosts' reports cost the gateway: `python -m bench.reports [--hosts N] [--requests N]`.

A process with the desk's routes, threads, stores and index on loopback knows N hosts with some 700 packages, which
differ from each other. It is asked over several connections, anew for each host as curl does: by hosts that have
nothing new (one request), and by hosts of which one package changed (one that asks, and the report). Told: times as the
client sees them, hosts a second while it asks as fast as it is answered, and the server's CPU time for each. At last
100,000 hosts that have nothing new and report once an hour: 28 of them a second.
"""

import argparse
import asyncio
import gzip
import hashlib
import http.client
import multiprocessing
import os
import random
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from starlette.applications import Starlette

from tidegate.fleet.settings import FleetSettings
from tidegate.store.layout import Layout
from tidegate.store.tokens import Scope, TokenFile
from tidegate.web.fleet_intake import intake_routes
from tidegate.web.serving import Serving
from tidegate.wiring.desk_view import DeskView
from tidegate.wiring.fleet_desk import FleetDesk
from tidegate.wiring.fleet_stores import open_fleet_stores

PACKAGES = 700
VERSIONS = 12
LAG = 3
AT_ONCE = 4
TIMEOUT_S = 60.0
STEADY_PER_S = 28
STEADY_S = 20.0


def report_of(host: int, change: int = 0) -> bytes:
    """A host with PACKAGES packages, each in one of a few versions; `change` makes one newer."""
    rng = random.Random(host)  # a host is the same each time
    base = rng.randrange(VERSIONS - LAG)
    lines = [
        "tidegate-inventory\t1",
        f"host\t{hashlib.sha256(str(host).encode()).hexdigest()[:32]}\thost-{host}",
        "os\tubuntu\t24.04\tnoble\nkernel\t6.8.0-110-generic",
        f"boot\t{host:032x}",
        "suite\tUbuntu\tnoble\nsuite\tUbuntu\tnoble-security\nsuite\tUbuntu\tnoble-updates\nsuites\tyes",
        "module\talgif_aead\tno\tno\tyes\tno",
    ]
    for number in range(PACKAGES):
        late = rng.random() < 0.02
        version = f"1.{base + (LAG if late else 0)}-{number}ubuntu{change if number == host % PACKAGES else 0}"
        lines.append(f"package\tlibpackage{number}:amd64\t{version}\tamd64\tpackage{number // 2}\t{version}\tii \t")
    return "\n".join([*lines, "end\n"]).encode()


async def _serve(directory: Path, sock: socket.socket, pipe: Connection) -> None:
    layout = Layout(directory, directory / "cache")
    stores = open_fleet_stores(layout)
    settings = FleetSettings(requests_per_client_max=10_000_000)
    view = DeskView(stores, frozenset, settings.ages)
    desk = FleetDesk(view.hosts, TokenFile(layout.tokens), settings, lambda *_, **__: None)
    serving = Serving(Starlette(routes=intake_routes(desk)), sock, connections_max=1000)
    while await asyncio.to_thread(pipe.recv) == "cpu":
        used = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send((used.ru_utime + used.ru_stime, used.ru_maxrss // 1024))
    await serving.stop()
    desk.close()
    stores.close()


def _server(directory: Path, sock: socket.socket, pipe: Connection) -> None:
    import uvloop

    uvloop.run(_serve(directory, sock, pipe))


class _Hosts:
    """All the hosts, from the other side of the wire."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._fields = {"Authorization": f"Bearer {token}"}

    def _post(self, query: str, body: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        try:
            fields = self._fields | ({"Content-Encoding": "gzip"} if body else {})
            connection.request("POST", f"/fleet/report?{query}", body, fields)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def unchanged(self, query: str) -> float:
        """Seconds for a host that has nothing new."""
        begun = time.perf_counter()
        status = self._post(query, b"")
        assert status == 204, status
        return time.perf_counter() - begun

    def changed(self, prepared: tuple[str, bytes]) -> float:
        """Seconds for a host that has to send it whole."""
        begun = time.perf_counter()
        assert self._post(prepared[0], b"") == 409
        assert self._post("form=report", prepared[1]) == 200
        return time.perf_counter() - begun


def _steadily(crowd: ThreadPoolExecutor, hosts: _Hosts, queries: list[str]) -> list[float]:
    """Times of hosts that come at their own pace, however long each takes."""
    begun, waiting = time.perf_counter(), []
    for number in range(int(STEADY_S * STEADY_PER_S)):
        time.sleep(max(0.0, begun + number / STEADY_PER_S - time.perf_counter()))
        waiting.append(crowd.submit(hosts.unchanged, queries[number % len(queries)]))
    return [one.result() for one in waiting]


def probe_of(host: int, data: bytes) -> str:
    """The query of a host that asks whether its report is known."""
    identity = hashlib.sha256(str(host).encode()).hexdigest()[:32]
    return f"host={identity}&sha256={hashlib.sha256(data).hexdigest()}"


def _measured(what: str, server: Connection, work: Callable[[], list[float]]) -> None:
    before_s, _ = _cpu(server)
    begun = time.perf_counter()
    times = sorted(work())
    seconds = time.perf_counter() - begun
    after_s, memory_mib = _cpu(server)
    p99_s = times[len(times) * 99 // 100]
    print(
        f"{what:>32}: {statistics.median(times) * 1e3:6.2f} ms median, {p99_s * 1e3:6.2f} ms p99,"
        f" {len(times) / seconds:6.0f} hosts/s, {(after_s - before_s) / len(times) * 1e3:5.2f} ms of CPU each,"
        f" {memory_mib} MiB at most"
    )


def _cpu(server: Connection) -> tuple[float, int]:
    server.send("cpu")
    used_s, memory_mib = server.recv()
    return float(used_s), int(memory_mib)


def main() -> None:
    """Fill, ask, tell."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=2_000)
    options.add_argument("--requests", type=int, default=5_000)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        secret, _ = TokenFile(directory / "tokens.json").add("bench", Scope.REPORT, 1)
        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        ours, theirs = multiprocessing.get_context("fork").Pipe()
        server = multiprocessing.get_context("fork").Process(target=_server, args=(directory, sock, theirs))
        server.start()
        hosts = _Hosts(sock.getsockname()[1], secret)
        numbers = [one % asked.hosts for one in range(asked.requests)]
        first = [("sha256=" + "0" * 64 + "&host=x", gzip.compress(report_of(one), 6)) for one in range(asked.hosts)]
        plain, packed = len(report_of(0)), len(first[0][1])
        print(f"{asked.hosts} hosts, a report {plain} bytes, as sent {packed}; load {os.getloadavg()[0]:.1f}")
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            _measured("new host", ours, lambda: list(crowd.map(hosts.changed, first)))
            queries = [probe_of(one, report_of(one)) for one in numbers]
            _measured("unchanged", ours, lambda: list(crowd.map(hosts.unchanged, queries)))
            changed = [(probe_of(one, report_of(one, 1)), gzip.compress(report_of(one, 1), 6)) for one in set(numbers)]
            _measured("one package changed", ours, lambda: list(crowd.map(hosts.changed, changed)))
        alone = [probe_of(one, report_of(one, 1)) for one in sorted(set(numbers))[:1000]]
        _measured("unchanged, one after the other", ours, lambda: [hosts.unchanged(one) for one in alone])
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            _measured(f"unchanged, {STEADY_PER_S} a second", ours, lambda: _steadily(crowd, hosts, alone))
        ours.send("end")
        server.join()


if __name__ == "__main__":
    main()
