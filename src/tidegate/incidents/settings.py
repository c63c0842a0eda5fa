"""What governs incidents."""

from typing import Annotated

from msgspec import Meta, Struct


class IncidentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[incidents]`: when one is over. Incidents are folded anew from the journal, those of the past as well."""

    calm_s: Annotated[
        float, Meta(gt=0, description="without any of its conditions for so long an incident is closed")
    ] = 900.0
    lacking_share_max: Annotated[
        float, Meta(gt=0, le=1, description="share of requests refused for lack, above which that is an incident")
    ] = 0.05
    lacking_min: Annotated[int, Meta(ge=1, description="fewer refusals for lack than this are none")] = 5
