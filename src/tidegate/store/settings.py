"""What governs the store."""

from typing import Annotated

from msgspec import Meta, Struct


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[store]`: where things are kept. Marks and journal live in `state`, apart from the cache."""

    state: Annotated[str, Meta(description="directory; empty: /var/lib/tidegate when root, else the user's own")] = ""
    cache: Annotated[str, Meta(description="directory of blobs and catalogue; empty: `cache` below the state")] = ""
    free_bytes_min: Annotated[int, Meta(ge=0, description="below this much free space nothing more is stored")] = (
        268_435_456
    )
    quota_bytes: Annotated[
        int,
        Meta(ge=0, description="all blobs together; beyond it goes what nobody counts on. 0: as far as the disk goes"),
    ] = 0
    unlisted_s: Annotated[
        float, Meta(gt=0, description="what no index lists any more stays for so long after its last use")
    ] = 604_800.0
    removals_per_second: Annotated[int, Meta(ge=1, description="files removed at most, when keeping house")] = 200
    memory_spool_bytes_max: Annotated[
        int, Meta(ge=0, description="memory for fetches that a full disk cannot take")
    ] = 268_435_456


class JournalSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[journal]`: for how long events are kept, and how often what was served is written down."""

    keep_days: Annotated[int, Meta(ge=1, description="older events are removed; a summary of each day stays")] = 400
    events_max: Annotated[
        int, Meta(ge=1000, description="beyond so many the oldest are removed; 250 bytes of disk each")
    ] = 500_000
    served_interval_s: Annotated[
        float, Meta(gt=0, description="what was served since the last time is written down so often")
    ] = 60.0
