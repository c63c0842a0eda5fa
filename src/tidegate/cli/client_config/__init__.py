"""`tidegate client-config`: how a client is pointed at the gateway, how it reports, and how that is taken back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, settings_for
from tidegate.cli.render import JsonOption, json_wanted, note, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.cli.client_config.forms import Form
    from tidegate.cli.client_config.gateway import ClientFile, Gateway
    from tidegate.cli.reports import ClientConfigReport
    from tidegate.config.settings import Settings


def client_config(
    context: typer.Context,
    form: Annotated[
        str,
        typer.Option("--form", metavar="FORM", help="proxy, auto-detect, mirror, report-timer or report-hook."),
    ] = "proxy",
    gateway: Annotated[
        str | None,
        typer.Option("--gateway", metavar="HOST:PORT", help="Where clients reach it; otherwise from the settings."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Say how to take it back.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Put the files in place (or, with --undo, take them away).")
    ] = False,
    root: Annotated[Path, typer.Option("--root", metavar="DIR", help="The client's root, for --write.")] = Path("/"),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what points a client's apt at this gateway, or makes a host report what it has.

    proxy is one line for apt.conf. auto-detect is a script that apt asks for each host: it answers DIRECT within
    a second when the gateway is gone, which a proxy line never does. mirror names the gateway in a .sources file.
    report-timer is a script with a systemd timer that tells the gateway once an hour what the host has (docs/fleet.md);
    report-hook runs the same script after each run of dpkg, in the background and for 5 s at most.
    Nothing is changed unless --write is given, and --undo takes it back.
    """
    from tidegate.cli.client_config.forms import Form, client_files
    from tidegate.cli.client_config.placing import place, take_away

    try:
        chosen = Form(form)
    except ValueError:
        todo = f"{', '.join(Form)}."
        raise Failure(ExitCode.USAGE, Complaint(f"there is no form {form!r}", todo=todo)) from None
    settings = settings_for(config).settings
    files = client_files(chosen, _gateway(gateway, settings, chosen), settings.archive)
    if write and chosen is Form.MIRROR:
        todo = "Your own sources would have to go at the same time: print it, and put it there by hand."
        raise Failure(ExitCode.USAGE, Complaint("the mirror form is only printed", todo=todo))
    change = take_away if undo else place
    changed = change(files, root) if write else ()
    if json_wanted(context, as_json):
        say_json(_report(chosen, files, written=bool(changed)))
    elif write:
        for path in changed:
            say(f"{'removed' if undo else 'written'}: {path}")
    else:
        _print(chosen, files, undo=undo)
    if not undo:
        _what_then(chosen)


def _gateway(given: str | None, settings: "Settings", form: "Form") -> "Gateway":
    from tidegate.cli.client_config.gateway import gateway_at

    if given is None:
        listen = settings.fleet.listen if form.reports else settings.gateway.listen
        if not listen:
            todo = "Set fleet.listen, or give --gateway HOST:PORT."
            raise Failure(ExitCode.USAGE, Complaint("nothing listens for reports here", todo=todo))
        host, _, port = listen.rpartition(":")
        given = f"{_own_name() if host in {'', '0.0.0.0', '[::]'} else host}:{port}"  # noqa: S104  # compared, not bound
    try:
        return gateway_at(given)
    except ValueError as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error), todo="Give --gateway HOST:PORT.")) from None


def _own_name() -> str:
    import socket

    return socket.getfqdn()


def _report(form: "Form", files: "Sequence[ClientFile]", *, written: bool) -> "ClientConfigReport":
    from tidegate.cli.client_config.forms import commands_after, undo_commands
    from tidegate.cli.reports import ClientConfigReport, FileReport

    return ClientConfigReport(
        form=form.value,
        files=tuple(FileReport(path=f"/{each.path}", mode=f"{each.mode:04o}", content=each.content) for each in files),
        then=commands_after(form),
        undo=undo_commands(form, files),
        written=written,
    )


def _print(form: "Form", files: "Sequence[ClientFile]", *, undo: bool) -> None:
    from tidegate.cli.client_config.forms import undo_commands

    if undo:
        for command in undo_commands(form, files):
            say(command)
        return
    for each in files:
        if len(files) > 1:
            say(f"# ---- /{each.path} ({each.mode:04o})")
        say(each.content.rstrip("\n"))
    note(f"For {' and '.join(f'/{each.path}' for each in files)} on the client; --undo says how to take it back.")


def _what_then(form: "Form") -> None:
    """What is left to do on the client, where that is more than to have the files."""
    from tidegate.cli.client_config.forms import Form, commands_after
    from tidegate.cli.client_config.reporting import TOKEN

    if form is Form.REPORT_HOOK:
        note("It runs the script of the form report-timer, and does nothing where that is not there.")
    if form is Form.REPORT_TIMER:
        note(f"Then put a token (`tidegate fleet token add`) into {TOKEN}, mode 0600, and run, as root:")
    for command in commands_after(form):
        note(f"  {command}")
