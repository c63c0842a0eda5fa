"""What could be installed: the packages of held indices, by name and by what they provide. Pure.

Theory. Of an index's 50 MB half is said to people. What a resolver needs is kept as it stands, stanza by stanza, with
the places of names and of provided names; a stanza is read (strictly, by the formats' own readers) when somebody asks
for it, and few are asked for. Debian's main, 63,000 packages, is taken in in a second and takes 45 MB.

Words are apt's. The *candidate* of a package is the one version that an install would take: of the highest pin
priority, then the newest. A *solver* of a dependency is a candidate that meets it, itself or by what it provides.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidegate.archive.blocks import blocks
from tidegate.archive.deb822 import stanzas
from tidegate.archive.dependencies import (
    Alternatives,
    Relation,
    allows,
    parse_dependencies,
    parse_names,
    parse_provides,
)
from tidegate.archive.errors import FormatError, excerpt
from tidegate.archive.packages import Package, parse_packages
from tidegate.archive.versions import version_key
from tidegate.holding.hot_set import ALL, Place

KEPT_BYTES_MAX = 512 * 2**20
"""Of one index, without what is said to people; Debian's main has 27 MiB."""
VERSIONS_MAX = 10_000
"""Of one package in one index; vendors that keep every version have a thousand."""
PRIORITY = 500
"""apt's for an ordinary archive; NotAutomatic has 1, with ButAutomaticUpgrades 100 (apt_preferences(5))."""
_PRIORITIES = ("required", "important", "standard", "optional", "extra")

_KEPT = re.compile(
    rb"""^(?:(?i:package|version|architecture|source|filename|size|sha256|pre-depends|depends|recommends|provides
        |conflicts|breaks|multi-arch|essential|protected|important|priority|task):.*\n(?:[ \t].*\n)*|\n)""",
    re.VERBOSE | re.MULTILINE,
)
_NAME = re.compile(rb"^(?i:package):[ \t]*([!-~]+)[ \t]*$", re.MULTILINE)
_PROVIDES = re.compile(rb"^(?i:provides):(.*(?:\n[ \t].*)*)", re.MULTILINE)
_PROVIDED = re.compile(rb"(?:^|,)\s*([^\s,(:]+)")
_BASE = re.compile(rb"^(?:(?i:essential):[ \t]*yes|(?i:priority):[ \t]*required)[ \t]*$", re.MULTILINE)
_TASK = re.compile(rb"^(?i:task):(.*(?:\n[ \t].*)*)", re.MULTILINE)


Slot = tuple[str, str]
"""A package's name and architecture: one version of it can be installed."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One version of a package, where it is listed, with what it says of others."""

    place: Place
    package: Package
    architecture: str
    """The one it counts as: a package for all is of the native one."""
    priority: int
    """Its pin's."""
    key: bytes
    """Its version's."""
    multi_arch: str
    rank: tuple[int, ...]
    """Among several providers of a name: the lowest is preferred, as by apt."""
    base: bool
    """Essential, or of priority `required`: on every host."""
    depends: tuple[Alternatives, ...]
    """Pre-Depends, then Depends."""
    recommends: tuple[Alternatives, ...]
    provides: tuple[Relation, ...]
    conflicts: tuple[Relation, ...]
    """Conflicts and Breaks."""
    flaw: str
    """Why what it says could not be read; empty: it could."""

    @property
    def name(self) -> str:
        """The package's."""
        return self.package.name

    @property
    def slot(self) -> Slot:
        """The one place on a host that its versions share."""
        return self.package.name, self.architecture

    def __str__(self) -> str:
        return f"{self.package.name} ({self.package.version})"


