"""`tidegate client-config`: how a client's apt is pointed at the gateway, and how that is taken back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, settings_for
from tidegate.cli.render import JsonOption, json_wanted, note, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.cli.client_config.forms import ClientFile, Gateway
    from tidegate.cli.reports import ClientConfigReport


def client_config(
    context: typer.Context,
    form: Annotated[str, typer.Option("--form", metavar="FORM", help="proxy, auto-detect or mirror.")] = "proxy",
    gateway: Annotated[
        str | None,
        typer.Option("--gateway", metavar="HOST:PORT", help="Where clients reach it; otherwise from gateway.listen."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Say how to take it back.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Put the files in place (or, with --undo, take them away).")
    ] = False,
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="The client's root, for --write.")] = Path("/"),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what points a client's apt at this gateway.

    proxy is one line for apt.conf. auto-detect is a script that apt asks for each host: it answers DIRECT within
    a second when the gateway is gone, which a proxy line never does. mirror names the gateway in a .sources file.
    Nothing is changed unless --write is given, and --undo takes it back.
    """
    from tidegate.cli.client_config.forms import Form, client_files
    from tidegate.cli.client_config.placing import place, take_away

    if form not in {each.value for each in Form}:
        raise Failure(ExitCode.USAGE, Complaint(f"there is no form {form!r}", todo="proxy, auto-detect or mirror."))
    gathered = settings_for(config)
    asked = _gateway(gateway, gathered.settings.gateway.listen)
    files = client_files(Form(form), asked, gathered.settings.archive)
    if write and form == Form.MIRROR:
        todo = "Your own sources would have to go at the same time: print it, and put it there by hand."
        raise Failure(ExitCode.USAGE, Complaint("the mirror form is only printed", todo=todo))
    change = take_away if undo else place
    changed = change(files, root) if write else ()
    if json_wanted(context, as_json):
        say_json(_report(form, files, written=bool(changed)))
    elif write:
        for path in changed:
            say(f"{'removed' if undo else 'written'}: {path}")
    else:
        _print(files, undo=undo)


def _gateway(given: str | None, listen: str) -> "Gateway":
    from tidegate.cli.client_config.forms import gateway_at

    if given is None:
        host, _, port = listen.rpartition(":")
        given = f"{_own_name() if host in {'', '0.0.0.0', '[::]'} else host}:{port}"  # noqa: S104  # compared, not bound
    try:
        return gateway_at(given)
    except ValueError as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error), todo="Give --gateway HOST:PORT.")) from None


def _own_name() -> str:
    import socket

    return socket.getfqdn()


def _report(form: str, files: "Sequence[ClientFile]", *, written: bool) -> "ClientConfigReport":
    from tidegate.cli.client_config.forms import undo_commands
    from tidegate.cli.reports import ClientConfigReport, FileReport

    return ClientConfigReport(
        form=form,
        files=tuple(FileReport(path=f"/{each.path}", mode=f"{each.mode:04o}", content=each.content) for each in files),
        undo=undo_commands(files),
        written=written,
    )


def _print(files: "Sequence[ClientFile]", *, undo: bool) -> None:
    from tidegate.cli.client_config.forms import undo_commands

    if undo:
        for command in undo_commands(files):
            say(command)
        return
    for each in files:
        if len(files) > 1:
            say(f"# ---- /{each.path} ({each.mode:04o})")
        say(each.content.rstrip("\n"))
    note(f"For {' and '.join(f'/{each.path}' for each in files)} on the client; --undo says how to take it back.")
