"""Everything about the fleet and what it is open to, as tables for analysis elsewhere (docs/exposure-export.md).

What many hosts share stands once: `has` joins hosts to `packages`, `groups` joins them to `findings`. Written out host
by host, 100,000 hosts would have 60 million packages and 130 million findings.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pyroaring import BitMap

from tidegate.advisories.history import History, Said
from tidegate.archive.versions import version_key
from tidegate.fleet.freshness import Freshness
from tidegate.fleet.hosts import HostEntry, Hosts
from tidegate.fleet.index import Release
from tidegate.fleet.verdict import Finding, Found

ROWS_AT_ONCE = 65_536
PAIRS_AT_ONCE = 1 << 20
"""Of the two tables that join, whose rows are two numbers."""
PIECES_AT_ONCE = 2048


class Kind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    """Whole, 0 to 2^32 - 1."""
    TIME = "time"
    """A moment, to the second, UTC."""
    TEXT = "text"
    TEXTS = "texts"
    BYTES = "bytes"
    TRUTH = "truth"


@dataclass(frozen=True, slots=True)
class Column:
    """`may_lack`: a row may have nothing there."""

    name: str
    kind: Kind
    meaning: str
    may_lack: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and in which order its rows come."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


Batch = Sequence[Sequence[object]]
"""Some rows, column by column."""

_HOST = Column("host", Kind.NUMBER, "the host's number")
_PIECE = Column("piece", Kind.NUMBER, "the number of some packages of one source, which hosts have together")
_CELL = Column("cell", Kind.NUMBER, "the number of some hosts that are judged alike")
_VERSION_KEY = "as bytes whose order is that of dpkg"

HOSTS = Table(
    "hosts",
    "Each host, by its number.",
    (
        _HOST,
        Column("id", Kind.TEXT, "what it reports as"),
        Column("name", Kind.TEXT, "what it calls itself"),
        Column("distribution", Kind.TEXT, "`ubuntu`, `debian`"),
        Column("release", Kind.TEXT, "its codename"),
        Column("kernel", Kind.TEXT, "the kernel that runs, as `uname -r` has it"),
        Column("tags", Kind.TEXTS, "what it was tagged with"),
        Column("packages", Kind.NUMBER, "how many it has"),
        Column("seen_at", Kind.TIME, "its last report"),
        Column("changed_at", Kind.TIME, "its last report that told news"),
        Column(
            "unknown_since",
            Kind.TIME,
            "since when nothing is known of it, since it or its feeds are too old: what was found counts as unknown",
            may_lack=True,
        ),
    ),
)
HAS = Table("has", "Which host has which packages, by host.", (_HOST, _PIECE))
PACKAGES = Table(
    "packages",
    "The packages of each piece.",
    (
        _PIECE,
        Column("binary", Kind.TEXT, "the binary package"),
        Column("architecture", Kind.TEXT, "its architecture"),
        Column("version", Kind.TEXT, "its version"),
        Column("source", Kind.TEXT, "the source package that it is built from"),
        Column("source_version", Kind.TEXT, "the version of that"),
        Column("source_version_key", Kind.BYTES, f"the same {_VERSION_KEY}"),
        Column("state", Kind.TEXT, "dpkg's word for how far it is installed"),
        Column("held", Kind.TRUTH, "whether the host holds it back"),
        Column("origin", Kind.TEXT, "who made it, if it says so"),
    ),
)
GROUPS = Table("groups", "Which hosts are in which cell, by cell.", (_CELL, _HOST))
FINDINGS = Table(
    "findings",
    "What was found about the hosts of a cell. A host is in many cells; a CVE is open on it in several packages, too.",
    (
        _CELL,
        Column("about", Kind.TEXT, "the CVE"),
        Column("package", Kind.TEXT, "the source package"),
        Column("class", Kind.TEXT, "one of the six classes (docs/exposure.md)"),
        Column("status", Kind.TEXT, "what the vendor says"),
        Column("version", Kind.TEXT, "the source's version that was judged"),
        Column("fixed", Kind.TEXT, "the first version without the fault, if any was published", may_lack=True),
        Column("pocket", Kind.TEXT, "where that is; empty for what every host has"),
        Column("binaries", Kind.TEXTS, "the binary packages that have the fault"),
        Column("since", Kind.TIME, "when we learned of it"),
        Column("reason", Kind.TEXT, "a sentence that says why this class"),
        Column("to_do", Kind.TRUTH, "whether somebody can close it now"),
    ),
)
STATEMENTS = Table(
    "statements",
    "What the feeds say of the releases that hosts have, of the source packages that they have.",
    (
        Column("about", Kind.TEXT, "the CVE, or the notice"),
        Column("package", Kind.TEXT, "the source package"),
        Column("distribution", Kind.TEXT, "as of hosts"),
        Column("release", Kind.TEXT, "as of hosts"),
        Column("pocket", Kind.TEXT, "empty for what every host has"),
        Column("status", Kind.TEXT, "what is said"),
        Column("fixed", Kind.TEXT, "the version that is fixed", may_lack=True),
        Column("fixed_key", Kind.BYTES, f"the same {_VERSION_KEY}", may_lack=True),
        Column("urgency", Kind.TEXT, "how urgent the vendor calls it there"),
        Column("feed", Kind.TEXT, "who says so"),
        Column("record", Kind.TEXT, "in which record"),
        Column("since", Kind.TIME, "since when"),
    ),
)


class Judged(Protocol):
    """What `Lookout` knows of all hosts."""

    def stale(self, now: int) -> BitMap:
        """See `Lookout`, as with the others."""
        ...

    def freshness(self, now: int) -> Mapping[Release, Freshness]: ...

    def cells_found(self) -> Iterator[tuple[BitMap, Sequence[Found]]]: ...


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one moment. Groups have to be read before findings: both are told at once."""

    hosts: Hosts
    history: History
    lookout: Judged
    now: int

    def rows(self) -> Iterator[tuple[Table, Batch]]:
        """Some rows of some table, and again, until there are no more."""
        yield from _tagged(HOSTS, _columns(map(self._host(), self.hosts.entries(self.now)), ROWS_AT_ONCE))
        pieces, sources = BitMap(), set[str]()
        yield from _tagged(HAS, self._has(pieces))
        yield from _tagged(PACKAGES, _columns(self._packages(pieces, sources), ROWS_AT_ONCE))
        yield from self._found()
        said = (
            one
            for _, release in sorted(self.lookout.freshness(self.now))
            for one in self.history.all_said(release, self.now)
            if one.statement.package in sources
        )
        yield from _tagged(STATEMENTS, _columns(map(_statement, said), ROWS_AT_ONCE))

    def _host(self) -> Callable[[HostEntry], Sequence[object]]:
        stale = self.lookout.stale(self.now)
        since: dict[Release, int | None] = {
            release: one.unknown_since for release, one in self.lookout.freshness(self.now).items()
        }

        def row(entry: HostEntry) -> Sequence[object]:
            host = entry.host
            moments = [since.get((host.distribution, host.release)), entry.seen_at if entry.number in stale else None]
            unknown_since = min((one for one in moments if one is not None), default=None)
            return (
                entry.number, host.id, host.name, host.distribution, host.release, host.kernel, sorted(entry.tags),
                entry.packages, entry.seen_at, entry.changed_at, unknown_since,
            )  # fmt: skip

        return row

    def _has(self, pieces: BitMap) -> Iterator[Batch]:
        """`pieces` are told which there are."""

        def pairs() -> Iterator[tuple[int, Sequence[int]]]:
            for composition, _ in self.hosts.compositions(self.now):
                pieces.update(composition.pieces)
                yield composition.number, composition.pieces

        return _pairs(pairs())

    def _packages(self, pieces: BitMap, sources: set[str]) -> Iterator[Sequence[object]]:
        numbers = list(pieces)
        for start in range(0, len(numbers), PIECES_AT_ONCE):
            for number, piece in self.hosts.pieces(numbers[start : start + PIECES_AT_ONCE]).items():
                sources.update(one.source for one in piece)
                for one in piece:
                    yield (
                        number, one.binary, one.architecture, one.version, one.source, one.source_version,
                        version_key(one.source_version), one.state, one.held, one.origin,
                    )  # fmt: skip

    def _found(self) -> Iterator[tuple[Table, Batch]]:
        """Cell by cell, so that what was found about one is let go before the next."""
        hosts, waiting = _Pairs(), list[Sequence[object]]()
        for cell, (members, found) in enumerate(self.lookout.cells_found()):
            hosts.add(cell, members.to_array())
            waiting += (_finding(cell, one) for one in found if isinstance(one, Finding))
            if len(hosts.right) >= PAIRS_AT_ONCE:
                yield GROUPS, hosts.taken()
            if len(waiting) >= ROWS_AT_ONCE:
                yield FINDINGS, list(zip(*waiting, strict=True))
                waiting.clear()
        if hosts.right:
            yield GROUPS, hosts.taken()
        if waiting:
            yield FINDINGS, list(zip(*waiting, strict=True))


