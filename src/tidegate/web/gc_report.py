"""What is told about keeping house: the structs behind `tidegate gc`, and how they come of a decision."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from tidegate.holding.housekeeping import GOING, Amount, Removal, Room, Standing, tightness
from tidegate.holding.sweeping import Swept

LISTED_MAX = 20_000
MEANINGS: Mapping[Standing, str] = {
    Standing.SNAPSHOT: "part of a served snapshot",
    Standing.GENERATION: "part of an older generation, by-hash (keeper.grace_s)",
    Standing.INCIDENT: "of an archive that nothing can be had of, or that is not clear about itself: see status",
    Standing.WANTED: "what the fleet is to have (tidegate hold list)",
    Standing.UNSETTLED: "came a moment ago, or the catalogue is not complete yet",
    Standing.UNLISTED: "no index lists it any more",
    Standing.REPLACED: "only what was replaced lists it",
    Standing.UNWANTED: "listed, and nobody counts on it",
}


class StandingReport(Struct, frozen=True, kw_only=True):
    """Blobs of one kind."""

    kind: str
    meaning: str
    blobs: int
    bytes: int


class RemovedReport(Struct, frozen=True, kw_only=True):
    """A blob that went, or would go."""

    digest: Annotated[str, Meta(description="SHA-256")]
    bytes: int
    kind: str
    path: Annotated[str, Meta(description="archive and path where it is or was listed; empty: nowhere")]
    used_at: Annotated[float, Meta(description="when it was last used, epoch seconds")]
    reason: str


class GcReport(Struct, frozen=True, kw_only=True):
    """`tidegate gc --json`."""

    at: Annotated[int, Meta(description="epoch seconds, UTC")]
    dry_run: Annotated[bool, Meta(description="true: nothing went, `removed` is what would")]
    held_blobs: Annotated[int, Meta(description="before")]
    held_bytes: Annotated[int, Meta(description="before")]
    quota_bytes: Annotated[int, Meta(description="store.quota_bytes; 0: none")]
    free_bytes: Annotated[int, Meta(description="on the disk, before")]
    free_bytes_min: int
    tight: Annotated[str, Meta(description="in what way the store was too full; empty: it was not")]
    lacking_bytes: Annotated[int, Meta(description="that it is still too full by: all the rest is needed")]
    removed_bytes: int
    removed_by: tuple[StandingReport, ...]
    kept_by: tuple[StandingReport, ...]
    removed: Annotated[tuple[RemovedReport, ...], Meta(description=f"the first {LISTED_MAX:,} of them")]


def gc_report(swept: Swept, room: Room, *, at: int, dry_run: bool) -> GcReport:
    """What a sweep comes to."""
    decision = swept.decision
    went: Sequence[Removal] = decision.removals if dry_run else swept.removed
    held = decision.held
    return GcReport(
        at=at,
        dry_run=dry_run,
        held_blobs=held.blobs,
        held_bytes=held.bytes,
        quota_bytes=room.quota_bytes,
        free_bytes=room.free_bytes,
        free_bytes_min=room.free_bytes_min,
        tight=tightness(room, held.bytes) if room.over_bytes(held.bytes) else "",
        lacking_bytes=decision.lacking_bytes,
        removed_bytes=sum(one.held.size for one in went),
        removed_by=_kinds({kind: [one.held.size for one in went if one.standing is kind] for kind in GOING}),
        kept_by=tuple(_kind(kind, amount) for kind, amount in decision.kept.items() if amount.blobs),
        removed=tuple(_removed(one) for one in went[:LISTED_MAX]),
    )


def _kinds(sizes: Mapping[Standing, Sequence[int]]) -> tuple[StandingReport, ...]:
    return tuple(_kind(kind, Amount(len(same), sum(same))) for kind, same in sizes.items() if same)


def _kind(kind: Standing, amount: Amount) -> StandingReport:
    return StandingReport(kind=kind.value, meaning=MEANINGS[kind], blobs=amount.blobs, bytes=amount.bytes)


def _removed(one: Removal) -> RemovedReport:
    digest, size, used_at = one.held
    return RemovedReport(
        digest=digest.hex(), bytes=size, kind=one.standing.value, path=one.path, used_at=used_at, reason=one.reason
    )
