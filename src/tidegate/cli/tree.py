"""The commands as a tree of plain values, read from Typer's: what the man page and docs/commands.md are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

PROGRAM = "tidegate"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option, or an argument where it has no dashes."""

    names: tuple[str, ...]
    metavar: str
    """Empty for a flag."""
    help: str
    is_argument: bool
    is_required: bool
    is_repeatable: bool
    default: str
    """Empty where there is none to tell."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group with its commands."""

    path: tuple[str, ...]
    help: str
    parameters: tuple[Parameter, ...]
    children: tuple["Command", ...]
    runs: bool = True
    """Whether it does something by itself; a group may only hold others."""

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(self.path)

    @property
    def summary(self) -> str:
        """The help's first line."""
        return self.help.partition("\n")[0]

    @property
    def usage(self) -> str:
        """The line that says how it is typed."""
        words = [self.name]
        if any(not each.is_argument for each in self.parameters):
            words.append("[OPTIONS]")
        for each in self.parameters:
            if each.is_argument:
                word = each.metavar + ("..." if each.is_repeatable else "")
                words.append(word if each.is_required else f"[{word}]")
        if self.children:
            words.append("[COMMAND [ARGS]...]" if self.runs else "COMMAND [ARGS]...")
        return " ".join(words)


def command_tree() -> Command:
    """The whole of `tidegate`."""
    import typer

    from tidegate.cli.app import app

    return _command(typer.main.get_command(app), (PROGRAM,))


def walk(command: Command) -> Iterator[Command]:
    """It and everything below it."""
    yield command
    for child in command.children:
        yield from walk(child)


def _command(source: Any, path: tuple[str, ...]) -> Command:
    children = [_command(child, (*path, name)) for name, child in getattr(source, "commands", {}).items()]
    return Command(
        path=path,
        help=cleandoc(source.help or ""),
        parameters=tuple(_parameter(each) for each in source.params if not getattr(each, "hidden", False)),
        children=tuple(child for child in children if child.help),
        runs=not children or source.invoke_without_command,
    )


def _parameter(source: Any) -> Parameter:
    is_argument = source.param_type_name == "argument"
    is_flag = getattr(source, "is_flag", False)
    metavar = source.metavar or source.name.upper()
    return Parameter(
        names=() if is_argument else (*source.opts, *source.secondary_opts),
        metavar="" if is_flag else metavar,
        help=" ".join((source.help or "").split()),
        is_argument=is_argument,
        is_required=source.required,
        is_repeatable=source.multiple or source.nargs == -1,
        default="" if is_flag or callable(source.default) else _default(source.default),
    )


def _default(value: object) -> str:
    if value is None or value == () or value == []:
        return ""
    return str(getattr(value, "value", value))
