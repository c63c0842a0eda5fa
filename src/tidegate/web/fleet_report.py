"""What is told about the fleet: the structs behind `tidegate fleet`, and how they are made of what hosts reported."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from tidegate.fleet.hosts import HostEntry
from tidegate.fleet.inventory import Inventory
from tidegate.store.tokens import Token

At = Annotated[int, Meta(description="epoch seconds, UTC")]


class HostReport(Struct, frozen=True, kw_only=True):
    """One host but for its packages."""

    id: Annotated[str, Meta(description="what it is known by")]
    name: str
    distribution: str
    release: Annotated[str, Meta(description="codename; a number where none is known")]
    kernel: Annotated[str, Meta(description="what runs, by `uname -r`; empty where it was not said")]
    boot: Annotated[str, Meta(description="boot id; empty where it was not said")]
    form: Annotated[str, Meta(description="report, dpkg-status, cyclonedx or osquery")]
    packages: int
    seen_at: Annotated[int, Meta(description="its last report, changed or not; epoch seconds, UTC")]
    changed_at: Annotated[int, Meta(description="its last report that told something new; epoch seconds, UTC")]
    unknown_since: Annotated[
        int | None, Meta(description="seen_at, where that is longer ago than fleet.host_max_s; null: it is known")
    ]
    tags: tuple[str, ...]


class HostsEnd(Struct, frozen=True, kw_only=True):
    """The last line of a list of hosts, without which it was cut off; `end` is how many there are."""

    end: int
    at: At
    host_max_s: int


class HostsReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet list --json`."""

    at: At
    host_max_s: Annotated[int, Meta(description="who reported longer ago is unknown since then")]
    silent: Annotated[int, Meta(description="how many of the hosts below are unknown")]
    hosts: tuple[HostReport, ...]


class PackageReport(Struct, frozen=True, kw_only=True):
    """A binary package on a host."""

    binary: str
    architecture: str
    version: str
    source: str
    source_version: str
    state: Annotated[str, Meta(description="dpkg's")]
    held: Annotated[bool, Meta(description="apt-mark hold")]
    origin: Annotated[str, Meta(description="who made it, where its maker wrote that; mostly empty")]


class ModuleReport(Struct, frozen=True, kw_only=True):
    """A kernel module, of the kernel that runs. Null: the host could not tell."""

    name: str
    loaded: bool | None
    built_in: bool | None
    loadable: bool | None
    blocked: Annotated[bool | None, Meta(description="modprobe runs /bin/false in its place")]


class SuiteReport(Struct, frozen=True, kw_only=True):
    """What apt installs from on a host."""

    origin: str
    name: str


class HostShowReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet show --json`."""

    at: Annotated[int, Meta(description="the moment that is told of; epoch seconds, UTC")]
    host: HostReport
    suites: Annotated[tuple[SuiteReport, ...] | None, Meta(description="null: nobody said")]
    pockets: Annotated[
        tuple[str, ...] | None, Meta(description="those that not every host has (ESM, FIPS); null: nobody said")
    ]
    modules: tuple[ModuleReport, ...]
    packages: tuple[PackageReport, ...]
    unreadable: Annotated[tuple[str, ...], Meta(description="packages of which nothing is known, a sentence each")]


class FleetAddReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet add --json`."""

    host: HostReport
    news: Annotated[bool, Meta(description="false: the host had said the same before")]
    double: Annotated[str | None, Meta(description="name of another machine that reports as the same host")]
    unreadable: Annotated[tuple[str, ...], Meta(description="packages of which nothing is known, a sentence each")]


class FleetTagReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet tag --json`."""

    hosts: Annotated[tuple[HostReport, ...], Meta(description="with the tags that they have now")]


class FleetRemoveReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet remove --json`."""

    removed: Annotated[tuple[HostReport, ...], Meta(description="forgotten from now on; what they had stays known")]


class TokenReport(Struct, frozen=True, kw_only=True):
    """A token but for its secret, which nobody knows but its owner."""

    name: str
    scope: Annotated[str, Meta(description="what it allows: report")]
    made_at: At
    expires_at: Annotated[int | None, Meta(description="null: never")]
    expired: bool
    tags: Annotated[tuple[str, ...], Meta(description="what each host gets that is reported with it")]
    hosts: Annotated[tuple[str, ...], Meta(description="ids that it may report; empty: any")]


class TokensReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet token list --json`."""

    at: At
    tokens: tuple[TokenReport, ...]


class TokenAddReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet token add --json`."""

    secret: Annotated[str, Meta(description="the token; told here and never again")]
    token: TokenReport


class TokenRemoveReport(Struct, frozen=True, kw_only=True):
    """`tidegate fleet token remove --json`."""

    removed: tuple[str, ...]
    unknown: Annotated[tuple[str, ...], Meta(description="there is no token of this name")]


def host_report(entry: HostEntry, now: int, host_max_s: int) -> HostReport:
    """A host, as of a moment."""
    host = entry.host
    return HostReport(
        id=host.id,
        name=host.name,
        distribution=host.distribution,
        release=host.release,
        kernel=host.kernel,
        boot=host.boot,
        form=entry.form.value,
        packages=entry.packages,
        seen_at=entry.seen_at,
        changed_at=entry.changed_at,
        unknown_since=entry.seen_at if now - entry.seen_at > host_max_s else None,
        tags=tuple(sorted(entry.tags)),
    )


def hosts_report(hosts: Iterable[HostReport], at: int, host_max_s: int) -> HostsReport:
    """By name, then id."""
    found = tuple(sorted(hosts, key=lambda one: (one.name, one.id)))
    silent = sum(one.unknown_since is not None for one in found)
    return HostsReport(at=at, host_max_s=host_max_s, silent=silent, hosts=found)


def host_show_report(host: HostReport, inventory: Inventory, at: int) -> HostShowReport:
    """A host with all that it had."""
    suites, pockets = inventory.host.suites, inventory.host.pockets
    return HostShowReport(
        at=at,
        host=host,
        suites=None
        if suites is None
        else tuple(SuiteReport(origin=one.origin, name=one.name) for one in sorted(suites)),
        pockets=None if pockets is None else tuple(sorted(pockets)),
        modules=tuple(
            ModuleReport(
                name=one.name,
                loaded=one.loaded,
                built_in=one.built_in,
                loadable=one.loadable,
                blocked=one.blocked,
            )
            for one in inventory.modules
        ),
        packages=tuple(
            PackageReport(
                binary=one.binary,
                architecture=one.architecture,
                version=one.version,
                source=one.source,
                source_version=one.source_version,
                state=one.state,
                held=one.held,
                origin=one.origin,
            )
            for one in inventory.packages
        ),
        unreadable=inventory.unreadable,
    )


def token_report(token: Token, now: int) -> TokenReport:
    """A token, as of now."""
    return TokenReport(
        name=token.name,
        scope=token.scope.value,
        made_at=token.made_at,
        expires_at=token.expires_at,
        expired=token.expired(now),
        tags=token.tags,
        hosts=token.hosts,
    )
