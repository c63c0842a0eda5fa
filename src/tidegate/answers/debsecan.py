"""The data that `debsecan` fetches, made from the Debian security tracker's statements.

The form is that of https://security-tracker.debian.org/tracker/debsecan/release/1/SUITE, as Debian's debsecan 0.4.20
reads it (`fetch_data`): names with descriptions, then a line for each CVE and source package, then which binaries a
source still has; each part ends with an empty line. What the tracker leaves out of it (what is unimportant, and what is
past its end of life) is left out here too.

The tracker's own data name the version of unstable that is fixed, and of the suite every fixed version in the archive.
We name the version that is fixed in the suite: the same for versions in the archive, and right for others as well.
"""

import zlib
from collections.abc import Iterable, Mapping

from tidegate.advisories.history import History, Said
from tidegate.advisories.releases import DEBIAN
from tidegate.advisories.statement import Record, Statement, Status

FEEDS = ("debian-tracker", "debian-osv")
"""Who is asked: the first of which there is anything."""
DESCRIPTION_CHARS_MAX = 200
LEFT_OUT = frozenset({"unimportant", "end-of-life"})
"""Urgencies that debsecan is not told of."""

_URGENCIES = {"low": "L", "medium": "M", "high": "H"}
_SCOPES = {"remote": "R", "local": " "}
_NOT_TOLD = frozenset({Status.NOT_AFFECTED, Status.UNDETERMINED, Status.NEEDS_TRIAGE})


def release(history: History, suite: str, as_of: int | None = None) -> bytes | None:
    """What debsecan fetches for a suite, compressed; None where no feed says anything about it."""
    for feed in FEEDS:
        said = [
            one
            for one in history.all_said(suite, as_of)
            if one.feed == feed and one.statement.place.distribution == DEBIAN
        ]
        if said:
            records = {one.record.id: one.record for one in history.editions(feed, as_of)}
            return zlib.compress(rendered(said, records).encode())
    return None


def rendered(said: Iterable[Said], records: Mapping[str, Record]) -> str:
    """The data of one suite. `records` by their ids, for what they are about."""
    names: dict[str, int] = {}
    described: list[str] = []
    lines: list[str] = []
    for one in sorted(said, key=lambda one: (one.statement.package, one.statement.about)):
        if not told(one.statement):
            continue
        name = _name(one.statement.about)
        record = records.get(one.record)
        if name not in names:
            names[name] = len(names)
            described.append(f"{name},,{_line(record.description if record else '')}")
        lines.append(_package(one.statement, names[name], record))
    return "\n".join(["VERSION 1", *described, "", *lines, "", ""]) + "\n"


def told(statement: Statement) -> bool:
    """Whether debsecan is told of it."""
    if not statement.about.startswith(("CVE-", "TEMP-")) or statement.urgency in LEFT_OUT:
        return False
    return statement.status not in _NOT_TOLD and "," not in statement.package


def _name(about: str) -> str:
    """What has no CVE yet goes by its bug alone, as the tracker has it."""
    return "-".join(about.split("-")[:2]) if about.startswith("TEMP-") else about


def _package(statement: Statement, name: int, record: Record | None) -> str:
    fixed = statement.fixed if statement.status is Status.RELEASED else None
    urgency = _URGENCIES.get(statement.urgency.rstrip("*"), " ")
    scope = _SCOPES.get(dict(record.facts).get("Scope", ""), "?") if record else "?"
    flags = f"S{urgency}{scope}{'F' if fixed else ' '}"
    return f"{statement.package},{name},{flags},{fixed or ''},"


def _line(text: str) -> str:
    """One line of printable text."""
    line = " ".join(text.split())[:DESCRIPTION_CHARS_MAX]
    return "".join(char for char in line if char.isprintable())
