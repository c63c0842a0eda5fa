"""Rows as CSV (RFC 4180), for spreadsheets, which must not take a cell for a formula."""

from collections.abc import Iterable, Iterator, Sequence

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
INERT = "'"
"""Put before a cell that a spreadsheet would begin to calculate: it shows the rest as text."""

# The last four are the wide forms, which some take for the same.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_QUOTED = frozenset('",\r\n')

Cell = str | int | float | None


def lines(heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The heading and the rows, each with its end (CRLF)."""
    yield _line(heading)
    for row in rows:
        yield _line(row)


def _line(row: Sequence[Cell]) -> str:
    return ",".join(map(_cell, row)) + "\r\n"


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = INERT + value if value.startswith(FORMULA) else value
    return '"' + text.replace('"', '""') + '"' if not _QUOTED.isdisjoint(text) else text
