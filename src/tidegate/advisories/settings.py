"""What governs the feeds on vulnerabilities."""

from typing import Annotated

from msgspec import Meta, Struct


class FeedSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[advisories.feed]]`: one feed, and where it is from."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9.-]{0,99}$",
            title="a feed's name, or that of a document such as com.ubuntu.noble.pkg.json.xz",
            description="ubuntu-osv, ubuntu-vex, ubuntu-tracker, ubuntu-notices, ubuntu-security-api, debian-tracker,"
            " debian-osv, kev, epss; any other is a document that is kept as it is and read by nobody here",
        ),
    ]
    urls: Annotated[
        tuple[str, ...],
        Meta(
            description="in order: https:// or http:// addresses of the file, file:///PATH or /PATH of a file or of a"
            " directory of records; none: where it is known to be published"
        ),
    ] = ()
    interval_s: Annotated[
        float, Meta(ge=0, description="how often it is looked at; 0: as is known to be fit, else every hour")
    ] = 0.0
    file_bytes_max: Annotated[
        int, Meta(ge=0, description="of the file as it is fetched; 0: as is known to be fit, else 1 GiB")
    ] = 0
    pages_of: Annotated[
        str,
        Meta(
            pattern=r"^[a-z]*$",
            title="a word",
            description="an API that gives it a page at a time (`offset`, `limit`, `total_results`): the member that"
            " its entries are in, such as notices",
        ),
    ] = ""
    digests: Annotated[
        str,
        Meta(
            description="a list of SHA-256 digests as sha256sum makes it, beside each address or an address of its own:"
            " only bytes that it lists are taken in"
        ),
    ] = ""
    signature: Annotated[
        str,
        Meta(description="a detached OpenPGP signature of that list: beside each address, or an address of its own"),
    ] = ""
    keyring: Annotated[str, Meta(description="path of the keys that may sign; without it no signature counts")] = ""
    private: Annotated[bool, Meta(description="a name may resolve to a private, loopback or link-local address")] = (
        False
    )
    enabled: Annotated[bool, Meta(description="false: never fetched, not even where known_feeds would")] = True


class AdvisoriesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[advisories]`: which feeds are kept, and within which limits."""

    known_feeds: Annotated[
        bool,
        Meta(
            description="fetch the usual feeds from where they are known to be published (docs/advisories.md); nobody"
            " learns from that what the fleet has, since feeds are fetched whole"
        ),
    ] = False
    fetch_timeout_s: Annotated[
        float, Meta(gt=0, description="for one feed from one source; what was received by then goes on next time")
    ] = 3_600.0
    pages_max: Annotated[int, Meta(ge=1, description="of a feed that comes a page at a time")] = 10_000
    import_timeout_s: Annotated[float, Meta(gt=0, description="for reading one feed, in a process of its own")] = (
        3_600.0
    )
    import_memory_bytes_max: Annotated[
        int, Meta(ge=134_217_728, description="of that process; what needs more is refused")
    ] = 2_147_483_648
    feed: Annotated[tuple[FeedSettings, ...], Meta(description="feeds, each with where it is from")] = ()
