"""`Hosts` that a lookout watches: whatever is written through it, the index knows at once."""

from collections.abc import Collection, Iterator

from tidegate.fleet.composition import Composition, Piece, Setting
from tidegate.fleet.hosts import HostEntry, Hosts
from tidegate.fleet.inventory import Inventory
from tidegate.fleet.lookout import Lookout


class WatchedHosts:
    """`Hosts`, by the one that `lookout` reads."""

    def __init__(self, hosts: Hosts, lookout: Lookout) -> None:
        self._hosts = hosts
        self._lookout = lookout

    def report(self, inventory: Inventory, reported: bytes, tags: Collection[str] | None = None) -> bool:
        return self._lookout.reported(inventory, reported, tags)

    def confirm(self, host: str, reported: bytes, at: int) -> bool:
        return self._lookout.confirmed(host, reported, at)

    def remove(self, host: str, at: int) -> bool:
        return self._lookout.removed(host, at)

    def tag(self, host: str, tags: Collection[str]) -> bool:
        return self._hosts.tag(host, tags)

    def entry(self, host: str, as_of: int | None = None) -> HostEntry | None:
        return self._hosts.entry(host, as_of)

    def named(self, name: str, as_of: int | None = None) -> tuple[HostEntry, ...]:
        return self._hosts.named(name, as_of)

    def numbered(self, numbers: Collection[int], as_of: int | None = None) -> tuple[HostEntry, ...]:
        return self._hosts.numbered(numbers, as_of)

    def entries(self, as_of: int | None = None) -> Iterator[HostEntry]:
        return self._hosts.entries(as_of)

    def inventory(self, host: str, as_of: int | None = None) -> Inventory | None:
        return self._hosts.inventory(host, as_of)

    def composition(self, host: str) -> Composition | None:
        return self._hosts.composition(host)

    def compositions(self, as_of: int | None = None) -> Iterator[tuple[Composition, int]]:
        return self._hosts.compositions(as_of)

    def settings(self, numbers: Collection[int]) -> dict[int, Setting]:
        return self._hosts.settings(numbers)

    def pieces(self, numbers: Collection[int]) -> dict[int, Piece]:
        return self._hosts.pieces(numbers)
