"""The commands about hosts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.fleet import telling, token
from tidegate.cli.options import AtOption, ConfigOption, StateOption, epoch, overrides, settings_for
from tidegate.cli.render import JsonOption, json_wanted, say, say_json

if TYPE_CHECKING:
    from tidegate.fleet.intake import Sent
    from tidegate.wiring.ask_fleet import FleetDoor

app = typer.Typer(no_args_is_help=True, help="The hosts: what they have, since when that is known, and who may report.")
app.add_typer(token.app, name="token")

_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))

HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="Its id or its name.")]
HostsArgument = Annotated[list[str], typer.Argument(metavar="HOST", help="Its id or its name.")]


@app.command()
def add(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What a host has; `-` for standard input. May be gzip or zstd.")
    ] = Path("-"),
    form: Annotated[
        str,
        typer.Option(
            "--form", metavar="FORM", help="report, dpkg-status, cyclonedx or osquery; else by how it begins."
        ),
    ] = "",
    host: Annotated[str, typer.Option("--host", metavar="ID", help="The id to know the host by.")] = "",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Its name; else the id.")] = "",
    release: Annotated[
        str, typer.Option("--release", metavar="RELEASE", help="debian:bookworm, ubuntu:noble; for dpkg-status.")
    ] = "",
    kernel: Annotated[str, typer.Option("--kernel", metavar="VERSION", help="What `uname -r` says there.")] = "",
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Give the host this tag.")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in what a host has, from a file or over standard input.

    A report (`tidegate fleet report-command`) and osquery's answers say themselves which host they are of. A raw
    /var/lib/dpkg/status needs --host and --release, CycloneDX --host. Exits 1 when it is refused, which changes
    nothing, and 3 when it was taken in but for packages that could not be read.
    """
    sent = _sent(file, form, (host, name, release, kernel), tag or [])
    with _answering():
        report = _door(config, state).add(sent)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        telling.added(report)
    raise typer.Exit(ExitCode.WARNING if report.unreadable or report.double else ExitCode.OK)


@app.command(name="list")
def list_(
    context: typer.Context,
    tag: Annotated[str, typer.Option("--tag", metavar="TAG", help="Only hosts with this tag.")] = "",
    silent: Annotated[bool, typer.Option("--silent", help="Only hosts that stopped reporting.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the hosts, and since when what is known of them is unknown.

    Exits 3 when one that is listed stopped reporting (fleet.host_max_s).
    """
    with _answering():
        report = _door(config, state).list(tag, only_silent=silent)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        telling.hosts(report)
    raise typer.Exit(ExitCode.WARNING if report.silent else ExitCode.OK)


@app.command()
def show(
    context: typer.Context,
    host: HostArgument,
    at: AtOption = None,
    packages: Annotated[bool, typer.Option("--packages", help="And each of its packages.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a host said about itself, now or at an earlier time.

    Exits 1 when there is no such host, and 3 when it stopped reporting.
    """
    with _answering():
        report = _door(config, state).show(host, epoch(at))
    if json_wanted(context, as_json):
        say_json(report)
    else:
        telling.shown(report, packages=packages)
    raise typer.Exit(ExitCode.OK if report.host.unknown_since is None else ExitCode.WARNING)


@app.command()
def tag(
    context: typer.Context,
    hosts: HostsArgument,
    add: Annotated[list[str] | None, typer.Option("--add", metavar="TAG", help="Give this tag.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="TAG", help="Take this tag.")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give hosts tags, or take tags from them. Exits 1, and changes none, when one is not known."""
    with _answering():
        if not add and not remove:
            raise Failure(ExitCode.USAGE, Complaint("nothing to do: --add TAG or --remove TAG"))
        report = _door(config, state).tag(hosts, _tags(add or []), _tags(remove or []))
    if json_wanted(context, as_json):
        say_json(report)
    else:
        for one in report.hosts:
            say(f"{one.name or one.id}: {', '.join(one.tags) or 'no tags'}")


@app.command()
def remove(
    context: typer.Context,
    hosts: HostsArgument,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget hosts from now on; what they had stays answerable for its time (`show --at`).

    One that reports again is back. Exits 1, and forgets none, when one is not known.
    """
    with _answering():
        report = _door(config, state).remove(hosts)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        for one in report.removed:
            say(f"forgotten: {one.name or 'without a name'} ({one.id})")


@app.command()
def report_command(
    to: Annotated[
        str | None, typer.Option("--to", metavar="HOST:PORT", help="And send it there with curl (fleet.listen).")
    ] = None,
) -> None:
    """Print the one line of shell that prints what a host has.

    It needs no rights, changes nothing, and asks nobody: `tidegate fleet report-command | ssh HOST sh | tidegate fleet
    add`. With --to it sends that to the gateway, with the token in /etc/tidegate/report-token. How hosts report
    by themselves: `tidegate client-config --form report-timer`.
    """
    from tidegate.cli.client_config.gateway import gateway_at
    from tidegate.cli.client_config.reporting import one_line
    from tidegate.fleet.report import command

    try:
        say(command() if to is None else one_line(gateway_at(to)))
    except ValueError as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error))) from None


def _sent(file: Path, form: str, said: tuple[str, str, str, str], tags: list[str]) -> "Sent":
    import sys

    from tidegate.archive.errors import FormatError
    from tidegate.fleet.forms import beside, form_named
    from tidegate.fleet.intake import Sent
    from tidegate.fleet.inventory import INVENTORY_BYTES_MAX

    try:
        named, words = form_named(form) if form else None, _tags(tags)
        beside_it = beside(*said)
    except FormatError as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error))) from None
    if str(file) == "-":
        data = sys.stdin.buffer.read(INVENTORY_BYTES_MAX + 1)
    else:
        with file.open("rb") as opened:
            data = opened.read(INVENTORY_BYTES_MAX + 1)
    encoding = next((name for magic, name in _MAGIC if data.startswith(magic)), "")
    return Sent(data, encoding, named, beside_it, words)


def _tags(words: list[str]) -> "frozenset[str]":
    from tidegate.archive.errors import FormatError
    from tidegate.fleet.tags import tags

    try:
        return tags(words)
    except FormatError as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error))) from None


def _door(config: Path | None, state: Path | None) -> "FleetDoor":
    from tidegate.wiring.ask_fleet import FleetDoor

    return FleetDoor(settings_for(config, overrides(state=state)), os.environ)


@contextmanager
def _answering() -> Iterator[None]:
    """A no in a command's words. Raises Failure."""
    from tidegate.wiring.ask_fleet import FleetError, NoHostsError

    try:
        yield
    except FleetError as error:
        raise Failure(ExitCode.NO, Complaint(str(error))) from None
    except NoHostsError as error:
        todo = "Let one report (docs/fleet.md), or name the state's directory with --state."
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error), todo=todo)) from None
