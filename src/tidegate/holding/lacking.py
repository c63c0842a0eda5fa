"""What is wanted and not held, as it stands in the store. Reads; not for an event loop."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from tidegate.holding.hot_listing import Stores, codenames_of, hot_in
from tidegate.holding.hot_set import SOURCE, Hot, HotSet, newest_in_family, place_of
from tidegate.holding.prefetch import Lack, Piece, pieces_of
from tidegate.store.catalogue import Catalogue, Listed, SuiteKey

NO_TIME = "not here in time"


def lacking_of(stores: Stores, hot_set: HotSet, key: SuiteKey, indices: Sequence[Listed]) -> tuple[Piece, ...]:
    """What these indices of a suite list and the fleet wants, beside what other suites list, and is not held."""
    codenames = codenames_of(stores.marks)
    places = [(one, place_of(*key, one.path, codenames)) for one in indices]
    hots = [hot for one, place in places for hot in hot_in(stores.catalogue, hot_set, place, one.digest)]
    lacking = [hot for hot in hots if not stores.holds_whole(hot.package.sha256, hot.package.size)]
    if lacking:
        families = {place.family for _, place in places}
        others = _elsewhere(stores, hot_set, key, families, {hot.package.name for hot in lacking})
        wanted = newest_in_family((*lacking, *others))
        lacking = [hot for hot in wanted if (hot.place.archive, hot.place.suite) == key]
    return pieces_of(lacking)


def _elsewhere(
    stores: Stores, hot_set: HotSet, key: SuiteKey, families: Collection[str], names: Collection[str]
) -> Iterator[Hot]:
    """These packages in other suites of the same family that are served."""
    catalogue, codenames = stores.catalogue, codenames_of(stores.marks)
    for snapshot in catalogue.served():
        if (snapshot.archive, snapshot.suite) == key:
            continue
        for one in catalogue.listings(snapshot):
            place = place_of(snapshot.archive, snapshot.suite, one.path, codenames)
            if place.family in families:
                yield from hot_set.hot(place, catalogue.packages(one.digest, names))


def news_of(stores: Stores, hot_set: HotSet, key: SuiteKey, indices: Sequence[Listed]) -> tuple[Hot, ...]:
    """Binary packages that the fleet wants, in versions that no snapshot lists yet: nobody can have heard of them."""
    catalogue, codenames = stores.catalogue, codenames_of(stores.marks)
    places = [(one, place_of(*key, one.path, codenames)) for one in indices]
    hots = [
        hot
        for one, place in places
        if place.architecture != SOURCE
        for hot in hot_in(catalogue, hot_set, place, one.digest)
    ]
    unheard = {piece.digest for piece in unheard_of(catalogue, key[0], pieces_of(hots))}
    return tuple(hot for hot in hots if hot.package.sha256 in unheard)


def unheard_of(catalogue: Catalogue, archive: str, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Those that no snapshot lists yet: clients cannot have heard of them."""
    listed = ((piece, catalogue.artifact(archive, piece.path)) for piece in pieces)
    return tuple(piece for piece, known in listed if known is None or known.digest != piece.digest)


def lacks_of(stores: Stores, pieces: Sequence[Piece], reasons: Mapping[bytes, str]) -> tuple[Lack, ...]:
    """Those of them that are still not held; `reasons` by digest."""
    lacking = (piece for piece in pieces if not stores.holds_whole(piece.digest, piece.size))
    return tuple(Lack(piece, reasons.get(piece.digest, NO_TIME)) for piece in lacking)
