"""What all hosts together have installed: what a gateway should hold for them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.fleet.hosts import Hosts


@dataclass(frozen=True, slots=True)
class Installed:
    """A binary package that hosts of a release have. `last_reported_at` is when the last of them said so (epoch
    seconds)."""

    release: str
    architecture: str
    binary: str
    hosts: int
    last_reported_at: int


def installed(hosts: Hosts) -> Iterator[Installed]:
    """All of it, in no order. Reads every host: seconds for 100,000."""
    counted: dict[tuple[int, int], int] = defaultdict(int)
    newest: dict[tuple[int, int], int] = defaultdict(int)
    for composition, seen_at in hosts.compositions():
        for piece in composition.pieces:
            key = composition.setting, piece
            counted[key] += 1
            newest[key] = max(newest[key], seen_at)
    settings = hosts.settings({setting for setting, _ in counted})
    pieces = hosts.pieces({piece for _, piece in counted})
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    for (setting, piece), count in counted.items():
        for package in pieces[piece]:
            name = settings[setting].release, package.architecture, package.binary
            had, seen = found.get(name, (0, 0))
            found[name] = had + count, max(seen, newest[setting, piece])
    for (release, architecture, binary), (count, seen) in found.items():
        yield Installed(release, architecture, binary, count, seen)
