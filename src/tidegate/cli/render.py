"""What people see: tables and sentences on a terminal, plain columns in a pipe, JSON when asked."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON; its schema: tidegate schema COMMAND.")]

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. Figures go to the right."""

    title: str
    is_figure: bool = False
    style: str = ""


def say(text: str) -> None:
    """A line to standard output."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A line to standard error: what is worth telling beside the answer."""
    sys.stderr.write(text + "\n")


def json_wanted(context: typer.Context, here: bool) -> bool:
    """`--json` counts before and behind the command's name."""
    return here or bool(context.find_root().params.get("as_json"))


def say_json(value: Any) -> None:
    """A struct, or plain values, as one indented JSON document."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """A table to standard output; in a pipe plain columns without colour or frames."""
    if sys.stdout.isatty():
        _rich_table(columns, rows)
    else:
        for line in plain_table(columns, rows):
            say(line)


def span(seconds: float) -> str:
    """A span of time for people, in its largest whole unit: `3 days`, `1 hour`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{int(seconds)} s"


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table for a pipe: titles in capitals, two blanks between columns, nothing trailing."""
    cells = [[column.title.upper() for column in columns], *rows]
    widths = [max(len(row[number]) for row in cells) for number in range(len(columns))]
    return [
        _GAP.join(
            cell.rjust(width) if column.is_figure else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in cells
    ]


def _rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        justify: Literal["right", "left"] = "right" if column.is_figure else "left"
        drawn.add_column(column.title, justify=justify, style=column.style or None, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)
