"""Hits: requests per second and CPU per request beside nginx as a plain file server.

Every file is fetched once through every peer beforehand and its SHA-256 checked. Then wrk loads one
peer after the other, on one hot path and on all distinct paths in a Zipf sequence that is the same for
all. nginx, apt-cacher-ng, squid and Tidegate run one worker each; all stay up, one is loaded at a time.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import fetch, must_fit
from bench.finding import Finding, say
from bench.load import Aim, Load, load, write_script, zipf
from bench.peers import Peer, Running, running
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


class Stand:
    """A peer that is up and warm for the whole experiment, started and warmed anew should it die."""

    def __init__(self, peer: Peer, world: "World", stack: ExitStack) -> None:
        self.peer = peer
        self._world = world
        self._stack = stack
        self.up = self._warmed()

    def revived(self) -> bool:
        """Whether it had died, in which case it is up again."""
        if self.up.server is None or self.up.server.process.poll() is None:
            return False
        say(f"hits: {self.peer.name} died under load and is started again")
        self.up = self._warmed()
        return True

    def _warmed(self) -> Running:
        """Start it and have it hold every file; the digests of what it then serves are checked."""
        up = self._stack.enter_context(running(self.peer, self._world))
        paths = [path for group in GROUPS for path in self._world.archive.paths(group)]
        for door in up.doors:
            wanted = paths
            for _ in range(WARM_PASSES_MAX):
                outcome = fetch(door, wanted, connections=WARM_CONNECTIONS, digest=True)
                wanted = [lost.path for lost in outcome.lost]
                if not wanted:
                    break
            must_fit(outcome, self._world.archive.digests())
            say(f"hits: {door.name} holds {len(paths)} files, digests checked")
        return up


def measure(world: "World") -> Finding:
    """Run the matrix."""
    peers = [NGINX, tidegate(), ACNG, SQUID, *(external(*one) for one in world.plan.external)]
    sheet, notes, stands = Sheet(), list[str](), list[Stand]()
    with ExitStack() as stack:
        for peer in peers:
            try:
                stands.append(Stand(peer, world, stack))
            except BenchError as error:
                notes.append(f"{peer.name} took no part: {error}")
        settings = {stand.peer.name: stand.up.settings for stand in stands}
        for case in CASES:
            _case(case, stands, world, sheet, notes)
            say(f"hits: {case.name} done")
    return Finding(sheet.series(), targets(), settings, tuple(notes))


@dataclass(frozen=True, slots=True)
class Loading:
    """A case as it is carried out: what is asked for, how large it is, for how long."""

    case: Case
    sequence: Sequence[str]
    size: int
    seconds: int
    scripts: Path


def _case(case: Case, stands: list[Stand], world: "World", sheet: Sheet, notes: list[str]) -> None:
    paths = world.archive.paths(case.group)
    loading = Loading(
        case,
        sequence=zipf(paths) if case.spread == "spread" else paths[:1],
        size=world.archive.groups[case.group][0].size,
        seconds=world.plan.load_s,
        scripts=world.work / "wrk",
    )
    doors = [(stand, number) for stand in stands for number in range(len(stand.up.doors))]
    warming = [] if world.plan.quick else [(-1, each) for each in doors]
    out = set[str]()
    for turn, (stand, number) in [*warming, *alternate(doors, world.plan.rounds)]:
        name = stand.up.doors[number].name
        if name in out:
            continue
        seen = _loaded(loading, stand, number, notes)
        if seen is None:
            out.add(name)
        elif turn >= 0:
            _note(case, name, seen, sheet)


def _loaded(loading: Loading, stand: Stand, number: int, notes: list[str]) -> Load | None:
    """Load a door; once more when its server died of it, which is noted."""
    case = loading.case
    for _ in range(2):
        door = stand.up.doors[number]
        script = write_script(door, loading.sequence, loading.scripts)
        try:
            return load(Aim(stand.up, door, script, case.connections, loading.size), loading.seconds)
        except BenchError as error:
            notes.append(f"{case.name}: {error}")
        if not stand.revived():
            break
        notes.append(f"{case.name}: {stand.peer.name} died under this load and was started again")
    return None


def _note(case: Case, door: str, seen: Load, sheet: Sheet) -> None:
    sheet.add(case.name, door, RATE, "/s", seen.requests_per_s)
    if seen.p99_ms is not None:
        sheet.add(case.name, door, P99, "ms", seen.p99_ms)
    if seen.cpu_per_request_us is not None and seen.busy is not None:
        sheet.add(case.name, door, CPU, "µs", seen.cpu_per_request_us)
        sheet.add(case.name, door, BUSY, "", seen.busy)
