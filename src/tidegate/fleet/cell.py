"""Hosts that are judged at once, since they are the same in all that a judgement looks at.

A host is in one *ordinary* cell for each of its pieces, and in one *kernel* cell: what is found about kernels, and
about packages that a mitigation is made of or made for, depends on more than one piece.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from pyroaring import BitMap

from tidegate.fleet.case import ByClass, Case, Standings
from tidegate.fleet.composition import Piece, Setting, host_of
from tidegate.fleet.exposure import judged, outlined
from tidegate.fleet.inventory import Form, Inventory, Package
from tidegate.fleet.kernels import images, is_kernel
from tidegate.fleet.knowledge import Knowledge
from tidegate.fleet.ruling import key
from tidegate.fleet.supply import Supply
from tidegate.fleet.verdict import Found

ANYBODY = "-"
"""The id of a host that stands for all of a cell; no finding names it."""


@dataclass(frozen=True, slots=True)
class Zone:
    """What all packages of a host are judged by."""

    distribution: str
    release: str
    pockets: frozenset[str] | None

    @property
    def release_key(self) -> tuple[str, str]:
        """As knowledge is kept."""
        return self.distribution, self.release


@dataclass(slots=True, eq=False)
class Cell:
    """Some hosts, and the sets that they are counted in for what is found about them.

    `found` is kept of ordinary cells alone, once they are judged: about kernels there is too much of it.
    """

    zone: Zone
    setting: Setting
    packages: tuple[Package, ...]
    tangled: bool = False
    hosts: BitMap = field(default_factory=BitMap)
    counted_in: list[BitMap] = field(default_factory=list)
    found: tuple[Found, ...] = ()

    @property
    def source(self) -> str:
        """The source package of an ordinary cell; empty for a kernel cell. No host is in two cells of one source."""
        return "" if self.tangled else self.packages[0].source

    def add(self, number: int) -> None:
        """A host comes."""
        self.hosts.add(number)
        for hosts in self.counted_in:
            hosts.add(number)

    def add_all(self, numbers: BitMap) -> None:
        """Many do."""
        self.hosts |= numbers
        for hosts in self.counted_in:
            hosts |= numbers

    def discard(self, number: int) -> None:
        """A host goes."""
        self.hosts.discard(number)
        for hosts in self.counted_in:
            hosts.discard(number)

    def judge(self, knowledge: Knowledge, supply: Supply, standings: Standings) -> tuple[Found, ...]:
        """What is found, whatever the age of what is known. `standings` is the zone's."""
        return tuple(judged(self._case(knowledge, supply, standings)))

    def outline(self, knowledge: Knowledge, supply: Supply, standings: Standings) -> tuple[ByClass, list[Found]]:
        """As `exposure.outlined`."""
        return outlined(self._case(knowledge, supply, standings))

    def _case(self, knowledge: Knowledge, supply: Supply, standings: Standings) -> Case:
        inventory = Inventory(host_of(self.setting, ANYBODY), self.packages, 0, Form.REPORT, self.setting.modules)
        return Case(inventory, knowledge, supply, standings)


def bare(setting: Setting) -> Setting:
    """The setting of ordinary cells: nothing of it but the zone counts there."""
    return Setting(setting.distribution, setting.release, suites=setting.suites)


@dataclass(frozen=True, slots=True)
class Tangled:
    """The source packages of a release whose findings hang on what else a host has: of these a kernel cell is made."""

    remedies: frozenset[str] = frozenset()
    mitigated: frozenset[str] = frozenset()

    @classmethod
    def by(cls, knowledge: Knowledge) -> "Tangled":
        """What the knowledge of a release makes of it."""
        return cls(knowledge.remedies_of, knowledge.mitigated)

    def has(self, piece: Piece) -> bool:
        """Whether a piece belongs to the kernel cell, and to no ordinary one."""
        source = piece[0].source
        if source in self.remedies or source in self.mitigated or source.startswith("linux-meta"):
            return True
        return any(map(is_kernel, piece)) or bool(images(piece))

    def packages(self, pieces: Iterable[Piece]) -> tuple[Package, ...]:
        """What is judged of these pieces. Headers and the like bear the kernels' source, and are not."""
        return tuple(sorted(one for piece in pieces for one in piece if self._counts(one)))

    def deciding(self, kernel: str, packages: Iterable[Package]) -> tuple[Package, ...]:
        """Of these packages, what a CVE's class may depend on. `kernel` is the one that runs.

        Kernels that a restart would not start, since they are older or of another flavour, are told of as dormant.
        """
        found = tuple(packages)
        installed = images(found)
        running = next((one for one in installed if one.name == kernel), None)
        if running is None:
            return found
        newer = {
            one.name for one in installed if one.flavour == running.flavour and key(one.version) > key(running.version)
        }
        idle = {one.name for one in installed} - newer - {kernel}
        return tuple(one for one in found if one.source in self.remedies or not _is_of(one, idle))

    def _counts(self, package: Package) -> bool:
        if package.source in self.remedies or not is_kernel(package):
            return True
        return package.binary.startswith("linux-image-") or bool(images((package,)))


def _is_of(package: Package, kernels: Collection[str]) -> bool:
    return any(one.name in kernels for one in images((package,)))