class HeldIndex:
    """One Packages index as far as dependencies go."""

    def __init__(self, place: Place, chunks: Iterable[bytes], *, priority: int = PRIORITY) -> None:
        """`chunks`: its content, decompressed. Raises FormatError for what is no index, or is beyond a limit."""
        self.place = place
        self.priority = priority
        self._data = bytearray()
        for block in blocks(chunks):
            self._data += b"".join(_KEPT.findall(block))
            if len(self._data) > KEPT_BYTES_MAX:
                raise FormatError(f"more than {KEPT_BYTES_MAX} bytes of relations")
        self._names: dict[bytes, list[int]] = {}
        for match in _NAME.finditer(self._data):
            self._names.setdefault(match[1], []).append(match.start())
        self._provided: dict[bytes, list[int]] = {}
        for match in _PROVIDES.finditer(self._data):
            for name in set(_PROVIDED.findall(match[1])):
                self._provided.setdefault(name, []).append(match.start())
        for name, places in self._names.items():
            if len(places) > VERSIONS_MAX:
                raise FormatError(f"more than {VERSIONS_MAX} versions of {excerpt(name)}")

    def named(self, name: str) -> Iterator[bytes]:
        """The stanzas of one package, in the index's order: its fields that a resolver, and apt, need."""
        return (self._stanza(at) for at in self._names.get(name.encode(), ()))

    def providing(self, name: str) -> Iterator[bytes]:
        """The stanzas of packages that provide a name."""
        return (self._stanza(at) for at in self._provided.get(name.encode(), ()))

    def base(self) -> frozenset[str]:
        """Names of what is on every host: Essential, or of priority `required`."""
        return frozenset(self._name_near(match.start()) for match in _BASE.finditer(self._data))

    def task(self, task: str) -> frozenset[str]:
        """Names of a task's packages."""
        wanted = task.encode()
        fields = ((match.start(), match[1].replace(b",", b" ").split()) for match in _TASK.finditer(self._data))
        return frozenset(self._name_near(at) for at, tasks in fields if wanted in tasks)

    def _stanza(self, at: int) -> bytes:
        start = self._data.rfind(b"\n\n", 0, at)
        return bytes(self._data[0 if start < 0 else start + 2 : self._data.find(b"\n\n", at) + 2])

    def _name_near(self, at: int) -> str:
        name = _NAME.search(self._stanza(at))
        return name[1].decode() if name else ""


