"""Control files: stanzas of `Field: value` lines (Debian policy 5.1, deb822(5)).

This reader is the strict one, for the small files that decide (Release, pdiff's Index, `.sources`). Packages
and Sources have millions of lines and their own scanner (`blocks.py`), which falls back on this one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tidegate.archive.errors import FormatError, excerpt


@dataclass(frozen=True, slots=True)
class Deb822Limits:
    """Bounds of one control file. Debian's largest Release has 150 KB, 1,550 lines and 17 fields."""

    bytes_max: int = 64 * 2**20
    stanzas_max: int = 100_000
    fields_per_stanza_max: int = 256
    lines_per_stanza_max: int = 500_000


DEFAULT_LIMITS = Deb822Limits()

# Tab and newline are the only control characters with a meaning. U+0085 and its like are lines to some readers.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_FIELD = re.compile(r"([!-,.-9;-~][!-9;-~]*):(.*)")  # policy 5.1: graphic ASCII, no colon, no leading hyphen
_YES = frozenset({"yes", "true", "with", "on", "enable", "1"})
_NO = frozenset({"no", "false", "without", "off", "disable", "0"})


def stanzas(
    data: bytes, *, limits: Deb822Limits = DEFAULT_LIMITS, allow_comments: bool = False
) -> Iterator[dict[str, str]]:
    """Read a control file; one mapping a stanza, field names in lower case, in the file's order.

    Blanks around a value are dropped. Folded and multi-line values keep their newlines; each further line loses
    its one leading blank and what blanks end it. Lines that start with `#` are dropped if `allow_comments`, and
    refused otherwise.

    Raises FormatError with the line's number for whatever two readers could understand differently: a field
    twice in a stanza, a continuation without a field, a line that is neither, a line of blanks alone (which
    OpenPGP's cleartext cannot tell from an empty one), control characters, bytes that are not UTF-8, and for
    what exceeds a limit. Stanzas before the offending one have been handed out by then.
    """
    split = split_stanzas(decode(data, limits), allow_comments=allow_comments)
    for count, (first_line, lines) in enumerate(split, start=1):
        if count > limits.stanzas_max:
            raise FormatError(f"more than {limits.stanzas_max} stanzas", f"line {first_line}")
        yield read_stanza(lines, first_line, limits=limits, allow_comments=allow_comments)


def only_stanza(data: bytes, *, limits: Deb822Limits = DEFAULT_LIMITS) -> dict[str, str]:
    """Read a control file that must have exactly one stanza, and no comments. Raises FormatError."""
    read = list(stanzas(data, limits=limits))
    if len(read) != 1:
        raise FormatError(f"{len(read)} stanzas where there must be one")
    return read[0]


def decode(data: bytes, limits: Deb822Limits = DEFAULT_LIMITS) -> str:
    """The text of a control file. Raises FormatError for its size and for bytes that are not UTF-8."""
    if len(data) > limits.bytes_max:
        raise FormatError(f"longer than {limits.bytes_max} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FormatError("not UTF-8", f"line {line}") from None


def split_stanzas(text: str, *, allow_comments: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Cut a control file at its empty lines: the number of the first line (from 1) and the lines of each stanza.

    A run of nothing but comments is no stanza, if comments are allowed.
    """
    lines: list[str] = []
    has_fields = False
    first_line = 1
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            if not lines:
                first_line = number
            lines.append(line)
            has_fields = has_fields or not (allow_comments and line.startswith("#"))
        elif lines:
            if has_fields:
                yield first_line, lines
            lines, has_fields = [], False
    if has_fields:
        yield first_line, lines


def read_stanza(
    lines: Sequence[str],
    first_line: int = 1,
    *,
    limits: Deb822Limits = DEFAULT_LIMITS,
    allow_comments: bool = False,
) -> dict[str, str]:
    """Read the lines of one stanza, as `stanzas` does. Raises FormatError with the number of the line."""
    if len(lines) > limits.lines_per_stanza_max:
        raise FormatError(f"more than {limits.lines_per_stanza_max} lines in a stanza", f"line {first_line}")
    values: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in enumerate(lines, start=first_line):
        if control := _CONTROL.search(line):
            raise FormatError(f"control character {excerpt(control[0])}", f"line {number}")
        if allow_comments and line.startswith("#"):
            continue
        if line[0] in " \t":
            if current is None:
                raise FormatError("continuation of no field", f"line {number}")
            if line.isspace():
                raise FormatError("line of blanks alone", f"line {number}")
            current.append(line[1:].rstrip(" \t"))
            continue
        name, current = _field(line, number)
        if name in values:
            raise FormatError(f"field {excerpt(name)} a second time", f"line {number}")
        if len(values) >= limits.fields_per_stanza_max:
            raise FormatError(f"more than {limits.fields_per_stanza_max} fields", f"line {number}")
        values[name] = current
    return {name: "\n".join(value) for name, value in values.items()}


def boolean(value: str) -> bool | None:
    """What apt takes a word for: yes, no, or neither (its StringToBool)."""
    word = value.lower()
    return True if word in _YES else False if word in _NO else None


def _field(line: str, number: int) -> tuple[str, list[str]]:
    match = _FIELD.fullmatch(line)
    if match is None or line.startswith("#"):
        raise FormatError(f"neither a field nor its continuation: {excerpt(line)}", f"line {number}")
    return match[1].lower(), [match[2].strip(" \t")]
