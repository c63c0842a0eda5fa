"""What may go from the store, in which order, and why; and what stays, and why. Pure.

Theory. Each held blob has one standing, the first of these that fits it:

snapshot    a member of a served snapshot: its Release, its indices
generation  a member of a replaced one that is still known (by-hash, `keeper.grace_s`)
incident    an archive lists it of which nothing can be had now, or which shows two faces: it could not come back
wanted      the newest version of a package that the fleet is to have, or part of a whole pocket
unsettled   nothing accounts for it, and it came or was used a moment ago (an adoption under way), or the catalogue
            does not know all suites that were ever accepted here (a lost cache, not built again yet)
unlisted    nothing accounts for it
replaced    only generations that were replaced list it
unwanted    listed, and nobody counts on it

The first five never go. What is `unlisted` goes when nobody asked for it in `store.unlisted_s`, unless there is an
incident: then nothing goes that need not. The rest goes only where the store is too full, more than
`store.quota_bytes` or less than `store.free_bytes_min` left: in the order above, of each kind what was not used for
longest first, and a little more than has to, so that it need not begin again at once.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidegate.store.blobs import Held
from tidegate.store.catalogue import Account

UNSETTLED_S = 3_600.0
"""Longer than an adoption takes with all that it waits for: what it has fetched belongs to no snapshot yet."""
QUOTA_SLACK = 0.05
"""Of the quota: so far below it the store is brought."""
FLOOR_SLACK = 0.25
"""Of the floor: so much more than it is left free."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class Standing(StrEnum):
    """Why a blob stays, or may go."""

    SNAPSHOT = "snapshot"
    GENERATION = "generation"
    INCIDENT = "incident"
    WANTED = "wanted"
    UNSETTLED = "unsettled"
    UNLISTED = "unlisted"
    REPLACED = "replaced"
    UNWANTED = "unwanted"


GOING = (Standing.UNLISTED, Standing.REPLACED, Standing.UNWANTED)
"""What may go, in this order."""


@dataclass(frozen=True, slots=True)
class Room:
    """How full the store is, and may be. A quota of 0 is none."""

    quota_bytes: int
    free_bytes: int
    free_bytes_min: int
    unlisted_s: float

    def over_bytes(self, held_bytes: int) -> int:
        """By how much the store is too full; 0: it is not."""
        over = held_bytes - self.quota_bytes if self.quota_bytes else 0
        return max(0, over, self.free_bytes_min - self.free_bytes)

    def left_bytes(self, held_bytes: int) -> int:
        """What may be fetched unasked: a little beyond the quota, or a full store would never be swept."""
        left = self.free_bytes - self.free_bytes_min
        return min(left, int(self.quota_bytes * (1 + QUOTA_SLACK)) - held_bytes) if self.quota_bytes else left

    def excess_bytes(self, held_bytes: int) -> int:
        """How much is to go: that, and some more, so that it need not begin again at once."""
        if not self.over_bytes(held_bytes):
            return 0
        quota = held_bytes - self.quota_bytes * (1 - QUOTA_SLACK) if self.quota_bytes else 0
        floor = self.free_bytes_min * (1 + FLOOR_SLACK) - self.free_bytes
        return math.ceil(max(quota, floor))


