"""Fifty clients update and install in a loop while the vendor publishes again and again: nobody ever sees a mixture.

What each client must find: its Release is not older than the one before, everything is what the Release says, and all
of it can be had. At the end gpgv and sha256sum judge every different body, and the real apt has gone along.
`MIXTURE_PUBLICATIONS=200 pytest tests/e2e/test_no_mixture.py` publishes as often as was asked for.
"""

import asyncio
import contextlib
import hashlib
import lzma
import os
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import refreshed
from tests.gateway_process import HOST, GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.realapt import PrivateApt
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys

PUBLICATIONS = int(os.environ.get("MIXTURE_PUBLICATIONS", "8"))
CLIENTS = 50
PAUSE_S_MAX = 0.2
"""Between two rounds of a client, at random."""
ANSWER_S = 30.0
BASE = "dists/stable/"
INDEX = "main/binary-amd64/Packages.xz"
USED = ("hello", "libgreet1", "greet-data")
SETTINGS = """\
[keeper]
refresh_interval_s = 3600.0
background_requests_per_minute = 100000
[hold]
requests_per_minute = 100000
"""
_LISTED = re.compile(r"^ ([0-9a-f]{64}) +\d+ (\S+)$", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Version|Filename|SHA256): (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """What all clients saw together."""

    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """By path and SHA-256."""
    objections: Counter[str] = field(default_factory=Counter)
    rounds: int = 0

    def add(self, path: str, body: bytes, expected: str | None = None) -> None:
        digest = hashlib.sha256(body).hexdigest()
        if expected not in (None, digest):
            self.objections[f"{path} is not what was listed"] += 1
        self.bodies[path, digest] = body


class Client:
    """A host: one connection, one round after the other."""

    def __init__(self, port: int, seen: Seen) -> None:
        self._port = port
        self._seen = seen
        self._versions: dict[str, int] = {}

    async def run(self, done: asyncio.Event, chance: random.Random) -> None:
        """Rounds until then, and one more."""
        reader, writer = await asyncio.open_connection(HOST, self._port)
        last = False
        while not last:
            last = done.is_set()
            async with asyncio.timeout(ANSWER_S):
                await self._round(reader, writer)
            self._seen.rounds += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0, PAUSE_S_MAX)):
                    await done.wait()
        writer.close()
        await writer.wait_closed()

    async def _round(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        release = await self._get(f"{BASE}InRelease", None, reader, writer)
        listed = {path: digest for digest, path in _LISTED.findall(release.decode())}
        by_hash = f"{BASE}main/binary-amd64/by-hash/SHA256/{listed[INDEX]}"
        index = await self._get(by_hash, listed[INDEX], reader, writer)
        for stanza in lzma.decompress(index).decode().split("\n\n"):
            told = dict(_FIELD.findall(stanza))
            if told.get("Package") in USED:
                self._note(told["Package"], int(told["Version"].rpartition(".")[2]))
                await self._get(told["Filename"], told["SHA256"], reader, writer)

    def _note(self, name: str, version: int) -> None:
        if version < self._versions.get(name, 0):
            self._seen.objections[f"{name} went back"] += 1
        self._versions[name] = version

    async def _get(
        self, path: str, expected: str | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        writer.write(f"GET /debian/{path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)^content-length: (\d+)\r$", head, re.MULTILINE)
        assert length, head
        body = await reader.readexactly(int(length[1]))
        if head.split()[1] == "200":
            self._seen.add(path, body, expected)
        else:
            self._seen.objections[f"{path}: {head.splitlines()[0]}"] += 1
        return body


def publish(archive: SimulatedArchive, gateway: GatewayProcess, number: int) -> None:
    """A generation in which all but one of what is used is new, and have the gateway look for it."""
    for name in USED:
        if name != USED[number % len(USED)]:
            archive.update_package(name, f"4:{number}.{number}")
    archive.publish()
    assert refreshed(gateway)


def whole_runs(apt: PrivateApt, done: asyncio.Event) -> int:
    """The real apt, again and again; how often it went well."""
    runs = 0
    while not done.is_set():
        apt.update().check()
        apt.forget_packages()
        apt.download(*USED).check()
        runs += 1
    return runs


def kinds(gateway: GatewayProcess) -> Counter[str]:
    """What the journal says of adoptions."""
    (path,) = gateway.state.rglob("journal*.db")
    with contextlib.closing(sqlite3.connect(path)) as journal:
        return Counter(kind for (kind,) in journal.execute("SELECT kind FROM event"))


async def _played(archive: SimulatedArchive, gateway: GatewayProcess, apt: PrivateApt) -> tuple[Seen, int]:
    seen, done = Seen(), asyncio.Event()
    first = asyncio.Event()
    first.set()
    await Client(gateway.port, seen).run(first, random.Random(0))
    held = await asyncio.to_thread(gateway.command, "hold", "list", "--json", "--state", str(gateway.state))
    assert b"greet-data" in held.stdout, held.stderr.decode()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(Client(gateway.port, seen).run(done, random.Random(number)))
        real = group.create_task(asyncio.to_thread(whole_runs, apt, done))
        for number in range(2, PUBLICATIONS + 2):
            await asyncio.to_thread(publish, archive, gateway, number)
        done.set()
    return seen, real.result()


def judged(seen: Seen, keys: Keys) -> Iterator[str]:
    """Every different body, by gpgv and sha256sum; what was a Release."""
    bodies = {path: body for (path, _), body in seen.bodies.items() if not path.endswith("InRelease")}
    oracle = Oracle(keys.keyring, bodies.get)
    releases = [body for (path, _), body in seen.bodies.items() if path.endswith("InRelease")]
    for release in sorted(releases, key=lambda one: oracle.check_release(one).date):
        oracle.check(f"{BASE}InRelease", release)
        yield f"{BASE}InRelease"
    for (path, _), body in seen.bodies.items():
        if not path.endswith("InRelease"):
            oracle.check(path, body)


@pytest.mark.slow
@pytest.mark.timeout(60 + 2 * PUBLICATIONS)
def test_fifty_clients_see_no_mixture_and_nothing_older_while_the_vendor_publishes(
    archive: SimulatedArchive,
    served: ServedArchive,
    keys: Keys,
    gateway_process: GatewayFactory,
    private_apt: AptFactory,
    record_property: Callable[[str, object], None],
) -> None:
    for name in USED:
        archive.update_package(name, "4:1.1")
    archive.publish()
    gateway = gateway_process(served, settings=SETTINGS)
    gateway.start()
    line = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"
    seen, runs = asyncio.run(_played(archive, gateway, private_apt(line, proxy=gateway.url)))
    assert seen.objections == Counter()
    releases = list(judged(seen, keys))
    told = kinds(gateway)
    record_property(
        "played", f"{len(releases)} Releases seen, {seen.rounds:,} rounds of {CLIENTS} clients, apt: {runs}"
    )
    assert told["adopted"] == PUBLICATIONS + 1
    assert told["prefetched"] == PUBLICATIONS
    assert told["adopted-incomplete"] == 0
    assert runs > 0
    assert seen.rounds >= 2 * CLIENTS
    assert len(releases) > PUBLICATIONS / 2
