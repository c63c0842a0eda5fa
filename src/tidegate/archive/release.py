"""Release: the signed statement of a suite (DebianRepository/Format, "Release files").

The bytes are those that a signature covers, without its frame. What is read here is only what the statement
says; whether to believe it is the business of trust.
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tidegate.archive import deb822
from tidegate.archive.checksums import checksums
from tidegate.archive.errors import FormatError, WeakDigests, excerpt
from tidegate.archive.paths import listed

RELEASE_BYTES_MAX = 16 * 2**20
"""Debian's largest has 150 KB, Ubuntu's 270 KB."""
ENTRIES_MAX = 100_000
COMPONENT_SEGMENTS_MAX = 4
TOKENS_MAX = 1024
VALUE_CHARS_MAX = 1024

_LIMITS = deb822.Deb822Limits(bytes_max=RELEASE_BYTES_MAX, stanzas_max=2)
_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), +)?(\d{1,2}) +(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +"
    r"(\d{4}) +(\d{1,2}):(\d{2}):(\d{2}) +(?:UTC|GMT|Z|[+-]0000)",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One index that a Release vouches for; `path` is relative to the Release's own directory.

    `sha512` is there because apt asks by-hash for the strongest digest that the Release offers.
    """

    path: str
    sha256: bytes
    size: int
    sha512: bytes | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """What a Release says of its suite. Times are seconds since the epoch, UTC.

    `architecture_all_apart` tells whether packages of architecture `all` stand in a `binary-all/Packages` of
    their own and nowhere else, so that a client of `amd64` reads both: `Architectures` names `all`, and
    `No-Support-for-Architecture-all` does not name `Packages` (Debian's does: every `binary-*/Packages` holds
    them too). `components` are as the entries' paths have them: a prefix that repeats the suite's directory
    (`updates/main`, as debian-security has it to this day) is dropped.
    """

    origin: str | None
    label: str | None
    suite: str | None
    codename: str | None
    version: str | None
    date: int
    valid_until: int | None
    architectures: tuple[str, ...]
    components: tuple[str, ...]
    acquire_by_hash: bool
    architecture_all_apart: bool
    entries: Mapping[str, IndexEntry]


def parse_release(data: bytes) -> Release:
    """Read a Release file.

    Raises BadPath for an entry that would leave its directory, WeakDigests if there is no SHA256 list, and
    FormatError for everything else: no or an unreadable Date, an unreadable Valid-Until, an entry whose digest
    or size does not fit, one path with two digests, and what exceeds a limit.
    """
    fields = deb822.only_stanza(data, limits=_LIMITS)
    architectures = _tokens(fields, "architectures")
    entries = _entries(fields)
    date = _time(fields, "date")
    if date is None:
        raise FormatError("no Date")
    return Release(
        origin=_text(fields, "origin"),
        label=_text(fields, "label"),
        suite=_text(fields, "suite"),
        codename=_text(fields, "codename"),
        version=_text(fields, "version"),
        date=date,
        valid_until=_time(fields, "valid-until"),
        architectures=architectures,
        components=_components(fields, entries),
        acquire_by_hash=deb822.boolean(fields.get("acquire-by-hash", "")) is True,
        architecture_all_apart="all" in architectures
        and "Packages" not in _tokens(fields, "no-support-for-architecture-all"),
        entries=entries,
    )


def parse_date(value: str, where: str = "") -> int:
    """Seconds since the epoch of a Release's date: RFC 5322's form, in UTC as apt demands.

    The weekday is not compared with the date, as apt does not either. Raises FormatError.
    """
    match = _DATE.fullmatch(value)
    if match is None:
        raise FormatError(f"not a date in UTC: {excerpt(value)}", where)
    day, month, year, hour, minute, second = match.groups()
    try:
        moment = datetime(  # noqa: DTZ001 -- timegm takes it as UTC, which the pattern demands
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second)
        )
    except ValueError as error:
        raise FormatError(f"no such date: {excerpt(value)} ({error})", where) from None
    seconds = calendar.timegm(moment.timetuple())
    if seconds < 0:
        raise FormatError(f"before 1970: {excerpt(value)}", where)
    return seconds


def _entries(fields: Mapping[str, str]) -> dict[str, IndexEntry]:
    if "sha256" not in fields:
        weaker = ", ".join(name for name in ("md5sum", "sha1", "sha512") if name in fields) or "nothing"
        raise WeakDigests(f"no SHA256 list, only {weaker}")
    sha512 = _digests(fields, "sha512", 64) if "sha512" in fields else {}
    entries: dict[str, IndexEntry] = {}
    for path, (sha256, size) in _digests(fields, "sha256", 32).items():
        other = sha512.get(path)
        if other is not None and other[1] != size:
            raise FormatError(f"two sizes for {excerpt(path)}", "field 'sha512'")
        entries[path] = IndexEntry(path, sha256, size, other[0] if other else None)
    return entries


def _components(fields: Mapping[str, str], entries: Mapping[str, IndexEntry]) -> tuple[str, ...]:
    directories: set[str] = set()
    for path in entries:
        segments = path.split("/", COMPONENT_SEGMENTS_MAX)[:-1]
        directories.update("/".join(segments[:depth]) for depth in range(1, len(segments) + 1))
    components = []
    for token in _tokens(fields, "components"):
        segments = token.split("/", COMPONENT_SEGMENTS_MAX)
        tails = ("/".join(segments[start:]) for start in range(len(segments)))
        components.append(next((tail for tail in tails if tail in directories), token))
    return tuple(components)


def _digests(fields: Mapping[str, str], field: str, digest_bytes: int) -> dict[str, tuple[bytes, int]]:
    digests: dict[str, tuple[bytes, int]] = {}
    where = f"field {field!r}"
    for name, digest, size in checksums(fields[field], digest_bytes, where):
        path = listed(name, where)
        if digests.setdefault(path, (digest, size)) != (digest, size):
            raise FormatError(f"two digests for {excerpt(path)}", where)
        if len(digests) > ENTRIES_MAX:
            raise FormatError(f"more than {ENTRIES_MAX} entries", where)
    return digests


def _text(fields: Mapping[str, str], field: str) -> str | None:
    value = fields.get(field)
    if value is not None and (len(value) > VALUE_CHARS_MAX or "\n" in value):
        raise FormatError("more than a line of text", f"field {field!r}")
    return value or None


def _tokens(fields: Mapping[str, str], field: str) -> tuple[str, ...]:
    tokens = tuple(fields.get(field, "").split())
    if len(tokens) > TOKENS_MAX or any(len(token) > VALUE_CHARS_MAX for token in tokens):
        raise FormatError("too many or too long words", f"field {field!r}")
    return tokens


def _time(fields: Mapping[str, str], field: str) -> int | None:
    value = fields.get(field)
    return None if value is None else parse_date(value, f"field {field!r}")
