"""One flight: 64 clients ask at once for one object that nobody holds.

Counted: requests that reach the origin (its access log), the time until the last client has all, the
first byte of the last client to get one. A second case slows the origin down to see whether clients
are served *while* the fetch runs: how many had their first byte before the origin had sent its last.
Every run has a fresh instance; bytes are checked by SHA-256 in a pass of its own before.
"""

import os
from typing import TYPE_CHECKING

from bench.client import Outcome, fetch, must_fit
from bench.finding import Finding, say
from bench.origin import Origin, Request
from bench.peers import Peer, running
from bench.peers.acng import ACNG
from bench.peers.external import external
from bench.peers.nginx import NGINX_LOCK
from bench.peers.tidegate import tidegate
from bench.process import BenchError
from bench.series import Sheet, Target, alternate

if TYPE_CHECKING:
    from bench.world import World

CLIENTS = 64
FAST, SLOW = "64 clients, one cold object", "the same, origin slowed to 50 MB/s"
UPSTREAM, TOTAL, FIRST, LOST = "upstream requests", "total", "last first byte", "lost"
DURING = "first bytes while the fetch runs"
OURS = ("tidegate", "tidegate, 2 workers")


def targets() -> tuple[Target, ...]:
    """The bounds, for one worker and for two."""
    found: list[Target] = []
    for peer in OURS:
        found += [
            Target(FAST, peer, UPSTREAM, "exactly", 1.0),
            Target(FAST, peer, LOST, "exactly", 0.0),
            Target(FAST, peer, TOTAL, "at most", 0.75, NGINX_LOCK.name),
            Target(FAST, peer, TOTAL, "at most", 0.85, ACNG.name),
            Target(SLOW, peer, UPSTREAM, "exactly", 1.0),
            Target(SLOW, peer, DURING, "exactly", float(CLIENTS)),
        ]
    return tuple(found)


def measure(world: "World") -> Finding:
    """Check every peer once, then run the rounds of both cases."""
    peers = [NGINX_LOCK, tidegate(), tidegate(workers=2), ACNG]
    peers += [external(*one) for one in world.plan.external]
    sheet, notes, settings = Sheet(), list[str](), dict[str, str]()
    able = [peer for peer in peers if _checked(peer, world, settings, notes)]
    slowed = world.fed_by(world.origin.slowed())
    for case, where in ((FAST, world), (SLOW, slowed)):
        for number, peer in alternate(able, world.plan.rounds):
            outcome, upstream = _flight(peer, where, digest=False)
            _note(case, peer, outcome, upstream, sheet)
            if outcome.lost:
                notes.append(f"{case}: {peer.name} lost {len(outcome.lost)}: {outcome.lost[0].reason}")
            say(f"flight64: {case}, round {number + 1}, {peer.name}: {outcome.wall_s:.2f} s")
    return Finding(sheet.series(), targets(), settings, tuple(notes))


def _checked(peer: Peer, world: "World", settings: dict[str, str], notes: list[str]) -> bool:
    try:
        with running(peer, world) as up:
            settings[peer.name] = up.settings
        outcome, _ = _flight(peer, world, digest=True)
        must_fit(outcome, world.archive.digests())
    except BenchError as error:
        notes.append(f"{peer.name} took no part: {error}")
        return False
    return True


def _flight(peer: Peer, world: "World", *, digest: bool) -> tuple[Outcome, tuple[Request, ...]]:
    """All clients ask at once; what they got, and what the origin was asked for it."""
    path = world.archive.paths("flight")[0]
    with running(peer, world) as up:
        os.sync()
        mark = world.origin.mark()
        outcome = fetch(up.door, [path] * CLIENTS, connections=CLIENTS, digest=digest)
        return outcome, _asked_for(world.origin, mark, path)


def _asked_for(origin: Origin, mark: int, path: str) -> tuple[Request, ...]:
    return tuple(request for request in origin.since(mark) if request.target.endswith(path))


def _note(case: str, peer: Peer, outcome: Outcome, upstream: tuple[Request, ...], sheet: Sheet) -> None:
    sheet.add(case, peer.name, UPSTREAM, "", float(len(upstream)))
    sheet.add(case, peer.name, LOST, "", float(len(outcome.lost)))
    if not outcome.fetched or not upstream:
        return
    firsts = [one.first_byte_s for one in outcome.fetched]
    fetched_at = max(request.ended_at for request in upstream) - outcome.started_at
    sheet.add(case, peer.name, TOTAL, "s", outcome.wall_s)
    sheet.add(case, peer.name, FIRST, "ms", max(firsts) * 1e3)
    sheet.add(case, peer.name, DURING, "", float(sum(first < fetched_at for first in firsts)))
