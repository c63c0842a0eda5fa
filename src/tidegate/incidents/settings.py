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


class HookSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[hook]]`: who is told of incidents, by a POST of JSON (docs/hooks.md). Nobody, unless it is set."""

    url: Annotated[
        str,
        Meta(pattern=r"^https?://[^\s/@]+(/\S*)?$", title="an http or https address", description="where it goes"),
    ]
    secret_file: Annotated[
        str,
        Meta(
            description="a file with the secret that signs it (standardwebhooks.com), 16 bytes or more; empty: unsigned"
        ),
    ] = ""
    severity_max: Annotated[
        int, Meta(ge=1, le=4, description="told of incidents that are as severe as this or more; 1 is the worst")
    ] = 3
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="for one try")] = 10.0
    retry_max_s: Annotated[
        float, Meta(ge=1, description="between two tries at most; the first come after 1, 2, 4 s")
    ] = 600.0
