"""Counting what is held, from the store alone; in a process of its own where a gateway runs.

`python -m tidegate.holding.stocktaking STATE CACHE FORGET_AFTER_S` prints the stock (`holding/stock.py`) as JSON. What
a fresh host needs is worked out over whole indices: 63,000 packages are a second of work and 100 MB, which end with
the process.
"""

import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from tidegate.archive.errors import FormatError
from tidegate.archive.paths import suite_base
from tidegate.holding.closure import resolve
from tidegate.holding.expand import Offering, families, offerings
from tidegate.holding.hot_listing import Stores, codenames_of, hot_of, hot_set_of
from tidegate.holding.hot_set import ALL, SOURCE, Codenames, Hot
from tidegate.holding.prefetch import is_security
from tidegate.holding.stock import Install, Kind, LostIndex, Stock, Wanted, count, pending, security_updates, why
from tidegate.holding.universe import Universe
from tidegate.store.catalogue import Snapshot
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.holds import Wish
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks
from tidegate.store.sqlite_catalogue import SqliteCatalogue
from tidegate.store.sqlite_holds import SqliteHolds

NAMES_MAX = 20_000
"""Hot packages of one family and architecture that a fresh install is worked out for; a whole pocket's do not count."""
NICE = 5


def stock_of(stores: Stores, *, now: int, forget_after_s: float, kinds: Collection[Kind] = tuple(Kind)) -> Stock:
    """Everything counted of these kinds. Raises OSError, FormatError for an index that cannot be read any more.

    Of 63,000 listed packages a thousand hot ones take 0.1 s; what a fresh install of them needs, 2 s more.
    """
    codenames = codenames_of(stores.marks)
    hot_set = hot_set_of(stores, now=now, forget_after_s=forget_after_s)
    served = stores.catalogue.served()
    hot = [one for each in served for one in hot_of(stores.catalogue, hot_set, each, codenames)]
    security = _security(stores, served, codenames)
    install = install_of(hot, list(offerings(stores))) if hot and Kind.INSTALL in kinds else Install()
    everything = {
        Kind.SECURITY: security_updates(hot, security),
        Kind.UPDATES: pending(hot),
        Kind.INSTALL: install.wanted,
    }
    wanted = {kind: everything[kind] for kind in kinds}
    return count(
        wanted,
        _held(stores, (one for each in wanted.values() for one in each)),
        at=now,
        hot=len({(one.place.family, one.package.name) for one in hot}),
        security_suites=len(security),
        used_bytes=sum(size for _, size in stores.blobs.digests()),
        unmet=install.unmet,
        lost=tuple(_lost(stores, served)),
    )


def install_of(hot: Sequence[Hot], offered: Sequence[Offering]) -> Install:
    """What hosts need that install hot packages, on each family of suites and each architecture by itself. Pure.

    What several could give is counted as given by a hot package, where there is one: that is what the fleet chose.
    """
    wanted: dict[bytes, Wanted] = {}
    unmet: dict[str, None] = {}
    for group in families(offered):
        places = {one.place for one in group}
        here = [one for one in hot if one.place in places and _is_chosen(one)]
        for native in sorted(frozenset().union(*(one.architectures for one in group)) - {ALL}):
            reasons = {one.package.name: why(one) for one in here if one.package.architecture in (native, ALL)}
            if len(reasons) > NAMES_MAX:
                unmet[f"{len(reasons):,} packages for {native} are wanted, too many to say what they need"] = None
            elif reasons:
                indices = [one.index for one in group if one.place.architecture in ("", ALL, native)]
                needed = resolve(Universe(indices, native), sorted(reasons))
                unmet |= dict.fromkeys(needed.unmet)
                for one in needed.packages:
                    reason = f"needed by {one.by}" if one.by else reasons.get(one.package.name, "")
                    wanted.setdefault(one.package.sha256, Wanted(one.place, one.package, reason))
    return Install(tuple(wanted.values()), tuple(unmet))


def _is_chosen(one: Hot) -> bool:
    """A package that somebody named or used: no host installs a whole pocket."""
    return one.package.architecture != SOURCE and any(
        not isinstance(reason, Wish) or reason.patterns for reason in one.reasons
    )


def _security(stores: Stores, served: Iterable[Snapshot], codenames: Codenames) -> Collection[tuple[str, str]]:
    found = set()
    for one in served:
        mark = stores.marks.get(one.archive, one.suite)
        label = "" if mark is None else mark.label or ""
        if is_security(one.archive, one.suite, codenames.get((one.archive, one.suite)) or "", label):
            found.add((one.archive, one.suite))
    return found


def _held(stores: Stores, wanted: Iterable[Wanted]) -> Collection[bytes]:
    sizes = {one.package.sha256: one.package.size for one in wanted}
    return {digest for digest, size in sizes.items() if stores.holds_whole(digest, size)}


def _lost(stores: Stores, served: Iterable[Snapshot]) -> Iterator[LostIndex]:
    """Lists of packages, and signed statements, of which the bytes are gone."""
    for snapshot in served:
        base = suite_base(snapshot.suite)
        lists = [one for one in stores.catalogue.listings(snapshot) if not one.path.endswith("/Index")]
        statements = (stores.catalogue.member(snapshot, base + name) for name in ("InRelease", "Release"))
        for member in (*filter(None, statements), *lists):
            if not stores.holds_whole(member.digest, member.size):
                yield LostIndex(archive=snapshot.archive, suite=snapshot.suite, path=member.path)


def main(arguments: list[str]) -> None:
    """Ends with 1 and a sentence on standard error where it cannot."""
    layout = Layout(Path(arguments[0]), Path(arguments[1]))
    os.nice(NICE)
    try:
        with (
            closing(SqliteCatalogue(layout.catalogue)) as catalogue,
            closing(SqliteHolds(layout.holds)) as holds,
            closing(SqliteMarks(layout.marks)) as marks,
        ):
            stores = Stores(catalogue, FileBlobs(layout), holds, marks)
            stock = stock_of(stores, now=int(time.time()), forget_after_s=float(arguments[2]))
    except (FormatError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.buffer.write(msgspec.json.encode(stock))


if __name__ == "__main__":
    main(sys.argv[1:])