class _Pairs:
    """Two columns of numbers."""

    def __init__(self) -> None:
        self.left, self.right = array("I"), array("I")

    def add(self, one: int, others: Iterable[int]) -> None:
        """One beside each of others."""
        before = len(self.right)
        self.right.extend(others)
        self.left.extend(array("I", (one,)) * (len(self.right) - before))

    def taken(self) -> Batch:
        """What there is; begins anew."""
        found = self.left, self.right
        self.left, self.right = array("I"), array("I")
        return found


def _pairs(found: Iterable[tuple[int, Iterable[int]]]) -> Iterator[Batch]:
    pairs = _Pairs()
    for one, others in found:
        pairs.add(one, others)
        if len(pairs.right) >= PAIRS_AT_ONCE:
            yield pairs.taken()
    if pairs.right:
        yield pairs.taken()


def _columns(rows: Iterable[Sequence[object]], at_once: int) -> Iterator[Batch]:
    waiting: list[Sequence[object]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == at_once:
            yield list(zip(*waiting, strict=True))
            waiting = []
    if waiting:
        yield list(zip(*waiting, strict=True))


def _tagged(table: Table, batches: Iterable[Batch]) -> Iterator[tuple[Table, Batch]]:
    return ((table, batch) for batch in batches)


def _finding(cell: int, one: Finding) -> Sequence[object]:
    return (
        cell, one.about, one.package, one.exposure.value, one.status.value, one.version, one.fixed, one.pocket,
        one.binaries, one.since, one.reason, one.can_be_closed,
    )  # fmt: skip


def _statement(said: Said) -> Sequence[object]:
    one = said.statement
    return (
        one.about, one.package, one.place.distribution, one.place.release, one.place.pocket, one.status.value,
        one.fixed, version_key(one.fixed) if one.fixed else None, one.urgency, said.feed, said.record, said.since,
    )  # fmt: skip


TABLES = (HOSTS, HAS, PACKAGES, GROUPS, FINDINGS, STATEMENTS)
"""All of them."""
