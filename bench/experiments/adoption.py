"""Adoption of the real bookworm main amd64 (63,000 packages) from a loopback origin.

Timed is from the gateway's first request for InRelease, as the origin's log has it (milliseconds), to
the first byte of the index by its digest as a client gets it, who asks for InRelease as soon as the
gateway listens and for the index right after. The index is checked by SHA-256. Then: memory of the whole
process tree once nothing moves any more, upstream requests of a refresh that finds nothing new, and a
start over the warm store up to the first answer. Every round begins with an empty state.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import fetch, first_answer, must_fit
from bench.debian import SUITE, Debian, cached
from bench.finding import Finding, say
from bench.origin import Origin, origin
from bench.peers import Door, fresh_home, mirror_door
from bench.peers.tidegate import COMMAND, Gateway, await_ready
from bench.process import BenchError, Memory, free_port, memory, run
from bench.series import Sheet, Target

if TYPE_CHECKING:
    from bench.world import World

CASE = "bookworm main amd64"
OURS = "tidegate"
ADOPTED, RSS, PSS, REFRESH = "InRelease to served", "memory (RSS)", "memory (PSS)", "requests of a refresh"
UNCONDITIONAL, WARM = "of these unconditional", "warm start to first hit"
ANSWER_TIMEOUT_S = 30.0
STILL_S = 0.5
STILL_TIMEOUT_S = 15.0
RELEASE = f"dists/{SUITE}/InRelease"


def targets() -> tuple[Target, ...]:
    """The bounds; megabytes are 1,000,000 bytes."""
    return (
        Target(CASE, OURS, ADOPTED, "at most", 1.5),
        Target(CASE, OURS, RSS, "at most", 120.0),
        Target(CASE, OURS, REFRESH, "exactly", 1.0),
        Target(CASE, OURS, UNCONDITIONAL, "exactly", 0.0),
        Target(CASE, OURS, WARM, "at most", 0.5),
    )


@dataclass(frozen=True, slots=True)
class Site:
    """One round's gateway: where it lives, where it listens, where its bytes come from."""

    gateway: Gateway
    debian: Debian
    origin: Origin
    home: Path
    port: int
    admin: int

    @property
    def door(self) -> Door:
        """The mirror form."""
        return mirror_door(OURS, self.port, self.gateway.name)


def measure(world: "World") -> Finding:
    """Run the rounds."""
    debian = cached(world.plan.cache)
    sheet = Sheet()
    with origin(debian.tree, world.work) as source:
        gateway = Gateway("debian", debian.keyring, SUITE, f"{source.url}/debian")
        for number in range(world.plan.rounds):
            with fresh_home(OURS, world.work) as home:
                site = Site(gateway, debian, source, home, free_port(), free_port())
                gateway.prepare(home)
                _cold(site, sheet)
                _warm(site, sheet)
            say(f"adoption: round {number + 1}")
    return Finding(sheet.series(), targets(), {OURS: gateway.toml()})


def _cold(site: Site, sheet: Sheet) -> None:
    mark = site.origin.mark()
    server = site.gateway.launch(site.home, site.port, site.admin)
    try:
        outcome = first_answer(site.door, RELEASE, timeout_s=ANSWER_TIMEOUT_S)
        if outcome.lost:
            raise BenchError(f"InRelease was never served: {outcome.lost[0].reason}; {server.tail()}")
        await_ready(server, site.admin)
        index = site.debian.index
        then = fetch(site.door, [index], connections=1, digest=True)
        must_fit(then, {index: bytes.fromhex(index.rpartition("/")[2])})
        served_at = then.started_at + then.fetched[0].first_byte_s
        asked = [one for one in site.origin.since(mark) if one.target.endswith(RELEASE)]
        sheet.add(CASE, OURS, ADOPTED, "s", served_at - asked[0].began_at)
        await_ready(server, site.admin)
        held = _still(server.pid)
        sheet.add(CASE, OURS, RSS, "MB", held.rss / 1e6)
        sheet.add(CASE, OURS, PSS, "MB", held.pss / 1e6)
        _refresh(site, sheet)
    finally:
        server.stop()


def _refresh(site: Site, sheet: Sheet) -> None:
    mark = site.origin.mark()
    config, state = str(site.home / "tidegate.toml"), str(site.home / "state")
    run([*COMMAND, "refresh", "--wait", "--config", config, "--state", state])
    asked = site.origin.since(mark)
    sheet.add(CASE, OURS, REFRESH, "", float(len(asked)))
    sheet.add(CASE, OURS, UNCONDITIONAL, "", float(sum(not one.conditional for one in asked)))


def _warm(site: Site, sheet: Sheet) -> None:
    began = time.time()
    server = site.gateway.launch(site.home, site.port, site.admin)
    try:
        outcome = first_answer(site.door, RELEASE, timeout_s=ANSWER_TIMEOUT_S)
        if outcome.lost:
            raise BenchError(f"no hit from the warm store: {outcome.lost[0].reason}")
        sheet.add(CASE, OURS, WARM, "s", outcome.started_at + outcome.fetched[0].first_byte_s - began)
    finally:
        server.stop()


def _still(pid: int) -> Memory:
    """Memory once neither the number of processes nor their size has moved for `STILL_S`."""
    deadline = time.monotonic() + STILL_TIMEOUT_S
    seen = memory(pid)
    while time.monotonic() < deadline:
        time.sleep(STILL_S)
        before, seen = seen, memory(pid)
        if seen.processes == before.processes and abs(seen.rss - before.rss) < 1_000_000:
            break
    return seen
