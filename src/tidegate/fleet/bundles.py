"""CVEs that are open on the very same hosts in the same class, taken together.

Thousands of CVEs of kernels are open on a handful of different sets of hosts: whatever one version fixes is open on
all that have an older one. So sets are kept for *bundles* of CVEs, and a bundle is split when a cell comes that has
only some of it. Sets are kept by source, in which no host is twice, so that a host can be taken out again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pyroaring import BitMap

from tidegate.fleet.cell import Cell
from tidegate.fleet.verdict import Exposure

Classes = frozenset[Exposure]


class Part(NamedTuple):
    """Of a bundle: the hosts of a release that have it in one class, in one source package (empty: kernels')."""

    release: tuple[str, str]
    exposure: Exposure
    source: str


@dataclass(slots=True)
class _Members:
    hosts: BitMap = field(default_factory=BitMap)
    cells: list[Cell] = field(default_factory=list)
    coming: list[Cell] = field(default_factory=list)

    def copied(self) -> "_Members":
        """For the other half of a bundle that is split."""
        other = _Members(BitMap(self.hosts), list(self.cells), list(self.coming))
        for cell in other.cells:
            cell.counted_in.append(other.hosts)
        return other

    def settle(self) -> None:
        """The cells that are coming are in."""
        self.hosts |= BitMap.union(BitMap(), *(cell.hosts for cell in self.coming))
        for cell in self.coming:
            cell.counted_in.append(self.hosts)
        self.cells += self.coming
        self.coming = []


@dataclass(slots=True, eq=False)
class Bundle:
    """Some CVEs, and where they are open. No two bundles have a CVE in common."""

    abouts: set[str]
    _parts: dict[Part, _Members] = field(default_factory=dict)

    @property
    def hosts(self) -> Iterator[tuple[Part, BitMap]]:
        """The hosts of each part; not to be changed."""
        return ((part, members.hosts) for part, members in self._parts.items())

    @property
    def cells(self) -> set[Cell]:
        """Where it was found."""
        return {cell for members in self._parts.values() for cell in members.cells}

    def split(self, abouts: set[str]) -> "Bundle":
        """Some of it, on the same hosts; the rest stays."""
        self.abouts -= abouts
        return Bundle(abouts, {part: members.copied() for part, members in self._parts.items()})

    def take(self, cell: Cell, classes: Classes) -> None:
        """Another cell has all of it; `settle` is to be called."""
        for exposure in classes:
            part = Part(cell.zone.release_key, exposure, cell.source)
            self._parts.setdefault(part, _Members()).coming.append(cell)

    def settle(self) -> None:
        """Count what was taken."""
        for members in self._parts.values():
            if members.coming:
                members.settle()


class Bundles:
    """All that was found in cells. Hosts that enter or leave a cell later are counted by the cell itself."""

    def __init__(self) -> None:
        self.of: dict[str, Bundle] = {}
        """By CVE."""

    def __iter__(self) -> Iterator[Bundle]:
        return iter(set(self.of.values()))

    def cells(self, about: str) -> set[Cell]:
        """Where a CVE was found."""
        return self.of[about].cells if about in self.of else set()

    def take(self, found: Iterable[tuple[Cell, Mapping[str, Classes]]]) -> None:
        """Cells that were not there, each with its CVEs and their classes."""
        changed: set[Bundle] = set()
        for cell, classes in found:
            by_classes: dict[Classes, list[str]] = defaultdict(list)
            for about, some in classes.items():
                by_classes[some].append(about)
            for some, abouts in by_classes.items():
                for bundle in self._cut(abouts):
                    bundle.take(cell, some)
                    changed.add(bundle)
        for bundle in changed:
            bundle.settle()

    def _cut(self, abouts: Iterable[str]) -> list[Bundle]:
        """Bundles that have these CVEs, and no others."""
        touched: dict[Bundle | None, set[str]] = defaultdict(set)
        for about in abouts:
            touched[self.of.get(about)].add(about)
        found: list[Bundle] = []
        for bundle, some in touched.items():
            whole = bundle if bundle is not None and len(some) == len(bundle.abouts) else None
            if whole is None:
                whole = Bundle(some) if bundle is None else bundle.split(some)
                self.of.update(dict.fromkeys(some, whole))
            found.append(whole)
        return found
