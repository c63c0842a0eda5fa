"""What the accepted snapshots list: the port and its values.

A *snapshot* is one Release with everything it lists (its *members*). A *listing* is one index taken apart: the
artifacts that a Packages, Sources or pdiff Index lists. Listings are named by their index's digest and added
beforehand; nothing sees them until a snapshot that has that index as a member is adopted, in one transaction.
What a listing says about packages by name may be asked before that too: it is how one sees what an adoption brings.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from tidegate.archive.packages import Package

SuiteKey = tuple[str, str]
"""An archive and one of its suites."""


class Listed(NamedTuple):
    """An artifact that signed metadata accounts for."""

    path: str
    digest: bytes
    size: int


class Offer(NamedTuple):
    """A package as one suite's index lists it; `listed_in` is that index's path below the archive."""

    suite: str
    listed_in: str
    package: Package


class Account(NamedTuple):
    """Where a snapshot accounts for some bytes: as a member of its own, or as an artifact that a member lists."""

    archive: str
    suite: str
    path: str
    size: int
    is_member: bool
    served: bool
    """False: only of a generation that was replaced."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One accepted Release of a suite. `payload` is the SHA-256 of its signed text."""

    archive: str
    suite: str
    date: int
    valid_until: int | None
    payload: bytes
    source: str
    adopted_at: int
    confirmed_at: int
    replaced_at: int | None = None
    id: int = 0
    confirmed_by: tuple[str, ...] = ()
    """The operators that showed this very Release when it was last confirmed, sorted."""


@dataclass(frozen=True, slots=True)
class Look:
    """The last time that a suite was looked at: whether it went well, and what was seen, in a sentence.

    `alarm` is what somebody should look into although it may have gone well (a split view); empty: nothing.
    """

    archive: str
    suite: str
    at: int
    ok: bool
    outcome: str
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class Validator:
    """What a source said about a file's version, to ask `only if changed` next time."""

    last_modified: str | None
    etag: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Adoption:
    """A snapshot and its members, to be switched to at once.

    `sha512` names members by their other digest, for clients that ask by-hash for the strongest one.
    """

    snapshot: Snapshot
    members: Sequence[Listed] = field(repr=False)
    sha512: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    """SHA-512 to SHA-256."""


def weightiest(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """One for each archive, in the order that `Catalogue.accounts` promises."""
    ordered = sorted(accounts, key=lambda one: (not one.served, not one.is_member, one))
    first: dict[str, Account] = {}
    for one in ordered:
        first.setdefault(one.archive, one)
    return tuple(first.values())


class Catalogue(Protocol):
    """Every implementation passes tests/store/catalogue_contract.py. All times are epoch seconds.

    Whatever writes raises OSError where it cannot be written, and then nothing has changed.
    """

    def generation(self) -> int:
        """A number that changes whenever an answer of this catalogue may have changed, in any process.

        Another process's change may show a moment late, unless `look_again` is called.
        """
        ...

    def look_again(self) -> None:
        """Whatever another process has written by now shows from here on."""
        ...

    def adopt(self, adoption: Adoption) -> Snapshot:
        """Serve this snapshot from now on; the one before it stays known as replaced. All or nothing."""
        ...

    def add_members(self, snapshot: Snapshot, members: Sequence[Listed]) -> None:
        """Add files that belong to a served snapshot (a Release.gpg asked for later)."""
        ...

    def confirm(self, archive: str, suite: str, now: int, by: Collection[str]) -> None:
        """The served snapshot was seen to be the newest at `now`; these operators showed it."""
        ...

    def served(self) -> tuple[Snapshot, ...]:
        """The snapshots that are served, by archive and suite."""
        ...

    def snapshot(self, archive: str, suite: str) -> Snapshot | None:
        """The served snapshot of one suite."""
        ...

    def member(self, snapshot: Snapshot, path: str) -> Listed | None:
        """A file that the snapshot's Release lists (or is), by its path below the archive."""
        ...

    def members(self, snapshot: Snapshot) -> tuple[Listed, ...]:
        """All of them."""
        ...

    def by_digest(self, archive: str, digest: bytes) -> Listed | None:
        """A member of any snapshot still known of this archive, older generations included.

        `digest` is a SHA-256 or a SHA-512; what comes back has the SHA-256.
        """
        ...

    def artifact(self, archive: str, path: str) -> Listed | None:
        """What a listing says about a path: served snapshots first, newest first, then replaced ones."""
        ...

    def accounts(self, digests: Collection[bytes]) -> Mapping[bytes, tuple[Account, ...]]:
        """Which of these bytes known snapshots account for: one account for each archive, the weightiest.

        Served before replaced, members before artifacts; in that order. Reads all listings; not for an event loop.
        """
        ...

    def add_listing(self, digest: bytes, artifacts: Iterable[Listed | Package]) -> int:
        """Take in one index's artifacts; returns how many. All or nothing; a known digest is left as it is.

        What is no package (a patch of an index) is a Listed. A file of a source package is a Package whose
        architecture is `source`.
        """
        ...

    def has_listing(self, digest: bytes) -> bool:
        """Whether this index was taken in, with all that is kept of one today."""
        ...

    def outdated(self) -> tuple[Listed, ...]:
        """Members of served snapshots whose listing an earlier version took in, with less than is kept today.

        They go on being listed as they are until `add_listing` takes the same index in anew.
        """
        ...

    def listings(self, snapshot: Snapshot) -> tuple[Listed, ...]:
        """The snapshot's indices that were taken in, by path."""
        ...

    def packages(self, index: bytes, names: Collection[str] | None = None) -> tuple[Package, ...]:
        """What an index lists of packages of these names (None: of all), by name and path. Not for an event loop."""
        ...

    def package_names(self, index: bytes) -> tuple[str, ...]:
        """The names of all packages that an index lists, sorted. Not for an event loop."""
        ...

    def offers_at(self, archive: str, path: str) -> tuple[Offer, ...]:
        """The package at a path, once for each suite and index that lists it, in the order of `artifact`.

        Of several generations of a suite the newest that lists it. Not for an event loop.
        """
        ...

    def note_asked(self, archive: str, suite: str, path: str, now: int) -> None:
        """A client asked for this index (path relative to the suite)."""
        ...

    def asked(self, archive: str, suite: str, since: int) -> frozenset[str]:
        """The indices that clients asked for since then."""
        ...

    def note_look(self, look: Look) -> None:
        """Remember how the last look at a suite went."""
        ...

    def looks(self) -> tuple[Look, ...]:
        """The last look at each suite."""
        ...

    def validator(self, source: str, path: str) -> Validator | None:
        """What this source last said about this file."""
        ...

    def note_validator(self, source: str, path: str, validator: Validator) -> None:
        """Remember it."""
        ...

    def retire(self, before: int) -> int:
        """Forget snapshots replaced before then, and listings that no snapshot has; returns how many snapshots."""
        ...
