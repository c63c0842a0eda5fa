"""What a newer snapshot's versions need that those before them did not: worked out before its switch.

Theory. A host that has `web` 1.0 and hears of 1.1 asks for 1.1, and for whatever 1.1 needs and 1.0 did not: a library
that is new to it, or a newer version of one that it has. Nobody has ever asked for those here, so use alone does not
fetch them. What hosts have is taken to be what the versions that are served now need; what the newer ones need beyond
that is fresh. Recommended packages count too, since apt takes new ones along with an upgrade.

`python -m tidegate.holding.upgrade STATE CACHE FORGET_AFTER_S ARCHIVE SUITE (PATH DIGEST SIZE)...` prints the fresh
needs of these indices, which nobody has been told of yet, as JSON: it reads whole indices, and its memory goes with it.
"""

import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from tidegate.archive.errors import FormatError
from tidegate.holding.closure import Needed, closure, resolve
from tidegate.holding.expand import Offering, families, offering, offerings
from tidegate.holding.hot_listing import Stores, codenames_of, hot_set_of
from tidegate.holding.hot_set import ALL, Hot, place_of
from tidegate.holding.lacking import news_of
from tidegate.holding.prefetch import Fresh
from tidegate.holding.universe import Universe
from tidegate.store.catalogue import Listed, SuiteKey
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks
from tidegate.store.sqlite_catalogue import SqliteCatalogue
from tidegate.store.sqlite_holds import SqliteHolds

NAMES_MAX = 20_000
"""Of one family and architecture; of more, what they need is worked out behind the switch, by whoever asks."""
CHAIN_MAX = 100
"""Packages between what is new and whose upgrade it is."""
NICE = 5


def fresh_needs(
    stores: Stores, key: SuiteKey, indices: Sequence[Listed], *, now: int, forget_after_s: float
) -> tuple[Fresh, ...]:
    """What these indices of a newer snapshot make hot packages need anew. Raises OSError, FormatError."""
    hot_set = hot_set_of(stores, now=now, forget_after_s=forget_after_s)
    news = news_of(stores, hot_set, key, indices)
    if not news:
        return ()
    codenames, before = codenames_of(stores.marks), list(offerings(stores))
    newer = (offering(stores, place_of(*key, one.path, codenames), one) for one in indices)
    others = (one for one in before if (one.place.archive, one.place.suite) != key)
    return tuple(fresh(news, before, [*others, *filter(None, newer)]))


def fresh(news: Collection[Hot], before: Sequence[Offering], after: Sequence[Offering]) -> Iterator[Fresh]:
    """What the newer versions need that is not among what those before needed. Pure."""
    for group in families(after):
        places, kin = {one.place for one in group}, {one.place.family for one in group}
        served = [one for one in before if one.place.family in kin]
        here = [hot for hot in news if hot.place in places]
        for native in sorted(frozenset().union(*(one.architectures for one in group)) - {ALL}):
            names = {hot.package.name for hot in here if hot.package.architecture in (native, ALL)}
            if 0 < len(names) <= NAMES_MAX:
                yield from _fresh(names, _universe(served, native), _universe(group, native))


def _fresh(names: Collection[str], before: Universe, after: Universe) -> Iterator[Fresh]:
    known = sorted(name for name in names if before.versions(name))
    has = {one.package.name: one.package.version for one in resolve(before, known, recommends=True).packages}
    needed = {one.package.name: one for one in closure(after, known, installed=has, recommends=True).packages}
    for name, one in needed.items():
        if name not in names and one.by:
            yield Fresh(_upgraded(one, needed, names), one.place, one.package)


def _upgraded(one: Needed, needed: Mapping[str, Needed], names: Collection[str]) -> str:
    """Whose upgrade it is that needs this, through however many others."""
    by = one.by
    for _ in range(CHAIN_MAX):
        if by in names or by not in needed or not needed[by].by:
            break
        by = needed[by].by
    return by


def _universe(offered: Iterable[Offering], native: str) -> Universe:
    return Universe([one.index for one in offered if one.place.architecture in ("", ALL, native)], native)


def main(arguments: list[str]) -> None:
    """Ends with 1 and a sentence on standard error where it cannot."""
    state, cache, forget_after_s, archive, suite, *rest = arguments
    indices = [
        Listed(path, bytes.fromhex(digest), int(size))
        for path, digest, size in zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    ]
    layout = Layout(Path(state), Path(cache))
    os.nice(NICE)
    try:
        with (
            closing(SqliteCatalogue(layout.catalogue)) as catalogue,
            closing(SqliteHolds(layout.holds)) as holds,
            closing(SqliteMarks(layout.marks)) as marks,
        ):
            stores = Stores(catalogue, FileBlobs(layout), holds, marks)
            found = fresh_needs(
                stores, (archive, suite), indices, now=int(time.time()), forget_after_s=float(forget_after_s)
            )
    except (FormatError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1:])