@dataclass(frozen=True, slots=True)
class Needs:
    """What decides on a blob besides the blob itself."""

    accounts: Mapping[bytes, Sequence[Account]]
    """Where known snapshots account for it, the weightiest first."""
    wanted: Collection[bytes]
    incidents: Mapping[str, str]
    """By archive, a sentence."""
    unknown: Collection[tuple[str, str]]
    """Suites that were accepted here once, and that the catalogue does not serve: it has been lost."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A blob that goes, and why, in a sentence. `path` is where it was listed; empty: nowhere."""

    held: Held
    standing: Standing
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Amount:
    """How many blobs, and how many bytes of them."""

    blobs: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What goes, in this order; what stays, by why; and what the store is still too full by then."""

    removals: tuple[Removal, ...]
    kept: Mapping[Standing, Amount]
    held: Amount
    excess_bytes: int
    lacking_bytes: int

    @property
    def removed(self) -> Mapping[Standing, Amount]:
        """What goes, by why."""
        return {kind: amount_of(one.held.size for one in self.removals if one.standing is kind) for kind in GOING}


def standing(held: Held, needs: Needs, now: float) -> Standing:
    """A blob's standing; the rule is above."""
    accounts = needs.accounts.get(held.digest, ())
    member = next((one for one in accounts if one.is_member), None)
    if any(one.is_member and one.served for one in accounts):
        return Standing.SNAPSHOT
    if member is not None:
        return Standing.GENERATION
    if any(one.archive in needs.incidents for one in accounts):
        return Standing.INCIDENT
    if held.digest in needs.wanted:
        return Standing.WANTED
    if not accounts:
        unsettled = needs.unknown or now - held.used_at < UNSETTLED_S
        return Standing.UNSETTLED if unsettled else Standing.UNLISTED
    return Standing.UNWANTED if any(one.served for one in accounts) else Standing.REPLACED


def decide(stock: Iterable[Held], needs: Needs, room: Room, now: float) -> Decision:
    """What goes from this stock now."""
    standings: dict[Standing, list[Held]] = {one: [] for one in Standing}
    for held in stock:
        standings[standing(held, needs, now)].append(held)
    held_bytes = sum(one.size for same in standings.values() for one in same)
    excess = room.excess_bytes(held_bytes)
    removals, freed = list[Removal](), 0
    for kind in GOING:
        for held in sorted(standings[kind], key=lambda one: (one.used_at, one.digest)):
            if freed < excess or _is_over(kind, held, needs, room, now):
                accounts = needs.accounts.get(held.digest, ())
                path = f"{accounts[0].archive} {accounts[0].path}" if accounts else ""
                removals.append(Removal(held, kind, path, _reason(kind, held, room, held_bytes, now)))
                freed += held.size
    gone = {one.held.digest for one in removals}
    kept = {kind: amount_of(one.size for one in same if one.digest not in gone) for kind, same in standings.items()}
    total = Amount(sum(map(len, standings.values())), held_bytes)
    return Decision(tuple(removals), kept, total, excess, max(0, room.over_bytes(held_bytes) - freed))


def _is_over(kind: Standing, held: Held, needs: Needs, room: Room, now: float) -> bool:
    """Whether it goes without any need of room."""
    return kind is Standing.UNLISTED and not needs.incidents and now - held.used_at >= room.unlisted_s


def _reason(kind: Standing, held: Held, room: Room, held_bytes: int, now: float) -> str:
    idle = f"not used for {span(now - held.used_at)}"
    if not room.over_bytes(held_bytes):
        return f"no index lists it any more; {idle}"
    match kind:
        case Standing.UNLISTED:
            listed = "no index lists it any more"
        case Standing.REPLACED:
            listed = "only what was replaced lists it"
        case _:
            listed = "nobody counts on it"
    return f"{listed}; {idle}; {tightness(room, held_bytes)}"


def tightness(room: Room, held_bytes: int) -> str:
    """In what way the store is too full, in words."""
    if 0 < room.quota_bytes < held_bytes:
        return f"the store has {held_bytes:,} bytes, of {room.quota_bytes:,} that it may have"
    return f"{room.free_bytes:,} bytes are free, of {room.free_bytes_min:,} that have to be"


def span(seconds: float) -> str:
    """A time in its largest unit: `3 h`."""
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{max(0, int(seconds)) // size} {unit}"


def amount_of(sizes: Iterable[int]) -> Amount:
    """How much these are together."""
    blobs = octets = 0
    for size in sizes:
        blobs, octets = blobs + 1, octets + size
    return Amount(blobs, octets)
