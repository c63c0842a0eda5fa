"""What governs refresh, adoption and retention."""

from typing import Annotated

from msgspec import Meta, Struct


class KeeperSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[keeper]`: how often we look for news, and how long older generations stay."""

    refresh_interval_s: Annotated[float, Meta(gt=0, description="between two looks at a suite")] = 900.0
    refresh_jitter: Annotated[
        float, Meta(ge=0, le=1, description="share of the interval by which each look is moved at random")
    ] = 0.2
    adopt_timeout_s: Annotated[
        float, Meta(gt=0, le=29, description="for a suite's first adoption while a client waits")
    ] = 24.0
    ask_operators: Annotated[
        int, Meta(ge=1, le=16, description="asked at once in one look, a source of each; the others where none will do")
    ] = 3
    ask_more_after_s: Annotated[
        float, Meta(gt=0, description="without an acceptable Release for so long, the next ones are asked as well")
    ] = 0.7
    straggler_grace_s: Annotated[
        float,
        Meta(ge=0, description="after the first acceptable Release, for the others that were asked"),
    ] = 0.5
    quorum: Annotated[
        int, Meta(ge=1, le=16, description="operators that must show a newer Release before it replaces what is served")
    ] = 1
    quorum_wait_s: Annotated[
        float, Meta(ge=0, description="for a quorum, or for two Releases of one Date; then the newer one is taken")
    ] = 3_600.0
    retry_first_s: Annotated[
        float, Meta(gt=0, description="after a look that brought nothing; doubles each time, up to the interval")
    ] = 5.0
    recovery_spread_s: Annotated[
        float, Meta(ge=0, description="over which looks that wait for a source come back once it answers again")
    ] = 30.0
    background_requests_per_minute: Annotated[
        int, Meta(ge=1, description="to each source where no client waits; a quarter of it may come at once")
    ] = 120
    refresh_timeout_s: Annotated[float, Meta(gt=0, description="for one refresh of one suite, all its bytes")] = 900.0
    freshness_lost_after_s: Annotated[
        float, Meta(gt=0, description="a suite that nobody has shown to be the newest for so long counts as stale")
    ] = 21_600.0
    grace_s: Annotated[float, Meta(ge=0, description="an older generation stays reachable by-hash for this long")] = (
        172_800.0
    )
    learned_s: Annotated[
        float,
        Meta(gt=0, description="an index that no client asked for in this time is no longer fetched beforehand"),
    ] = 2_592_000.0
    suites_max: Annotated[int, Meta(ge=1, description="suites held at most, adopted on request included")] = 256
    scrub_interval_s: Annotated[float, Meta(gt=0, description="between two readings of everything held")] = 86_400.0
    scrub_rate_bytes_s: Annotated[int, Meta(ge=1024, description="read at most so fast when scrubbing")] = 20_971_520
