"""`tidegate man`: the manual page, from the same tree that parses the command line."""

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.render import say

if TYPE_CHECKING:
    from tidegate.cli.tree import Command, Parameter


class Form(StrEnum):
    """In which markup."""

    ROFF = "roff"
    MARKDOWN = "markdown"


def man(
    form: Annotated[Form, typer.Option("--form", metavar="FORM", help="roff or markdown.")] = Form.ROFF,
) -> None:
    """Print the manual page.

    To install it: tidegate man > /usr/local/share/man/man1/tidegate.1
    """
    from tidegate.cli.tree import command_tree

    tree = command_tree()
    say("\n".join(markdown(tree) if form is Form.MARKDOWN else roff(tree)))


def roff(tree: "Command") -> Iterator[str]:
    """Lines of a page in the man macros, section 1."""
    from tidegate import __version__
    from tidegate.cli.tree import walk

    yield f'.TH TIDEGATE 1 "" "tidegate {__version__}" "User Commands"'
    yield from (".SH NAME", f"tidegate \\- {_escaped(tree.summary.rstrip('.'))}")
    yield from (".SH SYNOPSIS", f".B {_escaped(tree.usage)}")
    yield from (".SH DESCRIPTION", *_paragraphs(tree.help.partition("\n")[2]))
    yield ".SH OPTIONS"
    for parameter in tree.parameters:
        yield from _roff_parameter(parameter)
    yield ".SH COMMANDS"
    for command in walk(tree):
        if command.runs:
            yield from _roff_command(command)
    yield ".SH EXIT STATUS"
    for code, meaning in exit_codes():
        yield from (".TP", f".B {code}", _escaped(meaning))
    yield ".SH FILES"
    for name, meaning in _FILES:
        yield from (".TP", f".I {_escaped(name)}", _escaped(meaning))
    yield ".SH ENVIRONMENT"
    for name, meaning in _ENVIRONMENT:
        yield from (".TP", f".B {_escaped(name)}", _escaped(meaning))
    yield from (".SH SEE ALSO", ".BR apt (8),", ".BR sources.list (5),", ".BR apt.conf (5)")


def markdown(tree: "Command") -> Iterator[str]:
    """Lines of docs/commands.md."""
    from tidegate.cli.tree import walk

    yield from ("# Commands", "", "Made by `tidegate man --form markdown`; a test holds it equal.", "")
    for command in walk(tree):
        yield from (f"## `{command.name}`", "", command.help, "", "```", command.usage, "```", "")
        if command.parameters:
            yield from ("| | |", "|---|---|")
            yield from (
                f"| `{_spelled(each)}` | {_sentence(each)} |".replace("||", "\\|\\|") for each in command.parameters
            )
            yield ""
    yield from ("## Exit codes", "", "| code | meaning |", "|---|---|")
    yield from (f"| {code} | {meaning} |" for code, meaning in exit_codes())
    yield from ("", "`tidegate run` ends with the code of the command it ran.")


def exit_codes() -> list[tuple[int, str]]:
    """The table that the documentation shows."""
    from tidegate.cli.exit_codes import ExitCode

    return [(int(code), code.meaning) for code in ExitCode]


_FILES = (
    ("/etc/tidegate/tidegate.toml", "settings, when neither --config nor $TIDEGATE_CONFIG names others"),
    ("/var/lib/tidegate", "state and cache, when run by root; else ~/.local/state/tidegate"),
    ("/etc/apt/sources.list, /etc/apt/sources.list.d", "say which archives there are where the settings name none"),
)
_ENVIRONMENT = (
    ("TIDEGATE_CONFIG", "the file of settings, where --config does not name one"),
    ("TIDEGATE_SECTION__KEY", "sets one setting above the file: TIDEGATE_GATEWAY__LISTEN=0.0.0.0:3142"),
    ("STATE_DIRECTORY", "where to keep the state, as systemd sets it; store.state goes above it"),
    ("XDG_STATE_HOME", "below which a plain user's state lies"),
)


def _roff_command(command: "Command") -> Iterator[str]:
    yield from (f".SS {_escaped(command.usage)}", *_paragraphs(command.help))
    for parameter in command.parameters:
        yield from _roff_parameter(parameter)


def _roff_parameter(parameter: "Parameter") -> Iterator[str]:
    yield from (".TP", f".B {_escaped(_spelled(parameter))}", _escaped(_sentence(parameter)) or "\\&")


def _spelled(parameter: "Parameter") -> str:
    names = ", ".join(parameter.names)
    return f"{names} {parameter.metavar}".strip()


def _sentence(parameter: "Parameter") -> str:
    extra = [f"Default: {parameter.default}."] if parameter.default else []
    if parameter.is_repeatable and not parameter.is_argument:
        extra.append("May be given several times.")
    return " ".join([parameter.help, *extra]).strip()


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield from (".PP", _escaped(" ".join(paragraph.split())))


def _escaped(text: str) -> str:
    """roff's own characters, and a leading dot or quote that would be a request."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("~", "\\(ti")
    )
    return f"\\&{text}" if text.startswith(".") else text
