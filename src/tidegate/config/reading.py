"""From a TOML text to `Settings`, or to every problem that stands in the way."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tidegate.config.checks import checked
from tidegate.config.completion import completed
from tidegate.config.keys import catalogue, hints_of, struct_of, toml_value
from tidegate.config.lines import KeyPath, line_of, lines_of
from tidegate.config.problems import ConfigError, Problem, Where, nearest, problem
from tidegate.config.settings import Settings

Table = Mapping[str, object]

VALUE_SHOWN_CHARS_MAX = 60


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML text that parses, not yet judged."""

    table: Table
    lines: Mapping[KeyPath, int]
    where: str

    def where_is(self, path: KeyPath) -> str:
        """`FILE:LINE` of `path`, or of the table around it, or the file alone."""
        line = line_of(path, self.lines)
        return f"{self.where}:{line}" if line else self.where


def load(text: str, where: str) -> Settings:
    """The settings that `text` makes, `where` being its name in messages.

    Raises ConfigError with every problem: broken TOML, unknown keys, wrong types, values out of range,
    contradictions between keys.
    """
    document = parse(text, where)
    return settings_from(document.table, document.where_is)


def parse(text: str, where: str) -> Document:
    """`text` as TOML. Raises ConfigError naming the line where it is none."""
    try:
        return Document(tomllib.loads(text), lines_of(text), where)
    except (ValueError, RecursionError) as error:  # beside its own error: numbers of 5,000 digits, a thousand brackets
        line = re.search(r"at line (\d+)", str(error))
        problem = Problem(
            what=f"this is not TOML: {error}",
            where=f"{where}:{line[1]}" if line else where,
            key="",
            todo="Text stands in quotes, lists in [ ]; a table's header in a line of its own.",
        )
        raise ConfigError([problem]) from None


def settings_from(table: Table, where_is: Where) -> Settings:
    """The settings that an already merged table makes. Raises ConfigError with every problem."""
    reader = _Reader(where_is)
    settings = reader.struct(table, Settings, ())
    problems = reader.problems
    if isinstance(settings, Settings):
        problems += checked(settings, where_is)
        if not problems:
            return replace(settings, archive=tuple(completed(archive) for archive in settings.archive))
    raise ConfigError(sorted(problems, key=_line))


@dataclass(slots=True)
class _Reader:
    where_is: Where
    problems: list[Problem] = field(default_factory=list)

    def struct(self, value: object, struct: type[Struct], path: KeyPath) -> Struct | None:
        """One table, or None after a problem within it."""
        if not isinstance(value, Mapping):
            self._wrong(path, f"{toml_value(value)[:VALUE_SHOWN_CHARS_MAX]} is not a table", "")
            return None
        before = len(self.problems)
        hints = hints_of(struct)
        for name in value.keys() - hints.keys():
            self._unknown((*path, name), hints)
        fields = {name: self._field(value[name], hints[name], (*path, name)) for name in hints if name in value}
        for key in catalogue().values():
            parent, _, name = key.name.rpartition(".")
            if parent == plain_name(path) and key.required and name not in value:
                self._wrong((*path, name), "it is missing", f"Give it: {key.doc} ({key.allowed}).")
        return struct(**fields) if len(self.problems) == before else None

    def _field(self, value: object, hint: object, path: KeyPath) -> object:
        nested = struct_of(hint)
        if nested is None:
            return self._leaf(value, hint, path)
        struct, is_array = nested
        if not is_array:
            return self.struct(value, struct, path)
        if not isinstance(value, list):
            header = plain_name(path)
            self._wrong(path, "it is a list of tables", f"Write [[{header}]] with double brackets.")
            return ()
        return tuple(self.struct(item, struct, (*path, number)) for number, item in enumerate(value))

    def _leaf(self, value: object, hint: object, path: KeyPath) -> object:
        try:
            return msgspec.convert(value, type=hint, strict=True)
        except msgspec.ValidationError:
            key = catalogue()[plain_name(path)]
            shown = toml_value(value)
            if len(shown) > VALUE_SHOWN_CHARS_MAX:
                shown = shown[:VALUE_SHOWN_CHARS_MAX] + "…"
            unit = f", in {key.unit}" if key.unit else ""
            self._wrong(path, f"{shown} cannot be used", f"It takes {key.allowed}{unit}.")
            return None

    def _unknown(self, path: KeyPath, hints: Mapping[str, object]) -> None:
        name = cast("str", path[-1])
        table = plain_name(path[:-1])
        guess = nearest(name, hints)
        elsewhere = [key for key in catalogue() if key.endswith(f".{name}") and not key.startswith(f"{table}.")]
        if guess:
            todo = f"Did you mean `{guess}`?"
        elif elsewhere:
            todo = f"`{name}` belongs to {' or '.join(f'`{key}`' for key in elsewhere)}."
        else:
            todo = f"Known here: {', '.join(sorted(hints))}."
        self._wrong(path, "there is no such setting", todo)

    def _wrong(self, path: KeyPath, what: str, todo: str) -> None:
        self.problems.append(problem(path, what, todo, self.where_is))


def _line(problem: Problem) -> int:
    """For the order of the text; what has no line (the environment) comes first."""
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def plain_name(path: KeyPath) -> str:
    """The path without its numbers: the name under which `catalogue` knows it."""
    return ".".join(part for part in path if isinstance(part, str))
