"""`Supply` of a gateway's own store: what its served snapshots list, and what of that is held or can be fetched."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidegate.archive.packages import Package
from tidegate.fleet.inventory import Suite, pocket_of
from tidegate.fleet.supply import Offer
from tidegate.holding.hot_listing import codenames_of
from tidegate.holding.hot_set import FOLLOWED, family_of, place_of
from tidegate.store.blobs import BlobStore
from tidegate.store.catalogue import Catalogue, Snapshot
from tidegate.store.marks import Marks

_DISTRIBUTIONS = ("ubuntu", "debian")
"""Whose archives' names for themselves (Origin) begin so: `UbuntuESM`, `Debian Backports`."""

_Place = tuple[str, str, str]
"""A distribution, a release and a source package."""


@dataclass(frozen=True, slots=True)
class _Listed:
    archive: str
    pocket: str
    package: Package


class HeldSupply:
    """Of one moment: make another when something was adopted, or an archive is alone, or is so no more.

    Only packages of `sources` are kept in mind, and kernels. Of archives that are `alone` nothing can be fetched.
    Reading a whole Debian takes a second.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        marks: Marks,
        *,
        sources: Collection[str],
        alone: Collection[str],
    ) -> None:
        self._blobs = blobs
        self._alone = frozenset(alone)
        self._listed: Mapping[_Place, list[_Listed]] = _read(catalogue, marks, frozenset(sources))
        self._offers: dict[_Place, tuple[Offer, ...]] = {}

    def offers(self, distribution: str, release: str, source: str) -> Sequence[Offer]:
        """See `Supply`. Whether a file is held is looked up once."""
        key = distribution, release, source
        if key not in self._offers:
            self._offers[key] = tuple(map(self._offer, self._listed.get(key, ())))
        return self._offers[key]

    def _offer(self, listed: _Listed) -> Offer:
        package = listed.package
        can = listed.archive not in self._alone or self._blobs.size(package.sha256) == package.size
        return Offer(package.name, package.architecture, package.version, package.source_version, can, listed.pocket)


def _read(catalogue: Catalogue, marks: Marks, sources: frozenset[str]) -> dict[_Place, list[_Listed]]:
    codenames, listed = codenames_of(marks), defaultdict[_Place, list[_Listed]](list)
    for snapshot, distribution, pocket in _followed(catalogue, marks):
        for index in catalogue.listings(snapshot):
            place = place_of(snapshot.archive, snapshot.suite, index.path, codenames)
            if not place.architecture or place.architecture == "source":
                continue
            for package in catalogue.packages(index.digest):
                if package.source in sources or package.source.startswith("linux"):
                    key = distribution, place.family, package.source
                    listed[key].append(_Listed(snapshot.archive, pocket, package))
    return listed


def _followed(catalogue: Catalogue, marks: Marks) -> Iterator[tuple[Snapshot, str, str]]:
    """The snapshots that hosts take updates from, with the distribution, and the pocket that a host has to have."""
    for snapshot in catalogue.served():
        mark = marks.get(snapshot.archive, snapshot.suite)
        origin = (mark.origin if mark else None) or ""
        codename = (mark.codename if mark else None) or snapshot.suite
        if family_of(snapshot.archive, codename)[1] not in FOLLOWED:
            continue
        low = origin.lower()
        distribution = next((one for one in _DISTRIBUTIONS if low.startswith(one)), low)
        yield snapshot, distribution, pocket_of(Suite(origin, snapshot.suite))
