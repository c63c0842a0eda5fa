"""`tidegate fleet token`: who may do what over the network."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import age
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.web.fleet_report import TokenReport
    from tidegate.wiring.ask_fleet import TokenDoor

app = typer.Typer(no_args_is_help=True, help="Say who may report what hosts have, or write notes.")

_TOKENS = (
    Column("token"),
    Column("allows"),
    Column("made", is_figure=True),
    Column("expires"),
    Column("tags"),
    Column("hosts"),
)


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it: web, or a host's name.")],
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires",
            metavar="TIME",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
            help="It lets nobody in from then on (UTC): 2027-01-01.",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="Each host reported with it gets this tag.")
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option("--host", metavar="ID", help="It may report this host only; repeatable.")
    ] = None,
    scope: Annotated[
        str,
        typer.Option("--for", metavar="WHAT", help="`report` what hosts have, or `note` things about incidents."),
    ] = "report",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token that allows one thing, and nothing else. It is printed once; only its digest is kept."""
    from tidegate.archive.errors import FormatError
    from tidegate.fleet.tags import tags
    from tidegate.store.tokens import Scope, TokenError

    if scope not in tuple(Scope):
        raise Failure(ExitCode.USAGE, Complaint(f"there is no token for {scope!r}", todo="There is report and note."))
    if scope != Scope.REPORT and (tag or host):
        raise Failure(ExitCode.USAGE, Complaint("--tag and --host are for tokens that report"))

    expires_at = None if expires is None else int(expires.replace(tzinfo=UTC).timestamp())
    try:
        with _answering():
            words = sorted(tags(tag or []))
            report = _door(config, state).add(name, Scope(scope), expires_at=expires_at, tags=words, hosts=host or [])
    except (TokenError, FormatError) as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error))) from None
    if json_wanted(context, as_json):
        say_json(report)
        return
    say(report.secret)
    where = " On a host it belongs into /etc/tidegate/report-token, readable for root alone."
    note(f"It is not told again.{where if scope == Scope.REPORT else ''}")


@app.command(name="list")
def list_(
    context: typer.Context, config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """List the tokens; what they are made of, nobody knows but their owners."""
    with _answering():
        report = _door(config, state).list()
    if json_wanted(context, as_json):
        say_json(report)
    elif not report.tokens:
        say("No token: nobody can report over the network.")
    else:
        table(_TOKENS, [_token(one, report.at) for one in report.tokens])


@app.command()
def remove(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="A token's name.")],
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove tokens: they let nobody in from now on. Exits 1 when there is none of a name."""
    with _answering():
        report = _door(config, state).remove(names)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        for name in report.removed:
            say(f"removed: {name}")
        for name in report.unknown:
            note(f"there is no token {name!r}")
    raise typer.Exit(ExitCode.NO if report.unknown else ExitCode.OK)


def _door(config: Path | None, state: Path | None) -> "TokenDoor":
    from tidegate.wiring.ask_fleet import TokenDoor

    return TokenDoor(settings_for(config, overrides(state=state)), os.environ)


@contextmanager
def _answering() -> Iterator[None]:
    from tidegate.store.tokens import UnusableTokensError

    try:
        yield
    except UnusableTokensError as error:
        todo = "Put it right, or remove it and make new tokens: nobody can report until then."
        raise Failure(ExitCode.CONFIG, Complaint(str(error), todo=todo)) from None


def _token(one: "TokenReport", now: int) -> list[str]:
    if one.expires_at is None:
        expires = "never"
    else:
        day = f"{datetime.fromtimestamp(one.expires_at, UTC):%Y-%m-%d}"
        expires = f"expired {day}" if one.expired else day
    return [
        one.name,
        one.scope,
        f"{age(one.made_at, now)} ago",
        expires,
        ", ".join(one.tags),
        ", ".join(one.hosts) or "any",
    ]
