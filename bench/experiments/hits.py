"""Hits: requests per second and CPU per request beside nginx as a plain file server.

Every file is fetched once through every peer beforehand and its SHA-256 checked. Then wrk loads one
peer after the other, on one hot path and on all distinct paths in a Zipf sequence that is the same for
all. nginx, apt-cacher-ng, squid and Tidegate run one worker each; all stay up, one is loaded at a time.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.client import fetch, must_fit
from bench.finding import Finding, say
from bench.load import Aim, Load, load, write_script, zipf
from bench.peers import Door, Peer, Running, running
from bench.peers.acng import ACNG
from bench.peers.external import external
from bench.peers.nginx import NGINX
from bench.peers.squid import SQUID
from bench.peers.tidegate import tidegate
from bench.process import BenchError
from bench.series import Sheet, Target, alternate

if TYPE_CHECKING:
    from bench.world import World

GROUPS = ("1 KiB", "100 KiB", "50 MiB")
SPREADS = ("hot", "spread")
CONNECTIONS = (1, 16, 256)
WARM_CONNECTIONS = 64
WARM_PASSES_MAX = 3
WARM_LOAD_S = 1
RATE, CPU, BUSY, P99 = "requests/s", "CPU/request", "server's share of a core", "p99"
OURS = ("tidegate", "tidegate (mirror form)")


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the matrix."""

    group: str
    spread: str
    connections: int

    @property
    def name(self) -> str:
        """As reports call it."""
        return f"{self.group}, {self.spread}, {self.connections} conn"


CASES = tuple(Case(g, s, c) for g in GROUPS for s in SPREADS for c in CONNECTIONS)


def targets() -> tuple[Target, ...]:
    """The bounds of every cell, for both ways in."""
    found: list[Target] = []
    for case in CASES:
        strict = case.spread == "hot" and case.group != "50 MiB" and case.connections > 1
        for peer in OURS:
            found.append(Target(case.name, peer, RATE, "at least", 1.0 if strict else 0.9, "nginx"))
            found.append(Target(case.name, peer, CPU, "at most", 1.2, "nginx"))
            if case.group == "100 KiB" and case.connections == 256:
                found.append(Target(case.name, peer, RATE, "at least", 1.5, ACNG.name))
                found.append(Target(case.name, peer, CPU, "at most", 0.5, ACNG.name))
    return tuple(found)


def measure(world: "World") -> Finding:
    """Run the matrix."""
    peers = [NGINX, tidegate(), ACNG, SQUID, *(external(*one) for one in world.plan.external)]
    sheet, notes, settings = Sheet(), list[str](), dict[str, str]()
    with ExitStack() as stack:
        doors: list[tuple[Running, Door]] = []
        for peer in peers:
            try:
                up = _warmed(stack, peer, world)
            except BenchError as error:
                notes.append(f"{peer.name} took no part: {error}")
                continue
            settings[peer.name] = up.settings
            doors += [(up, door) for door in up.doors]
        for case in CASES:
            _case(case, doors, world, sheet, notes)
    return Finding(sheet.series(), targets(), settings, tuple(notes))


def _warmed(stack: ExitStack, peer: Peer, world: "World") -> Running:
    """Start a peer and have it hold every file; the digests of what it then serves are checked."""
    up = stack.enter_context(running(peer, world))
    paths = [path for group in GROUPS for path in world.archive.paths(group)]
    for door in up.doors:
        wanted = paths
        for _ in range(WARM_PASSES_MAX):
            outcome = fetch(door, wanted, connections=WARM_CONNECTIONS, digest=True)
            wanted = [lost.path for lost in outcome.lost]
            if not wanted:
                break
        must_fit(outcome, world.archive.digests())
        say(f"hits: {door.name} holds {len(paths)} files, digests checked")
    return up


def _case(case: Case, doors: list[tuple[Running, Door]], world: "World", sheet: Sheet, notes: list[str]) -> None:
    paths = world.archive.paths(case.group)
    sequence = zipf(paths) if case.spread == "spread" else paths[:1]
    able = []
    for up, door in doors:
        script = write_script(door, sequence, world.work / "wrk" / door.name)
        aim = Aim(up, door, script, case.connections, world.archive.groups[case.group][0].size)
        if _tried(case, aim, WARM_LOAD_S, notes) is not None:
            able.append(aim)
    for _, aim in alternate(able, world.plan.rounds):
        seen = _tried(case, aim, world.plan.load_s, notes)
        if seen is not None:
            _note(case, aim.door.name, seen, sheet)
    say(f"hits: {case.name} done")


def _tried(case: Case, aim: Aim, seconds: int, notes: list[str]) -> Load | None:
    try:
        return load(aim, seconds)
    except BenchError as error:
        notes.append(f"{case.name}: {error}")
        return None


def _note(case: Case, door: str, seen: Load, sheet: Sheet) -> None:
    sheet.add(case.name, door, RATE, "/s", seen.requests_per_s)
    sheet.add(case.name, door, P99, "ms", seen.p99_ms)
    if seen.cpu_per_request_us is not None and seen.busy is not None:
        sheet.add(case.name, door, CPU, "µs", seen.cpu_per_request_us)
        sheet.add(case.name, door, BUSY, "", seen.busy)
