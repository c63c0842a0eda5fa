"""Cold fetches: nothing held, everything to be got, from a loopback origin.

One large file over one connection, and many of 100 KiB over 32 kept-alive connections. Each timed run
has a fresh instance with empty caches and, for Tidegate, the suite adopted: starting is not timed, and
everything that earlier runs wrote is on disk (sync) before the clock starts. The client discards
bodies and counts their bytes; SHA-256 is checked in a pass of its own before, where it is also seen
how much is answered from the store the second time.

Only Tidegate verifies what it stores, and only Tidegate makes it durable: an object's last byte is sent
after its digest fitted, and the blob is named in the store once it is on disk (fsync of the file, rename,
fsync of the directory). The others write through the page cache and are not slowed by either.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.client import fetch, must_fit
from bench.finding import Finding, say
from bench.peers import Peer, Running, running
from bench.peers.acng import ACNG
from bench.peers.external import external
from bench.peers.nginx import NGINX_STORE
from bench.peers.squid import SQUID
from bench.peers.tidegate import tidegate
from bench.process import BenchError, cpu_s
from bench.series import Sheet, Target, alternate

if TYPE_CHECKING:
    from bench.world import World

RATE, FILES, FIRST, LOST, CPU = "throughput", "files/s", "first byte", "lost", "CPU"
REOPENED = "connections closed unasked, request repeated"
OURS = ("tidegate", "tidegate, 2 workers")


@dataclass(frozen=True, slots=True)
class Case:
    """What is fetched, and over how many connections."""

    name: str
    group: str
    connections: int


LARGE = Case("one large file", "large", 1)
MANY = Case("many files of 100 KiB, 32 at once", "many", 32)


def targets() -> tuple[Target, ...]:
    """Bounds for one worker and, as far as requests may not be lost, for several."""
    found = [
        Target(LARGE.name, "tidegate", RATE, "at least", 1.1, ACNG.name),
        Target(MANY.name, "tidegate", FILES, "at least", 1.0, ACNG.name),
        Target(LARGE.name, "tidegate", FIRST, "at most", 1.5, NGINX_STORE.name),
        Target(MANY.name, "tidegate", FIRST, "at most", 1.5, NGINX_STORE.name),
    ]
    found += [Target(case.name, peer, LOST, "exactly", 0.0) for case in (LARGE, MANY) for peer in OURS]
    return tuple(found)


def measure(world: "World") -> Finding:
    """Check every peer once, then run the rounds of both cases."""
    peers = [NGINX_STORE, tidegate(), tidegate(workers=2), ACNG, SQUID]
    peers += [external(*one) for one in world.plan.external]
    sheet, notes, settings = Sheet(), list[str](), dict[str, str]()
    for case in (LARGE, MANY):
        able = [peer for peer in peers if _checked(case, peer, world, settings, notes)]
        for number, peer in alternate(able, world.plan.rounds):
            with running(peer, world) as up:
                _timed(case, peer, up, world, sheet, notes)
            say(f"cold: {case.name}, round {number + 1}, {peer.name}")
    return Finding(sheet.series(), targets(), settings, tuple(notes))


def _checked(case: Case, peer: Peer, world: "World", settings: dict[str, str], notes: list[str]) -> bool:
    """Whether a peer delivers the right bytes, cold and again; says so when not."""
    paths, digests = world.archive.paths(case.group), world.archive.digests()
    try:
        with running(peer, world) as up:
            settings[peer.name] = up.settings
            outcome = fetch(up.door, paths, connections=case.connections, digest=True)
            if outcome.lost:
                first = outcome.lost[0]
                notes.append(
                    f"{case.name}: {peer.name} lost {len(outcome.lost)} of {len(paths)} requests "
                    f"in the checking pass, the first: {first.reason}"
                )
                outcome.lost.clear()
            must_fit(outcome, digests)
            mark = world.origin.mark()
            must_fit(fetch(up.door, paths, connections=case.connections, digest=True), digests)
            again = sum(request.status != 304 for request in world.origin.since(mark))
            if again:
                notes.append(f"{case.name}: {peer.name} fetched {again} of {len(paths)} files a second time")
    except BenchError as error:
        notes.append(f"{case.name}: {peer.name} took no part: {error}")
        return False
    return True


def _timed(case: Case, peer: Peer, up: Running, world: "World", sheet: Sheet, notes: list[str]) -> None:
    paths = world.archive.paths(case.group)
    os.sync()
    before = None if up.server is None else cpu_s(up.server.pid)
    outcome = fetch(up.door, paths, connections=case.connections)
    if up.server is not None and before is not None:
        sheet.add(case.name, peer.name, CPU, "s", cpu_s(up.server.pid) - before)
    sheet.add(case.name, peer.name, LOST, "", float(len(outcome.lost)))
    sheet.add(case.name, peer.name, REOPENED, "", float(outcome.reopened))
    if outcome.lost:
        notes.append(f"{case.name}: {peer.name} lost {len(outcome.lost)}: {outcome.lost[0].reason}")
    if not outcome.fetched:
        return
    firsts = sorted(one.first_byte_s - one.asked_s for one in outcome.fetched)
    sheet.add(case.name, peer.name, FIRST, "ms", firsts[len(firsts) // 2] * 1e3)
    sheet.add(case.name, peer.name, RATE, "MB/s", outcome.bytes / outcome.wall_s / 1e6)
    if len(paths) > 1:
        sheet.add(case.name, peer.name, FILES, "/s", len(outcome.fetched) / outcome.wall_s)
