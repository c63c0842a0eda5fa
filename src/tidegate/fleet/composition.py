"""A host taken apart into what it shares with others: a setting, and the packages of each source.

Of 100,000 hosts most have most packages in one of few versions. So all packages that a host has of one source are one
*piece*, and whatever decides about a host besides its packages is its *setting*; both are kept once, by number, and a
host is the numbers of its pieces. Whatever is decided about a piece is decided for all hosts that have it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.fleet.inventory import Host, Inventory, Module, Package, Suite

Piece = tuple[Package, ...]
"""All packages that a host has of one source, sorted; never empty."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A host but for what is its own (id, name, boot) and for its packages. `kernel` is the one that runs."""

    distribution: str
    release: str
    kernel: str = ""
    suites: frozenset[Suite] | None = None
    modules: tuple[Module, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def pockets(self) -> frozenset[str] | None:
        """As `Host.pockets`."""
        return host_of(self, "-").pockets


@dataclass(frozen=True, slots=True)
class Composition:
    """A host by numbers: its own, that of its setting, and those of its pieces, ascending."""

    number: int
    setting: int
    pieces: Sequence[int]


def pieces_of(packages: Iterable[Package]) -> list[Piece]:
    """Packages, sorted by their sources."""
    by_source: dict[str, list[Package]] = defaultdict(list)
    for package in packages:
        by_source[package.source].append(package)
    # Most sources have one binary here, which there is nothing to sort of.
    several = (by_source[source] for source in sorted(by_source))
    return [tuple(sorted(some) if len(some) > 1 else some) for some in several]


def setting_of(inventory: Inventory) -> Setting:
    """What a host shares with others besides packages."""
    host = inventory.host
    return Setting(host.distribution, host.release, host.kernel, host.suites, inventory.modules, inventory.unreadable)


def host_of(setting: Setting, identity: str, name: str = "", boot: str = "") -> Host:
    """A host of this setting."""
    return Host(identity, name, setting.distribution, setting.release, setting.kernel, boot, setting.suites)
