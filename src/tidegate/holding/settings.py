"""What governs what the fleet is to have beforehand."""

from typing import Annotated

from msgspec import Meta, Struct


class HoldSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[hold]`: what the fleet is to have before it asks."""

    forget_after_s: Annotated[
        float,
        Meta(gt=0, description="what nobody asked for or reported in so long is no longer wanted for that"),
    ] = 7_776_000.0
    count_interval_s: Annotated[
        float, Meta(gt=0, description="between two counts of what is held of what the fleet would need (readiness)")
    ] = 300.0
    prefetch_s: Annotated[
        float,
        Meta(ge=0, description="how long a switch to a newer snapshot waits for wanted packages; 0: never"),
    ] = 300.0
    prefetch_bytes: Annotated[
        int, Meta(ge=0, description="fetched of wanted packages before one switch at most; the rest comes after it")
    ] = 4_294_967_296
    wait_s: Annotated[
        float, Meta(ge=0, description="how long a switch waits for wanted packages that no source gives right now")
    ] = 60.0
    security_wait_s: Annotated[
        float, Meta(ge=0, description="how long the switch of a security suite waits, whatever is missing")
    ] = 60.0
    torn_wait_s: Annotated[
        float,
        Meta(
            ge=0,
            description="how long a suite stays at its older state, whole, while no source gives a wanted package of"
            " the newer one; 0: not at all",
        ),
    ] = 21_600.0
    connections: Annotated[
        int, Meta(ge=1, le=64, description="wanted packages fetched at the same time; security updates go first")
    ] = 4
    requests_per_minute: Annotated[
        int, Meta(ge=1, description="for wanted packages, to each source; a quarter of it may come at once")
    ] = 600
