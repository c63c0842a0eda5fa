"""What governs an archive and the places its bytes come from."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

PRIORITY_LAST = 2**31 - 1
"""Of a mirror list's line without a priority, where other lines have one: apt puts it behind all of these."""

Kind = Literal["origin", "mirror", "cdn", "snapshot", "peer", "media"]


class SourceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[archive.source]]`: one place to get the archive's bytes from."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(?:https?://\S+|file:///\S+|/.+)$",
            title="an http:// or https:// address, or a folder: file:///PATH or /PATH",
            description="base address, as in sources.list",
        ),
    ]
    operator: Annotated[
        str, Meta(description="who runs it: failures and lies are shared within one; empty: the host's registered name")
    ] = ""
    kind: Annotated[
        Kind, Meta(description="origin, mirror, cdn, snapshot, peer or media; a folder is always media")
    ] = "mirror"
    region: Annotated[str, Meta(description="where it stands, as `de` or `us`; empty: anywhere, or unknown")] = ""
    priority: Annotated[
        int, Meta(ge=0, le=PRIORITY_LAST, description="lower ones are asked first, as in apt's mirror lists")
    ] = 0
    private: Annotated[bool, Meta(description="the name may resolve to a private, loopback or link-local address")] = (
        False
    )
    enabled: Annotated[
        bool, Meta(description="false: never asked, not even where a mirror list or a preset names the same address")
    ] = True


class ArchiveSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[archive]]`: what a vendor publishes, whatever host carries it."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9.+-]*$",
            title="a name of a-z, 0-9, dot, plus and minus",
            description="names it to people and to us; also the mirror form's first folder",
        ),
    ]
    keyring: Annotated[
        tuple[str, ...] | str,
        Meta(
            description="the only keys that may sign: paths of keyrings, armored keys in place; a fingerprint"
            " restricts them to it; empty: the keys that ship for an archive of this name"
        ),
    ] = ()
    suites: Annotated[
        tuple[str, ...], Meta(description="held from the start; `./` or `DIR/` is a flat repository")
    ] = ()
    components: Annotated[tuple[str, ...], Meta(description="empty: every component that the Release names")] = ()
    architectures: Annotated[tuple[str, ...], Meta(description="empty: this host's own")] = ()
    deb_src: Annotated[bool, Meta(description="hold the Sources indices as well")] = False
    aliases: Annotated[tuple[str, ...], Meta(description="addresses that clients ask for it by")] = ()
    adopt_on_request: Annotated[bool, Meta(description="adopt a suite when a client first asks for it")] = True
    accept_info_change: Annotated[
        bool, Meta(description="accept a changed Origin, Label or Codename once it is signed")
    ] = False
    source: Annotated[
        tuple[SourceSettings, ...],
        Meta(description="in order of preference; neither these nor a mirror list: the aliases themselves are asked"),
    ] = ()
    mirror_list: Annotated[
        str,
        Meta(
            pattern=r"^(?:/.+)?$",
            title="the absolute path of a file, or nothing",
            description="more sources, an address a line, as `mirror+file:` has them: tags behind a blank, of which"
            " `priority:N` counts; read anew on SIGHUP",
        ),
    ] = ""
    known_mirrors: Annotated[
        bool | None,
        Meta(
            description="ask the mirrors that ship for an archive of this name as well, which tells them what the fleet"
            " installs; unset: as `fetch.known_mirrors` says"
        ),
    ] = None


class FetchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[fetch]`: limits towards sources."""

    connect_timeout_s: Annotated[float, Meta(gt=0, description="per address")] = 5.0
    connect_stagger_s: Annotated[float, Meta(gt=0, description="before the next address is tried too (RFC 8305)")] = (
        0.25
    )
    first_byte_timeout_s: Annotated[float, Meta(gt=0, description="from the request to the answer's head")] = 10.0
    silence_timeout_s: Annotated[float, Meta(gt=0, description="without a byte in mid-body")] = 10.0
    stall_hedge_s: Annotated[
        float,
        Meta(gt=0, description="without a byte in mid-body: another source is asked to go on from there, if it can"),
    ] = 0.6
    rate_min_bytes_s: Annotated[
        int,
        Meta(ge=0, description="below this another source is asked to go on; over the rate window, the source is left"),
    ] = 8_192
    rate_window_s: Annotated[float, Meta(gt=0, description="over which the minimum rate is judged")] = 10.0
    connections_per_source_max: Annotated[int, Meta(ge=1, description="at once")] = 32
    redirects_max: Annotated[int, Meta(ge=0, le=10, description="followed by us, each hop checked")] = 3
    response_head_bytes_max: Annotated[int, Meta(ge=1024, description="an answer's head")] = 65_536
    release_bytes_max: Annotated[int, Meta(ge=1024, description="an InRelease, Release or Release.gpg")] = 8_388_608
    index_bytes_max: Annotated[int, Meta(ge=1024, description="one index, as listed")] = 1_073_741_824
    artifact_bytes_max: Annotated[int, Meta(ge=1024, description="one artifact, as listed")] = 17_179_869_184
    known_mirrors: Annotated[
        bool,
        Meta(
            description="ask the mirrors that ship with the presets as well, for every archive that does not say"
            " otherwise itself"
        ),
    ] = False
    proxy: Annotated[
        str,
        Meta(
            pattern=r"^(?:http://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)"
            r":(?:6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3}))?$",
            title="http://HOST:PORT, or nothing",
            description="the site's proxy, for all sources but those that are `private`; never taken from the"
            " environment",
        ),
    ] = ""
    offline: Annotated[
        bool,
        Meta(
            description="make no connection to any source: serve what is held, and what folders (`media`) carry; counts"
            " from the next start"
        ),
    ] = False
    tls_ca_file: Annotated[str, Meta(description="certificate authorities; empty: the system's")] = ""


class HealthSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[health]`: when a source is passed over, for how long, and when a rival is asked beside it (docs/breaker.md)."""

    backoff_base_s: Annotated[float, Meta(gt=0, description="a source that failed is not asked for so long")] = 0.5
    backoff_cap_s: Annotated[
        float, Meta(gt=0, description="each further failure doubles that, up to this: also the longest way back")
    ] = 60.0
    backoff_jitter: Annotated[
        float, Meta(ge=0, le=0.9, description="share of a wait that chance may take off, so that not all come at once")
    ] = 0.2
    violation_s: Annotated[
        float,
        Meta(gt=0, description="a source that gave wrong bytes is not asked for so long, unless nothing else is left"),
    ] = 3_600.0
    calm_s: Annotated[
        float, Meta(gt=0, description="after so long without a failure the doubling begins anew; until then it goes on")
    ] = 60.0
    trial_s: Annotated[
        float, Meta(gt=0, description="a source that is tried again gets one request, and another only after so long")
    ] = 10.0
    retry_after_max_s: Annotated[float, Meta(ge=0, description="a source's Retry-After counts up to this")] = 3_600.0
    hedge_after_min_s: Annotated[
        float, Meta(gt=0, description="a rival is asked at the earliest after so long without an answer")
    ] = 0.1
    hedge_after_max_s: Annotated[float, Meta(gt=0, description="and at the latest after so long")] = 1.0
    hedge_after_unknown_s: Annotated[
        float, Meta(gt=0, description="for a source whose own answering times are not known yet")
    ] = 0.5
    alone_after_s: Annotated[
        float,
        Meta(
            ge=0,
            description="once all sources of an archive have been out for so long, no client waits for them: what is"
            " not held is refused at once, and probes find out when one is back",
        ),
    ] = 10.0
    probe_interval_s: Annotated[
        float, Meta(gt=0, description="a source without traffic is probed so often, give or take a fifth")
    ] = 300.0
