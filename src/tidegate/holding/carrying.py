"""What is carried out of a store by hand: of what served suites list, that which is held.

Reads the catalogue and the blobs, changes nothing; not for an event loop. The metadata of a chosen suite is always
carried whole, as it is; packages as they are chosen. Where every piece goes is a plain repository below the archive's
name, so that whoever reads one (a source of the kind `media`, apt itself) reads this.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tidegate.archive.errors import FormatError
from tidegate.archive.packages import Package
from tidegate.archive.paths import listing_stem, suite_base
from tidegate.archive.versions import version_key
from tidegate.holding.hot_listing import Stores, codenames_of, hot_set_of
from tidegate.holding.hot_set import Codenames, HotSet, Place, names_matching, place_of
from tidegate.sources.naming import index_paths
from tidegate.store.birth import born_at
from tidegate.store.blobs import BlobStore
from tidegate.store.catalogue import Listed, Snapshot
from tidegate.store.ingest import Job, artifacts_of

STATEMENT = ("InRelease", "Release", "Release.gpg")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which suites, and which of what they list. Nothing given: everything that is held.

    `since` (epoch seconds) leaves out packages that were held already before then. `hot_set` and `packages` (names, or
    patterns as in a shell) add up.
    """

    archives: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    hot_set: bool = False
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A held file, and where it goes. `is_alias`: another name of the piece before it, which can be done without."""

    path: str
    digest: bytes
    size: int
    is_alias: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """One suite. `statement` belongs behind all the others: without them it must not be seen.

    `lacking`: indices that are not held although the suite was adopted with them; paths below the archive.
    `components` and `architectures` are those that an index is carried of: nobody can adopt more from here.
    """

    snapshot: Snapshot
    statement: tuple[Piece, ...]
    metadata: tuple[Piece, ...]
    packages: tuple[Piece, ...]
    lacking: tuple[str, ...]
    components: tuple[str, ...]
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carrying:
    """All that is to be carried, newest suite first.

    `lacking`: packages that were chosen and are not held, nor a newer version of them. `unknown`: what was asked for
    and means nothing here, in sentences.
    """

    suites: tuple[Carried, ...]
    lacking: tuple[str, ...]
    unknown: tuple[str, ...]


def carrying(stores: Stores, choice: Choice, *, now: float, forget_after_s: float) -> Carrying:
    """Find the pieces. Raises OSError where the store cannot be read.

    No place is given twice, though suites of one archive list the same files.
    """
    served = stores.catalogue.served()
    chosen = [
        one
        for one in served
        if (not choice.archives or one.archive in choice.archives) and (not choice.suites or one.suite in choice.suites)
    ]
    hot_set = hot_set_of(stores, now=now, forget_after_s=forget_after_s) if choice.hot_set else None
    search = _Search(stores, choice, hot_set, codenames_of(stores.marks))
    # Where two suites disagree about a path, the newer one is right, as for whoever asks the gateway.
    suites = tuple(search.carried(one) for one in sorted(chosen, key=lambda one: -one.date))
    archives, names = {one.archive for one in served}, {one.suite for one in served}
    unknown = (
        *(f"nothing is served of an archive {name!r}" for name in choice.archives if name not in archives),
        *(f"no suite {name!r} is served" for name in choice.suites if name not in names),
        *(f"no chosen suite lists a package {name!r}" for name in search.unseen()),
        *(["nothing that the chosen suites list is in the hot set"] if choice.hot_set and not search.is_hot else []),
    )
    return Carrying(suites, search.lacking(), unknown)


_Kind = tuple[str, str, str]
"""Family of suites, name, architecture: of these one version is as good as an older one."""


@dataclass(slots=True)
class _Search:
    """One look through the store."""

    stores: Stores
    choice: Choice
    hot_set: HotSet | None
    codenames: Codenames
    places: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    """Names of packages that some pattern of the choice fits."""
    newest: dict[_Kind, bytes] = field(default_factory=dict)
    """Of what was chosen and is held, as `version_key` has it."""
    missing: list[tuple[_Kind, bytes, str]] = field(default_factory=list)
    is_hot: bool = False
    """Whether anything is in the hot set."""
    outdated: frozenset[bytes] = frozenset()

    def __post_init__(self) -> None:
        self.outdated = frozenset(one.digest for one in self.stores.catalogue.outdated())

    def unseen(self) -> list[str]:
        """The patterns that no package fits."""
        return [one for one in self.choice.packages if not any(map(names_matching((one,)), self.seen))]

    def lacking(self) -> tuple[str, ...]:
        """Where that is of which nothing as new is held."""
        newest = self.newest
        gone = (place for kind, version, place in self.missing if kind not in newest or version > newest[kind])
        return tuple(dict.fromkeys(gone))

    def carried(self, snapshot: Snapshot) -> Carried:
        """The pieces of one suite that were not taken for another before."""
        base = suite_base(snapshot.suite)
        statement, metadata, packages = list[Piece](), list[Piece](), list[Piece]()
        listings = self.stores.catalogue.listings(snapshot)
        for member in sorted(self.stores.catalogue.members(snapshot)):
            if not self._is_held(member):
                continue
            if member.path.removeprefix(base) in STATEMENT:
                statement += self._taken(snapshot, member, member.path)
            else:
                lasting, plain = index_paths(member.path, member.digest)
                metadata += self._taken(snapshot, member, plain, lasting)
        stand = [place_of(snapshot.archive, snapshot.suite, one.path, self.codenames) for one in listings]
        for listing, place in zip(listings, stand, strict=True):
            patches, listed = self._artifacts(listing)
            for patch in filter(self._is_held, patches):
                metadata += self._taken(snapshot, patch, patch.path)
            packages += self._packages(snapshot, place, listed)
        return Carried(
            snapshot,
            tuple(statement),
            tuple(metadata),
            tuple(packages),
            lacking=tuple(one.path for one in listings if not self._is_held(one)),
            components=tuple(sorted({place.component for place in stand} - {""})),
            architectures=tuple(sorted({place.architecture for place in stand} - {""})),
        )

    def _packages(self, snapshot: Snapshot, place: Place, listed: Sequence[Package]) -> Iterator[Piece]:
        """The held ones of an index's packages that are chosen."""
        since = self.choice.since
        for package in self._chosen(place, listed):
            one = Listed(package.path, package.sha256, package.size)
            kind, version = (place.family, package.name, package.architecture), _sortable(package.version)
            if not self._is_held(one):
                self._note_missing(kind, version, f"{snapshot.archive}/{one.path}")
                continue
            self.newest[kind] = max(version, self.newest.get(kind, b""))
            if since is None or kept_at(self.stores.blobs, one.digest) >= since:
                yield from self._taken(snapshot, one, one.path)

    def _note_missing(self, kind: _Kind, version: bytes, place: str) -> None:
        if self.choice.packages or self.choice.hot_set:  # else whatever is held was asked for
            self.missing.append((kind, version, place))

    def _chosen(self, place: Place, listed: Sequence[Package]) -> Iterable[Package]:
        if not self.choice.packages and self.hot_set is None:
            return listed
        matches = names_matching(self.choice.packages)
        named = [one for one in listed if matches(one.name)]
        self.seen.update(one.name for one in named)
        hot = () if self.hot_set is None else self.hot_set.hot(place, listed)
        self.is_hot |= bool(hot)
        return dict.fromkeys([*named, *(one.package for one in hot)])

    def _artifacts(self, listing: Listed) -> tuple[list[Listed], Sequence[Package]]:
        """What an index lists: patches of indices, and packages."""
        if listing.digest not in self.outdated and not (listing_stem(listing.path) or "").endswith("/Index"):
            return [], self.stores.catalogue.packages(listing.digest)
        patches, packages = list[Listed](), list[Package]()
        for one in self._read(listing):
            if isinstance(one, Package):
                packages.append(one)
            else:
                patches.append(one)
        return patches, packages

    def _read(self, listing: Listed) -> Iterator[Listed | Package]:
        """The same from the index itself, where the catalogue has less of it than is needed here."""
        fd = self.stores.blobs.open(listing.digest)
        if fd is None:
            return
        try:
            yield from artifacts_of(Job(fd, listing.digest.hex(), listing.path))
        except FormatError as error:
            raise OSError(errno.EIO, f"cannot be read as it is held: {error}", listing.path) from None
        finally:
            os.close(fd)

    def _is_held(self, listed: Listed) -> bool:
        return self.stores.holds_whole(listed.digest, listed.size)

    def _taken(self, snapshot: Snapshot, listed: Listed, *paths: str) -> Iterator[Piece]:
        """Pieces at these places, as far as nothing is there yet; the first place is the one that counts."""
        for number, path in enumerate(paths):
            place = f"{snapshot.archive}/{path}"
            if place not in self.places:
                self.places.add(place)
                yield Piece(place, listed.digest, listed.size, is_alias=number > 0)


def kept_at(blobs: BlobStore, digest: bytes) -> float:
    """When a blob came into this store, in epoch seconds; 0: it is not held.

    Where the file system does not know, when it was last used: a difference then has more than it needs, never less.
    """
    fd = blobs.open(digest)
    if fd is None:
        return 0.0
    try:
        born = born_at(fd)
        return os.fstat(fd).st_mtime if born is None else born
    finally:
        os.close(fd)


def _sortable(version: str) -> bytes:
    try:
        return version_key(version)
    except FormatError:
        return b""  # older than every proper one
