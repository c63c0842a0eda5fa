"""The real apt, over and over: updates that find nothing new, and downloads of a small server's packages.

Two private roots, alike but for the address in their sources.list: one asks nginx over the tree itself,
the other Tidegate, both by plain mirror addresses. They take turns. Tidegate is warm: one update and one
download went through it before.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.apt import PrivateRoot
from bench.debian import SERVER, SUITE, Debian, cached
from bench.finding import Finding, say
from bench.origin import Origin, origin
from bench.peers import Peer, Running, running
from bench.peers.nginx import file_server
from bench.peers.tidegate import Gateway
from bench.process import BenchError
from bench.series import Sheet, Target, alternate

if TYPE_CHECKING:
    from bench.world import World

UPDATE, INSTALL = "apt-get update, nothing changed", "apt-get install --download-only"
TIME = "time"
UPDATES, UPDATES_QUICK = 50, 5
SAY_EVERY = 10


def targets() -> tuple[Target, ...]:
    """At most a tenth slower than nginx over the same tree."""
    return tuple(Target(case, "tidegate", TIME, "at most", 1.1, "nginx") for case in (UPDATE, INSTALL))


def measure(world: "World") -> Finding:
    """Run both loops."""
    debian = cached(world.plan.cache)
    sheet = Sheet()
    with origin(debian.tree, world.work) as source:
        nginx = Peer("nginx", lambda _, home: file_server(home, debian.tree, "debian"))
        with running(nginx, world) as a, running(_tidegate(debian, source), world) as b:
            roots = {up.door.name: _root(world, up, debian) for up in (a, b)}
            count = len(debian.pool)
            for name, apt in roots.items():
                apt.update()
                apt.download(*SERVER)
                if apt.downloaded() != count:
                    raise BenchError(f"apt downloaded {apt.downloaded()} packages from {name}, not {count}")
            updates = UPDATES_QUICK if world.plan.quick else UPDATES
            _loop(UPDATE, roots, updates, PrivateRoot.update, sheet)
            _loop(INSTALL, roots, world.plan.rounds, lambda apt: apt.download(*SERVER), sheet)
            settings = {a.door.name: a.settings, b.door.name: b.settings}
    return Finding(sheet.series(), targets(), settings, (f"one download is {count} packages",))


def _tidegate(debian: Debian, source: Origin) -> Peer:
    def start(_world: "World", home: Path) -> Running:
        gateway = Gateway("debian", debian.keyring, SUITE, f"{source.url}/debian")
        server, _, mirror = gateway.serve(home)
        return Running((replace(mirror, name="tidegate"),), server, (home / "printed.log",), gateway.toml())

    return Peer("tidegate", start)


def _root(world: "World", up: Running, debian: Debian) -> PrivateRoot:
    address = f"http://{up.door.host}:{up.door.port}{up.door.prefix}"
    source = f"deb [signed-by={debian.keyring}] {address} {SUITE} main"
    return PrivateRoot(world.work / f"apt-{up.door.name}", source)


def _loop(
    case: str,
    roots: dict[str, PrivateRoot],
    times: int,
    once: Callable[[PrivateRoot], float],
    sheet: Sheet,
) -> None:
    for number, (name, apt) in alternate(tuple(roots.items()), times):
        sheet.add(case, name, TIME, "s", once(apt))
        if number % SAY_EVERY == 0:
            say(f"apt-loop: {case}, {number + 1} of {times}, {name}")
