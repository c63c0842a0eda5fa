"""What governs trust: who verifies, how large a Release may be, and how far a clock may be off."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class TrustSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[trust]`: rules by which a Release is accepted."""

    verifier: Annotated[
        Literal["sequoia", "gpgv", "both"],
        Meta(description="which implementation checks; `both` wants two yeses"),
    ] = "sequoia"
    future_skew_s: Annotated[int, Meta(ge=0, description="a Date further ahead of our clock is refused")] = 10
    release_bytes_max: Annotated[
        int, Meta(ge=1024, description="an InRelease or Release larger than this is refused unread")
    ] = 8_388_608
    signatures_max: Annotated[
        int, Meta(ge=1, le=64, description="signatures on one Release; more are refused unread")
    ] = 16
    gpgv_timeout_s: Annotated[float, Meta(gt=0, description="gpgv is stopped after this long")] = 10.0


DEFAULTS = TrustSettings()
