"""What governs trust: who verifies and how far a clock may be off."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class TrustSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[trust]`: rules by which a Release is accepted."""

    verifier: Annotated[
        Literal["sequoia", "gpgv", "both"],
        Meta(description="which implementation checks; `both` wants two yeses"),
    ] = "sequoia"
    future_skew_s: Annotated[int, Meta(ge=0, description="a Date further ahead of our clock is refused")] = 10
