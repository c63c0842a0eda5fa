"""What the feeds said, and from when to when we saw them say so: the port, and its values.

Times are seconds since 1970, and ours: that of the fetch which brought something, not what a feed claims. A span is
from `since` up to, and without, `until`; `until` is None for what is still said. `as_of` asks for one moment, None
for now.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from tidegate.advisories.listing import Listing, Page
from tidegate.advisories.statement import Kind, Parsed, Place, Problem, Record, Score, Statement

SCORE_STEP = 0.01
"""A probability of EPSS that moved by less begins no new span: all 300,000 move a little each day."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Verified(StrEnum):
    """What vouches for a feed's bytes."""

    SIGNATURE = "signature"
    DIGEST_LIST = "digest-list"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a feed's bytes are from. `digest` is their SHA-256, `published` the publisher's own date, if any."""

    feed: str
    origin: str
    fetched_at: int
    digest: bytes
    verified: Verified = Verified.NOTHING
    published: int | None = None


@dataclass(frozen=True, slots=True)
class FeedState:
    """The last that was taken in of a feed, and when the same was seen again.

    `whole`: it was all of the feed, and not single records. `records` and `unreadable` count what stood after it.
    """

    provenance: Provenance
    confirmed_at: int
    whole: bool
    reader: int
    records: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Said:
    """A statement, with the feed and the record that made it."""

    feed: str
    record: str
    statement: Statement
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Edition:
    """A record as it was for a time; `digest` is that of its verbatim bytes."""

    feed: str
    record: Record
    digest: bytes
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Naming:
    """That a record speaks of a CVE. `about` is what the record is known by, `published` its own date."""

    cve: str
    about: str
    feed: str
    published: int | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read, since when. What it said before stands, and is no longer known to be so."""

    feed: str
    problem: Problem
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Known:
    """A record that stands: the digest of its bytes, and when its publisher says that he changed it."""

    digest: bytes
    modified: int | None


class Session(Protocol):
    """One import, all of which becomes visible at its end, or none."""

    @property
    def known(self) -> Mapping[str, Known]:
        """The feed's records that stood when the session began, by their ids."""
        ...

    def put(self, parsed: Parsed, data: bytes, digest: bytes) -> int:
        """A new record, or another edition of one; returns how many statements began or ended."""
        ...

    def retract(self, records: Iterable[str]) -> int:
        """Records that their feed no longer has; returns how many statements ended."""
        ...

    def rate(self, scores: Iterable[Score]) -> int:
        """All of EPSS: scores that are not among these end. Returns how many spans began or ended."""
        ...

    def close(
        self, problems: Sequence[Problem], *, read: Collection[str], whole: bool, published: int | None = None
    ) -> None:
        """The end: what could not be read, and the ids of what could. With `whole`, this was all of the feed.

        `published` takes the place of the provenance's, where only the records told it.
        """
        ...


class History(Protocol):
    """Every implementation passes tests/advisories/history_contract.py."""

    def importing(self, provenance: Provenance, *, reader: int) -> AbstractContextManager[Session]:
        """Take in a feed. An exception in the block undoes everything. Raises OSError where it cannot be written."""
        ...

    def confirm(self, provenance: Provenance) -> None:
        """The feed is what it was when it was last taken in. Raises OSError."""
        ...

    def feed(self, name: str, as_of: int | None = None) -> FeedState | None:
        """How a feed stood, or None if it was never taken in by then; `confirmed_at` is no later than `as_of`."""
        ...

    def feeds(self, as_of: int | None = None) -> tuple[FeedState, ...]:
        """All feeds, by name."""
        ...

    def said(self, about: str, as_of: int | None = None) -> tuple[Said, ...]:
        """What is said about a CVE, or by a notice: by feed, record, package and place."""
        ...

    def said_of(self, package: str, as_of: int | None = None) -> tuple[Said, ...]:
        """What is said about a source package, in the same order."""
        ...

    def all_said(self, release: str, as_of: int | None = None) -> Iterator[Said]:
        """Everything that is said about a release, in no order; to be read to its end, or closed."""
        ...

    def spans(self, about: str) -> tuple[Said, ...]:
        """All that was ever said about a CVE, or by a notice: the same order, then by time."""
        ...

    def record(self, feed: str, identity: str, as_of: int | None = None) -> Edition | None:
        """A feed's record, by the feed's id."""
        ...

    def mentions(self, cve: str, as_of: int | None = None) -> tuple[Edition, ...]:
        """Every record that speaks of a CVE, by feed and id: the vendors' records of it, notices, KEV."""
        ...

    def naming(self, cves: Collection[str], kind: Kind, as_of: int | None = None) -> tuple[Naming, ...]:
        """Which records of a kind speak of which of these CVEs: by CVE, record and feed. No record is read for it."""
        ...

    def about(self, name: str, as_of: int | None = None) -> tuple[Edition, ...]:
        """Every record that is about this CVE, or is this notice, by feed and id."""
        ...

    def editions(self, feed: str, as_of: int | None = None) -> Iterator[Edition]:
        """Every record of a feed, in no order; to be read to its end, or closed."""
        ...

    def listed(self, listing: Listing, as_of: int | None = None) -> Page:
        """What there are records about, a page of it. By an index: no record is read for it."""
        ...

    def verbatim(self, digest: bytes) -> bytes | None:
        """A record as it was published."""
        ...

    def unreadable(self, as_of: int | None = None) -> tuple[Unreadable, ...]:
        """What could not be read, by feed and record."""
        ...

    def score(self, cve: str, as_of: int | None = None) -> Score | None:
        """EPSS's score: the newest as it is, an earlier one as its span began (see SCORE_STEP)."""
        ...


def changes(before: Mapping[K, V], after: Mapping[K, V]) -> tuple[list[K], list[tuple[K, V]]]:
    """What ended, because it is gone or something else took its place, and what began."""
    ended = [key for key, value in before.items() if key not in after or after[key] != value]
    begun = [(key, value) for key, value in after.items() if key not in before or before[key] != value]
    return ended, begun


def problem_changes(
    before: Sequence[Problem], now: Sequence[Problem], read: Collection[str], *, whole: bool
) -> tuple[list[Problem], list[Problem]]:
    """Which problems are over, and which are new. `read`: ids of records that this import could read."""
    over = [one for one in before if one not in now and (whole or one.record in read or _same_record(one, now))]
    return over, [one for one in dict.fromkeys(now) if one not in before]


def _same_record(problem: Problem, now: Sequence[Problem]) -> bool:
    return any(problem.record and one.record == problem.record for one in now)


def moved(begun: Score, now: Score) -> bool:
    """Whether a score begins a new span."""
    return abs(begun.probability - now.probability) >= SCORE_STEP


def sort_key(said: Said) -> tuple[str, str, str, str, str, str, str, int]:
    """The order in which statements are answered."""
    place: Place = said.statement.place
    return (
        said.feed,
        said.record,
        said.statement.about,
        said.statement.package,
        place.distribution,
        place.release,
        place.pocket,
        said.since,
    )