class Universe:
    """Several indices together, as apt sees them. What was read is remembered."""

    def __init__(
        self,
        indices: Sequence[HeldIndex],
        native: str,
        *,
        foreign: Sequence[str] = (),
        pins: Mapping[str, str] | None = None,
    ) -> None:
        """`indices` in order of preference, `native` and `foreign` architectures, `pins`: the version to take."""
        self.indices = tuple(indices)
        self.architectures = (native, *foreign)
        self._pins = pins or {}
        self._versions: dict[str, tuple[Candidate, ...]] = {}
        self._solvers: dict[tuple[Relation, str], tuple[Candidate, ...]] = {}

    def versions(self, name: str) -> tuple[Candidate, ...]:
        """Every listed version of a package, for every architecture of ours."""
        if name not in self._versions:
            read = (
                candidate
                for index in self.indices
                for stanza in index.named(name)
                if (candidate := _candidate(index, stanza, self.architectures)) is not None
            )
            self._versions[name] = tuple(read)
        return self._versions[name]

    def candidate(self, name: str, architecture: str) -> Candidate | None:
        """What an install would take."""
        versions = [one for one in self.versions(name) if one.architecture == architecture]
        if (pin := self._pins.get(name)) is not None:
            versions = [one for one in versions if one.package.version == pin]
        return max(versions, key=lambda one: (one.priority, one.key), default=None)

    def solvers(self, relation: Relation, architecture: str) -> tuple[Candidate, ...]:
        """What meets a relation of a package of this architecture: the package itself, then who provides it."""
        known = self._solvers.get((relation, architecture))
        if known is None:
            known = self._solvers[relation, architecture] = tuple(self._solving(relation, architecture))
        return known

    def stanzas(self, packages: Iterable[Package]) -> Iterator[bytes]:
        """What the indices say of these packages, as far as a resolver, and apt, need it."""
        for package in packages:
            listed = (stanza for index in self.indices for stanza in index.named(package.name))
            yield from (stanza for stanza in listed if package in parse_packages([stanza]))

    def base(self) -> frozenset[str]:
        """Names of what is on every host."""
        return frozenset().union(*(index.base() for index in self.indices))

    def task(self, task: str) -> frozenset[str]:
        """Names of a task's packages."""
        return frozenset().union(*(index.task(task) for index in self.indices))

    def _solving(self, relation: Relation, architecture: str) -> list[Candidate]:
        found: dict[Slot, Candidate] = {}
        for own in self.architectures:
            one = self.candidate(relation.name, own)
            if one is not None and allows(relation, one.key) and self._serves(one, relation, architecture):
                found[one.slot] = one
        for one in self._providers(relation.name):
            if self._serves(one, relation, architecture) and any(
                provided.name == relation.name and allows(relation, provided.key if provided.operator else None)
                for provided in one.provides
            ):
                found.setdefault(one.slot, one)
        return sorted(found.values(), key=lambda one: (one.name != relation.name, one.rank))

    def _providers(self, name: str) -> Iterator[Candidate]:
        """Candidates that provide a name; last listed first, which is what apt comes to where all else is equal."""
        names = [_name(stanza) for index in self.indices for stanza in index.providing(name)]
        for provider in reversed(dict.fromkeys(names)):
            for architecture in self.architectures:
                if (one := self.candidate(provider, architecture)) is not None:
                    yield one

    def _serves(self, one: Candidate, relation: Relation, architecture: str) -> bool:
        """Whether a package's architecture is right (the Multi-Arch specification)."""
        match relation.qualifier:
            case "":
                return one.architecture == architecture or one.multi_arch == "foreign"
            case "any":
                # apt knows no `:any` where there is one architecture alone.
                return one.multi_arch == "allowed" or len(self.architectures) == 1
            case "native":
                return one.architecture == self.architectures[0]
            case qualifier:
                return one.architecture == qualifier


def _name(stanza: bytes) -> str:
    name = _NAME.search(stanza)
    return name[1].decode() if name else ""


def _candidate(index: HeldIndex, stanza: bytes, architectures: Sequence[str]) -> Candidate | None:
    """Read a stanza; None for another's architecture, and for what the strict readers refuse."""
    try:
        (package,) = parse_packages([stanza])
        (fields,) = stanzas(stanza)
        key = version_key(package.version)
    except FormatError:
        return None  # an index that is taken in has none of these
    architecture = architectures[0] if package.architecture == ALL else package.architecture
    if architecture not in architectures:
        return None
    flaw = ""
    relations: tuple[tuple[Alternatives, ...], tuple[Alternatives, ...], tuple[Relation, ...], tuple[Relation, ...]]
    try:
        relations = _relations(fields)
    except FormatError as error:
        flaw, relations = str(error), ((), (), (), ())
    essential = fields.get("essential", "").lower() == "yes"
    protected = "yes" in (fields.get("protected", "").lower(), fields.get("important", "").lower())
    priority = fields.get("priority", "")
    word = _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)
    rank = (not essential, not protected, architectures.index(architecture), word)
    base = essential or priority == "required"
    multi_arch = fields.get("multi-arch", "").lower()
    return Candidate(
        index.place, package, architecture, index.priority, key, multi_arch, rank, base, *relations, flaw=flaw
    )


def _relations(
    fields: Mapping[str, str],
) -> tuple[tuple[Alternatives, ...], tuple[Alternatives, ...], tuple[Relation, ...], tuple[Relation, ...]]:
    def dependencies(field: str) -> tuple[Alternatives, ...]:
        return parse_dependencies(fields.get(field, ""))

    conflicts = (*parse_names(fields.get("conflicts", "")), *parse_names(fields.get("breaks", "")))
    return (
        (*dependencies("pre-depends"), *dependencies("depends")),
        dependencies("recommends"),
        parse_provides(fields.get("provides", "")),
        conflicts,
    )
