"""On which line of a TOML text a key stands. The standard parser does not tell.

The text is one that `tomllib` accepted, so this scan need not judge, only find.
"""

import re
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""`("archive", 0, "source", 1, "url")`: names of tables and keys, numbers within arrays of tables."""

_NAME = r"""(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*"
_HEADER = re.compile(rf"(\[\[?)[ \t]*({_DOTTED})[ \t]*\]\]?")
_KEY = re.compile(rf"({_DOTTED})[ \t]*=")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
# Inside a value: whole strings and comments are skipped, so that their brackets do not count.
_IN_VALUE = re.compile(
    r'"""(?:\\.|[^\\])*?"""+' r"|'''.*?'''+" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)


def lines_of(text: str) -> Mapping[KeyPath, int]:
    """The line (from 1) of every table header and key that stands in a line of its own."""
    found: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    position, line, counted = 0, 1, 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        line += text.count("\n", counted, position)
        counted = position
        if header := _HEADER.match(text, position):
            table = _entered(_names(header[2]), counts, is_array=header[1] == "[[")
            found.setdefault(table, line)
            position = header.end()
        elif key := _KEY.match(text, position):
            found.setdefault(table + _names(key[1]), line)
            position = _after_value(text, key.end())
        else:
            break
    return found


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of `path`, else of the innermost table around it that has one."""
    for length in range(len(path), 0, -1):
        if line := lines.get(path[:length]):
            return line
    return None


def _names(dotted: str) -> KeyPath:
    return tuple(name.strip("\"'") for name in re.findall(_NAME, dotted))


def _entered(names: KeyPath, counts: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """`names` with the number of the current element after each array of tables."""
    path: KeyPath = ()
    for depth, name in enumerate(names, start=1):
        path = (*path, name)
        if is_array and depth == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _after_value(text: str, position: int) -> int:
    depth = 0
    for token in _IN_VALUE.finditer(text, position):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth == 0:
                return token.end()
            case _:
                pass
    return len(text)
