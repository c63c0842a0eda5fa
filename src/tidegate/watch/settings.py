"""What governs watches."""

from typing import Annotated

from msgspec import Meta, Struct

WATCHES_MAX = 64
EVERY_MIN_S = 60.0
COPY_BYTES_MAX = 33_554_432


class WatchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[watch]]`: a page that you depend on, asked from here (docs/watch.md). None, unless it is set."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$",
            title="a name of a-z, 0-9 and minus, 40 at most",
            description="names it to people and to us",
        ),
    ]
    url: Annotated[
        str,
        Meta(pattern=r"^https?://[^\s#]+$", title="an http or https address", description="what is asked for, by GET"),
    ]
    contains: Annotated[
        str,
        Meta(max_length=500, description="the answer has these words in it, as they stand; empty: any answer has"),
    ] = ""
    member: Annotated[
        str,
        Meta(
            pattern=r"^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)?$",
            title="names, dots between them",
            description="the answer is JSON and has this member, as `data.notices`; empty: anything will do",
        ),
    ] = ""
    status: Annotated[int, Meta(ge=200, le=599, description="the answer's status")] = 200
    every_s: Annotated[float, Meta(ge=EVERY_MIN_S, le=86_400, description="it is asked so often, at most")] = 300.0
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="for one answer, redirects included")] = 30.0
    down_after: Annotated[int, Meta(ge=1, le=10, description="so many bad answers in a row are `down`")] = 2
    up_after: Annotated[int, Meta(ge=1, le=10, description="so many good ones in a row after that are `up`")] = 2
    keep: Annotated[bool, Meta(description="keep its last good copy, to be read while it is down")] = True
    copy_bytes_max: Annotated[
        int, Meta(ge=1_024, le=COPY_BYTES_MAX, description="of the answer; no copy of a longer one is kept")
    ] = 2_097_152
    archive: Annotated[
        str, Meta(description="its vendor's archive: told with the incidents of that one; empty: of every archive")
    ] = ""
    incident: Annotated[bool, Meta(description="that it is down is an incident by itself")] = False
    public_as: Annotated[
        str,
        Meta(
            max_length=100,
            description="its name on the status page (`status.directory`); empty: it is not there",
        ),
    ] = ""
    private: Annotated[bool, Meta(description="the name may resolve to a private, loopback or link-local address")] = (
        False
    )


class CopiesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[copies]`: limits of what is kept of watched pages, all together."""

    bytes_max: Annotated[
        int, Meta(ge=0, description="on the disk; what goes beyond is not kept, and what was kept stays")
    ] = 134_217_728
    age_max_s: Annotated[
        float, Meta(ge=86_400, description="a copy is removed so long after the page was last seen to be good")
    ] = 2_592_000.0
