"""The hot set as it stands in the store: which listed packages are wanted now. Reads; not for an event loop."""

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.holding.hot_set import Codenames, Hot, HotSet, Place, newest_in_family, place_of
from tidegate.store.blobs import BlobStore
from tidegate.store.catalogue import Catalogue, Snapshot
from tidegate.store.holds import Holds
from tidegate.store.marks import Marks


@dataclass(frozen=True, slots=True)
class Stores:
    """What the hot set is read from."""

    catalogue: Catalogue
    blobs: BlobStore
    holds: Holds
    marks: Marks

    def holds_whole(self, digest: bytes, size: int) -> bool:
        """Whether a blob is held, by its name and its size."""
        return self.blobs.size(digest) == size


def codenames_of(marks: Marks) -> Codenames:
    """What each suite's newest accepted Release calls it."""
    return {(archive, suite): mark.codename for archive, suite, mark in marks.all() if mark.codename}


def hot_set_of(stores: Stores, *, now: float, forget_after_s: float) -> HotSet:
    """The hot set of this moment."""
    holds = stores.holds
    return HotSet(holds.all(), holds.wishes(), codenames_of(stores.marks), now=now, forget_after_s=forget_after_s)


def hot_in(catalogue: Catalogue, hot_set: HotSet, place: Place, index: bytes) -> tuple[Hot, ...]:
    """The wanted packages of one index that was taken in, whether a snapshot that has it is served yet or not."""
    names = hot_set.names(place, lambda: catalogue.package_names(index))
    return hot_set.hot(place, catalogue.packages(index, names)) if names is None or names else ()


def hot_of(catalogue: Catalogue, hot_set: HotSet, snapshot: Snapshot, codenames: Codenames) -> Iterator[Hot]:
    """The wanted packages of a snapshot, index by index; one for all architectures may come more than once."""
    for listing in catalogue.listings(snapshot):
        place = place_of(snapshot.archive, snapshot.suite, listing.path, codenames)
        yield from hot_in(catalogue, hot_set, place, listing.digest)


def hot_now(stores: Stores, hot_set: HotSet) -> tuple[Hot, ...]:
    """All that is wanted of what is served: of each package the newest version that hosts would take."""
    codenames, catalogue = codenames_of(stores.marks), stores.catalogue
    return newest_in_family(
        hot for snapshot in catalogue.served() for hot in hot_of(catalogue, hot_set, snapshot, codenames)
    )
