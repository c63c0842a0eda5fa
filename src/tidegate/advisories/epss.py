"""EPSS, FIRST's daily scores (https://epss.empiricalsecurity.com/epss_scores-current.csv.gz).

A comment with the model and the day, since 2022; a heading; a line for each CVE, some 300,000.
"""

import re
from collections.abc import Iterable, Iterator

from tidegate.advisories import fields
from tidegate.advisories.statement import Problem, Score
from tidegate.archive.errors import FormatError, excerpt

LINE_BYTES_MAX = 4096
_DAY = re.compile(rb"#.*\bscore_date:([0-9]{4}-[0-9]{2}-[0-9]{2}[0-9T:+Z-]{0,20})")
_COLUMNS = ((b"cve", b"epss"), (b"cve", b"epss", b"percentile"))
_NUMBER = re.compile(r"(?:0|1)(?:\.[0-9]{1,20})?(?:[eE]-[0-9]{1,3})?|[0-9](?:\.[0-9]{1,20})?[eE]-[0-9]{1,3}")


def scored_at(head: bytes) -> int | None:
    """The day that the scores are of, by the file's first line, in seconds since 1970; None where it has none.

    Raises FormatError.
    """
    day = _DAY.match(head)
    return fields.epoch_s(day[1].decode(), "line 1") if day else None


def parse(lines: Iterable[bytes]) -> Iterator[Score | Problem]:
    """A file's lines, without their ends. Raises FormatError where the columns are not EPSS's."""
    columns: list[bytes] = []
    for number, line in enumerate(lines, 1):
        if not line or (line.startswith(b"#") and not columns):
            continue
        if not columns:
            columns = line.strip().split(b",")
            if tuple(columns) not in _COLUMNS:
                raise FormatError(f"no EPSS heading: {excerpt(line)}", f"line {number}")
            continue
        try:
            yield _score(line, len(columns), f"line {number}")
        except FormatError as error:
            yield Problem(_named(line), error.where, error.what)
    if not columns:
        raise FormatError("no EPSS heading")


def _score(line: bytes, columns: int, where: str) -> Score:
    try:
        values = line[: LINE_BYTES_MAX + 1].decode("ascii").strip().split(",")
    except UnicodeDecodeError:
        raise FormatError(f"no line of scores: {excerpt(line)}", where) from None
    if len(values) != columns or len(line) > LINE_BYTES_MAX:
        raise FormatError(f"no line of scores: {excerpt(line)}", where)
    numbers = [_share(value, where) for value in values[1:]]
    return Score(fields.cve_id(values[0], where), numbers[0], numbers[1] if columns > len(_COLUMNS[0]) else None)


def _share(text: str, where: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else -1.0
    if not 0.0 <= value <= 1.0:
        raise FormatError(f"no share between 0 and 1: {excerpt(text)}", where)
    return value


def _named(line: bytes) -> str:
    """The CVE of a line that could not be read, if at least that is there."""
    first = line[:LINE_BYTES_MAX].partition(b",")[0].decode("latin-1").strip()
    try:
        return fields.cve_id(first, "")
    except FormatError:
        return ""
