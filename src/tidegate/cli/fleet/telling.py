"""How the commands about hosts tell what they found to people."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tidegate.cli.asking import age
from tidegate.cli.render import Column, note, say, table

if TYPE_CHECKING:
    from tidegate.web.fleet_report import (
        FleetAddReport,
        HostReport,
        HostShowReport,
        HostsReport,
        ModuleReport,
        PackageReport,
    )

_HOSTS = (
    Column("host"),
    Column("release"),
    Column("kernel"),
    Column("packages", is_figure=True),
    Column("reported", is_figure=True),
    Column("tags"),
    Column("id"),
)
_PACKAGES = (Column("package"), Column("version"), Column("architecture"), Column("source"), Column("state"))
_ANSWERS = {None: "?", True: "yes", False: "no"}


def added(report: "FleetAddReport") -> None:
    """What came of an inventory."""
    one = report.host
    say(f"{'Taken in' if report.news else 'Nothing new'}: {one.packages} packages of {one.name or one.id} ({one.id}).")
    for sentence in report.unreadable:
        note(f"not read, so nothing is known of it: {sentence}")
    if report.double is not None:
        note(
            f"another machine ({report.double or 'without a name'}) reports as the same host: give one of them a new "
            "machine-id (machine-id(5)), or another id with --host"
        )


def hosts(report: "HostsReport") -> None:
    """All of them, one a line."""
    if not report.hosts:
        say("No host.")
        return
    table(_HOSTS, [_host(one, report.at) for one in report.hosts])
    count = len(report.hosts)
    say("")
    say(f"{count:,} host{'' if count == 1 else 's'}; {report.silent:,} of them unknown, since they stopped reporting.")


def _host(one: "HostReport", now: int) -> list[str]:
    return [
        one.name or one.id,
        f"{one.distribution} {one.release}".rstrip(),
        one.kernel or "?",
        f"{one.packages:,}",
        f"{age(one.seen_at, now)} ago" if one.unknown_since is None else f"unknown since {_moment(one.unknown_since)}",
        ", ".join(one.tags),
        one.id,
    ]


def shown(report: "HostShowReport", *, packages: bool) -> None:
    """One host; with its packages, if these are wanted."""
    one = report.host
    facts = [
        ("id", one.id),
        ("release", f"{one.distribution} {one.release}".rstrip()),
        ("kernel", one.kernel or "not said"),
        ("boot", one.boot or "not said"),
        ("reported", f"{_moment(one.seen_at)}, as {one.form}; something new at {_moment(one.changed_at)}"),
        ("packages", f"{one.packages:,}, {sum(each.held for each in report.packages):,} of them on hold"),
        (
            "pockets",
            "not said" if report.pockets is None else ", ".join(report.pockets) or "none besides the release's",
        ),
        ("tags", ", ".join(one.tags) or "none"),
    ]
    say(one.name or one.id)
    for title, fact in facts:
        say(f"  {title:<9} {fact}")
    for module in report.modules:
        say(f"  {'module':<9} {_module(module)}")
    for sentence in report.unreadable:
        say(f"  not read, so nothing is known of it: {sentence}")
    if one.unknown_since is not None:
        say(f"What it has now is unknown since {_moment(one.unknown_since)}: it stopped reporting.")
    if packages:
        say("")
        table(_PACKAGES, [_package(each) for each in report.packages])


def _module(one: "ModuleReport") -> str:
    asked = {"loaded": one.loaded, "built in": one.built_in, "loadable": one.loadable, "blocked": one.blocked}
    return f"{one.name}: " + ", ".join(f"{word} {_ANSWERS[answer]}" for word, answer in asked.items())


def _package(one: "PackageReport") -> list[str]:
    source = one.source if one.source_version == one.version else f"{one.source} {one.source_version}"
    state = f"{one.state}, on hold" if one.held else one.state
    return [one.binary, one.version, one.architecture, source, state]


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
