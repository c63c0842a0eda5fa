"""The fields that feeds share, read strictly: a bad value is an error with its place, never a zero."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from tidegate.advisories.statement import Statement
from tidegate.archive.errors import FormatError, excerpt
from tidegate.archive.versions import parse_version, version_key

IDS_MAX = 20_000
"""In one list of a record; a kernel notice names some 600 CVEs."""
TEXT_CHARS_MAX = 1_000_000
"""A title, a description, a note."""
FIRST_YEAR = 1990
"""Before any CVE; what is older is a program's zero."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{1,127}")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_VENDOR_CVE = re.compile(r"(?:UBUNTU-|DEBIAN-)(CVE-[0-9]{4}-[0-9]{4,19})")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,127}")
_RELEASE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_MESSAGE_CHARS_MAX = 200
_ZERO = version_key("0")

T = TypeVar("T")


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """JSON as the decoder's type. Raises FormatError for whatever it is not, however deep and however broken."""
    try:
        return decoder.decode(data)
    except RecursionError:
        raise FormatError("nested too deep") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise FormatError(ascii(str(error))[1:-1][:_MESSAGE_CHARS_MAX]) from None


def identifier(text: str, where: str) -> str:
    """The id of a record or of what it points to. Raises FormatError."""
    if not _ID.fullmatch(text):
        raise FormatError(f"no id: {excerpt(text)}", where)
    return text


def identifiers(texts: Iterable[str] | None, where: str) -> tuple[str, ...]:
    """A list of ids, each once, in its order. Raises FormatError."""
    found = dict.fromkeys(identifier(text, where) for text in texts or ())
    if len(found) > IDS_MAX:
        raise FormatError(f"more than {IDS_MAX} ids", where)
    return tuple(found)


def common_id(identity: str) -> str:
    """The name that all feeds share: the CVE's for a vendor's record of a CVE, else the id as it is."""
    vendor = _VENDOR_CVE.fullmatch(identity)
    return vendor[1] if vendor else identity


def cve_id(text: str, where: str) -> str:
    """A CVE's id. Raises FormatError."""
    if not _CVE.fullmatch(text):
        raise FormatError(f"no CVE id: {excerpt(text)}", where)
    return text


def cves_of(*lists: Iterable[str]) -> tuple[str, ...]:
    """The CVEs among ids of all kinds, each once, sorted."""
    return tuple(sorted({cve for ids in lists for cve in map(common_id, ids) if _CVE.fullmatch(cve)}))


def package_name(text: str, where: str) -> str:
    """A source package's name. Raises FormatError."""
    if not _PACKAGE.fullmatch(text):
        raise FormatError(f"no package name: {excerpt(text)}", where)
    return text


def release_name(text: str, where: str) -> str:
    """A release's codename or number, or a pocket's name. Raises FormatError."""
    if not _RELEASE.fullmatch(text):
        raise FormatError(f"no release: {excerpt(text)}", where)
    return text


def version(text: str, where: str) -> str:
    """A version as it stands, checked. Raises FormatError.

    Stricter than dpkg: a word (`unfixed`, `tbd`) is no version here, and neither is zero, in whatever spelling: feeds
    write both for something else.
    """
    try:
        parts, key = parse_version(text), version_key(text)
    except FormatError as error:
        raise FormatError(error.what, where) from None
    if not parts.upstream[0].isdigit():
        raise FormatError(f"a version that begins with no digit: {excerpt(text)}", where)
    if key == _ZERO:
        raise FormatError(f"version {excerpt(text)}, which no package has", where)
    return text


def text_of(value: str | None, where: str) -> str:
    """Free text, bounded. Raises FormatError."""
    if value and len(value) > TEXT_CHARS_MAX:
        raise FormatError(f"more than {TEXT_CHARS_MAX} characters", where)
    return value or ""


def epoch_s(text: str | None, where: str) -> int | None:
    """Seconds since 1970 of an ISO 8601 date or time (UTC where no zone is given); None for none.

    Raises FormatError for anything else, and for what is older than any advisory.
    """
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
        if when.year < FIRST_YEAR:
            raise ValueError
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise FormatError(f"no time: {excerpt(text)}", where) from None


def one_each(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements, those that are there twice once. Raises FormatError where two contradict each other."""
    found: dict[object, Statement] = {}
    for statement in statements:
        earlier = found.setdefault(statement.subject, statement)
        if earlier != statement:
            place = statement.place
            raise FormatError(
                f"two statements about {excerpt(statement.package)} in {place.distribution} {place.release}"
                f" {place.pocket}".rstrip(),
                f"statements on {excerpt(statement.about)}",
            )
    return tuple(found.values())
