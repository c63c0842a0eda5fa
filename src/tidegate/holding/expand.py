"""What rules with a closure need, in a process of its own: it reads whole indices, and its memory goes with it.

`python -m tidegate.holding.expand STATE CACHE [RULE...]` works out these rules, or all that have a closure, over what
is served now, and notes in the store what each needs. A rule is answered for each family of suites (a host has one)
and each architecture. Repositories without a base system (a vendor's own) belong to every family.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tidegate.archive.errors import FormatError
from tidegate.archive.paths import listing_stem
from tidegate.holding.closure import closure
from tidegate.holding.hot_listing import Stores, codenames_of
from tidegate.holding.hot_set import (
    ALL,
    FOLLOWED,
    TASK,
    HotSet,
    Place,
    names_matching,
    place_of,
)
from tidegate.holding.universe import PRIORITY, HeldIndex, Universe
from tidegate.store.catalogue import Listed
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.holds import Origin, PackageKey, Wish
from tidegate.store.ingest import Job, chunks_of
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks
from tidegate.store.sqlite_catalogue import SqliteCatalogue
from tidegate.store.sqlite_holds import SqliteHolds

CHOSEN_PRIORITY = 100
"""Of pockets that hosts do not follow: their versions are taken where there are no others (apt_preferences(5))."""
NAMES_MAX = 2_000
"""Of one rule in one family; a pattern that fits more is told, and left without a closure."""


@dataclass(frozen=True, slots=True)
class Offering:
    """An index as far as dependencies go, the names of all that it lists, and for which architectures that is."""

    index: HeldIndex
    names: frozenset[str]
    architectures: frozenset[str]

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.index.place


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rule needs, and what it cannot have."""

    keys: frozenset[PackageKey]
    problems: tuple[str, ...]


def expand(stores: Stores, rules: Sequence[str], *, now: int) -> int:
    """Note what each of these rules (none named: every one with a closure) needs now; returns how many there were."""
    wishes = [one for one in stores.holds.wishes() if one.closure and (not rules or one.name in rules)]
    if wishes:
        offered = list(offerings(stores))
        hot_set = HotSet([], wishes, codenames_of(stores.marks), now=now, forget_after_s=1.0)
        for wish in wishes:
            needs = needs_of(wish, offered, hot_set)
            stores.holds.replace(Origin.NEED, wish.name, needs.keys, now, needs.problems)
    return len(wishes)


def needs_of(wish: Wish, offered: Sequence[Offering], hot_set: HotSet) -> Needs:
    """What a rule needs of these indices. Pure."""
    keys: set[PackageKey] = set()
    problems: dict[str, None] = {}
    found: set[str] = set()
    for group in families(offered):
        for native in _architectures(group, wish):
            here = [one for one in group if one.place.architecture in ("", ALL, native)]
            universe = Universe([one.index for one in here], native)
            wanted = sorted(_wanted(wish, [one for one in here if hot_set.speaks_for(wish, one.place)], universe))
            found.update(wanted)
            if len(wanted) > NAMES_MAX:
                problems[f"{len(wanted):,} names fit, more than {NAMES_MAX:,}: what they need is not held"] = None
                continue
            needed = closure(universe, wanted, recommends=wish.recommends)
            problems |= dict.fromkeys(needed.problems)
            keys.update(_key(one.place, one.package.architecture, one.package.name) for one in needed.packages)
    for pattern in wish.patterns:
        if pattern.endswith(TASK) and pattern not in found:
            problems[f"{pattern}: no package that is listed belongs to this task"] = None
    return Needs(frozenset(keys), tuple(problems))


def _key(place: Place, architecture: str, name: str) -> PackageKey:
    return PackageKey(place.archive, place.suite, place.component, architecture, name)


def families(offered: Sequence[Offering]) -> Iterator[list[Offering]]:
    """What each family that has a base system offers, with what belongs to all; without any, everything at once."""
    by_family: dict[str, list[Offering]] = {}
    for one in offered:
        by_family.setdefault(one.place.family, []).append(one)
    whole = {family for family, group in by_family.items() if any(one.index.base() for one in group)}
    shared = [one for one in offered if one.place.family not in whole]
    if not whole:
        yield shared
    for family in sorted(whole):
        yield [*by_family[family], *shared]


def _architectures(group: Iterable[Offering], wish: Wish) -> list[str]:
    listed = {architecture for one in group for architecture in one.architectures} - {ALL}
    return sorted(listed if wish.architecture in ("", ALL) else listed & {wish.architecture})


def _wanted(wish: Wish, spoken_for: Sequence[Offering], universe: Universe) -> set[str]:
    """What the rule names there, and is there; what others only provide counts by its exact name."""
    fits = names_matching(wish.patterns)
    wanted = {name for one in spoken_for for name in one.names if fits(name)}
    for pattern in wish.patterns:
        if pattern.endswith(TASK):
            is_there = bool(universe.task(pattern.removesuffix(TASK)))
        else:
            is_there = any(next(one.index.providing(pattern), None) is not None for one in spoken_for)
        if is_there:
            wanted.add(pattern)
    return wanted


def offerings(stores: Stores) -> Iterator[Offering]:
    """Every held index of binary packages that served suites list. Raises OSError, FormatError."""
    codenames = codenames_of(stores.marks)
    for snapshot in stores.catalogue.served():
        for listing in stores.catalogue.listings(snapshot):
            place = place_of(snapshot.archive, snapshot.suite, listing.path, codenames)
            found = offering(stores, place, listing)
            if found is not None:
                yield found


def offering(stores: Stores, place: Place, listing: Listed) -> Offering | None:
    """An index that was taken in, whether a snapshot that has it is served yet or not; None if it is none of binary
    packages, or is not held. Raises OSError, FormatError."""
    index = _index(stores, place, listing)
    if index is None:
        return None
    if place.architecture:
        names, architectures = [*stores.catalogue.package_names(listing.digest)], [place.architecture]
    else:  # a flat repository says it with each package alone
        packages = stores.catalogue.packages(listing.digest)
        names, architectures = [one.name for one in packages], [one.architecture for one in packages]
    return Offering(index, frozenset(names), frozenset(architectures))


def _index(stores: Stores, place: Place, listing: Listed) -> HeldIndex | None:
    """None for what lists no binary packages, those of the installer's own among them, and for what is not held."""
    stem = listing_stem(listing.path) or ""
    if not stem.endswith("Packages") or "/debian-installer/" in stem:
        return None
    fd = stores.blobs.open(listing.digest)
    if fd is None:
        return None
    priority = PRIORITY if place.pocket in FOLLOWED else CHOSEN_PRIORITY
    with open(fd, "rb"):
        return HeldIndex(place, chunks_of(Job(fd, listing.digest.hex(), listing.path)), priority=priority)


def main(arguments: list[str]) -> None:
    """Ends with 1 and a sentence on standard error where it cannot."""
    layout = Layout(Path(arguments[0]), Path(arguments[1]))
    try:
        with (
            closing(SqliteCatalogue(layout.catalogue)) as catalogue,
            closing(SqliteHolds(layout.holds)) as holds,
            closing(SqliteMarks(layout.marks)) as marks,
        ):
            os.nice(5)
            expand(Stores(catalogue, FileBlobs(layout), holds, marks), arguments[2:], now=int(time.time()))
    except (FormatError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
