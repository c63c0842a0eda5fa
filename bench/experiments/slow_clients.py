"""A crowd beside a fast client: 10,000 idle connections and 500 that read 1 kB a second.

The fast client asks for distinct files of 100 KiB, one after the other over one connection, first in
quiet, then with the crowd connected; its 99th percentile is compared within the round, and nginx goes
through the same. Everything is warm, what warming wrote is on disk (sync), and a run that does not count
goes before. Slow clients have small receive buffers and ask for 50 MiB, so that the server is held up by
them. The crowd is another process, and tells at the end how many of its connections the server still held.
"""

import math
import os
from typing import TYPE_CHECKING

from bench.client import Outcome, fetch, must_fit
from bench.crowd import Crowd, Order
from bench.finding import Finding, say
from bench.peers import Peer, Running, running
from bench.peers.nginx import NGINX
from bench.peers.tidegate import tidegate
from bench.process import BenchError, memory
from bench.series import Sheet, Target, alternate

if TYPE_CHECKING:
    from bench.world import World

QUIET, CROWDED, BOTH = "quiet", "with the crowd", "with the crowd over quiet"
P50, P99, RATIO, RSS = "p50", "p99", "p99 ratio", "memory (RSS)"
IDLE_KEPT, SLOW_KEPT = "share of idle connections kept", "share of slow connections kept"
IDLE, SLOW = 10_000, 500
IDLE_QUICK, SLOW_QUICK = 1_000, 50
REQUESTS, REQUESTS_QUICK = 5_000, 500


def targets() -> tuple[Target, ...]:
    """The tail may double; nobody is thrown out."""
    return (
        Target(BOTH, "tidegate", RATIO, "at most", 2.0),
        Target(CROWDED, "tidegate", IDLE_KEPT, "exactly", 1.0),
        Target(CROWDED, "tidegate", SLOW_KEPT, "exactly", 1.0),
    )


def measure(world: "World") -> Finding:
    """Every round has a fresh instance of each server, warm for what is asked."""
    sheet, notes, settings = Sheet(), list[str](), dict[str, str]()
    for number, peer in alternate((NGINX, tidegate()), world.plan.rounds):
        try:
            with running(peer, world) as up:
                settings[peer.name] = up.settings
                _round(peer, up, world, sheet)
        except BenchError as error:
            notes.append(f"{peer.name}, round {number + 1}: {error}")
        say(f"slow-clients: round {number + 1}, {peer.name}")
    return Finding(sheet.series(), targets(), settings, tuple(notes))


def _round(peer: Peer, up: Running, world: "World", sheet: Sheet) -> None:
    quick = world.plan.quick
    paths = world.archive.paths("100 KiB")
    wanted = [paths[n % len(paths)] for n in range(REQUESTS_QUICK if quick else REQUESTS)]
    order = Order(
        idle=IDLE_QUICK if quick else IDLE,
        slow=SLOW_QUICK if quick else SLOW,
        idle_path=world.archive.paths("1 KiB")[0],
        slow_path=world.archive.paths("50 MiB")[0],
    )
    warm = [*paths, order.idle_path, order.slow_path]
    must_fit(fetch(up.door, warm, connections=16, digest=True), world.archive.digests())
    os.sync()  # what warming left to be written would otherwise trouble the quiet run alone
    fetch(up.door, wanted, connections=1)
    quiet = _noted(QUIET, peer, up, wanted, sheet)
    with Crowd(up.door, order) as crowd:
        crowded = _noted(CROWDED, peer, up, wanted, sheet)
    sheet.add(BOTH, peer.name, RATIO, "", crowded / quiet)
    sheet.add(CROWDED, peer.name, IDLE_KEPT, "", crowd.kept.idle / order.idle)
    sheet.add(CROWDED, peer.name, SLOW_KEPT, "", crowd.kept.slow / order.slow)


def _noted(case: str, peer: Peer, up: Running, wanted: list[str], sheet: Sheet) -> float:
    """Run the fast client; its p99 in milliseconds."""
    outcome = fetch(up.door, wanted, connections=1)
    if outcome.lost:
        raise BenchError(f"the fast client lost {len(outcome.lost)}: {outcome.lost[0].reason}")
    p99 = _percentile(outcome, 0.99)
    sheet.add(case, peer.name, P50, "ms", _percentile(outcome, 0.5))
    sheet.add(case, peer.name, P99, "ms", p99)
    if up.server is not None:
        sheet.add(case, peer.name, RSS, "MB", memory(up.server.pid).rss / 1e6)
    return p99


def _percentile(outcome: Outcome, share: float) -> float:
    taken = sorted(one.done_s - one.asked_s for one in outcome.fetched)
    return taken[math.ceil(share * len(taken)) - 1] * 1e3
