"""What governs the admin port."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.gateway.settings import Port


class AdminSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[admin]`: health, status and metrics. Loopback unless told otherwise."""

    listen: Annotated[
        Port, Meta(description="address of health, status and metrics; an empty host means all of them")
    ] = "127.0.0.1:3143"
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="names that a request's Host may have besides the address listened on"),
    ] = ("localhost",)


class StatusSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[status]`: the page for the people who get their updates here. Off until `directory` or `s3` says where it is
    written; it is static files, so that it can live where this gateway's troubles do not reach."""

    directory: Annotated[
        str, Meta(description="where the page and its feeds are written on each change; empty: nowhere")
    ] = ""
    title: Annotated[str, Meta(max_length=200, description="what it is the status of")] = "Software updates"
    contact: Annotated[
        str, Meta(max_length=500, description="whom to ask, in a line: a name, a number, an address")
    ] = ""
    url: Annotated[
        str, Meta(max_length=500, description="where people find the page, for the feeds' links; empty: not known")
    ] = ""
    update_s: Annotated[
        int,
        Meta(
            ge=60,
            le=86_400,
            description="written anew so often when nothing changes; twice as old, it is not to be believed",
        ),
    ] = 1_800
    update_open_s: Annotated[int, Meta(ge=60, le=86_400, description="the same, while something is affected")] = 300
    notes: Annotated[
        bool, Meta(description="operators' notes, actions and claims on an incident are shown on the page")
    ] = False
    publish: Annotated[
        tuple[str, ...],
        Meta(description="command, word by word, to run in `directory` after each write: rsync, or an object store's"),
    ] = ()
    publish_timeout_s: Annotated[
        int, Meta(ge=1, le=3_600, description="it, and a way to `s3`, is ended after so long")
    ] = 120
    s3: Annotated[
        str,
        Meta(
            pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._~-]+)*/?)?$",
            title="s3://BUCKET or s3://BUCKET/PREFIX",
            description="bucket to put the page into, with or without a `directory`",
        ),
    ] = ""
    s3_endpoint: Annotated[
        str,
        Meta(
            pattern=r"^(https?://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?/?)?$",
            title="an http or https address without a path",
            description="who keeps the bucket; empty: Amazon, in `s3_region`",
        ),
    ] = ""
    s3_region: Annotated[
        str, Meta(pattern="^[a-z0-9-]{1,40}$", title="a region's name", description="what its signatures are made for")
    ] = "us-east-1"
    s3_credentials_file: Annotated[
        str,
        Meta(
            description="file with its key, as ~/.aws/credentials, [default]; empty: AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN"
        ),
    ] = ""
