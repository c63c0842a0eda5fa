"""A request's head, taken apart strictly (RFC 9112; threats 19 to 21). Pure.

Only GET, HEAD and CONNECT in HTTP/1.1 are spoken (and 1.0 by those who close). Whatever two readers could take two
ways is refused: bare LF, obs-fold, blanks before a colon, a body, two Hosts, control bytes.
"""

import re
from dataclasses import dataclass

_FIELD = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*"
_FIELDS = re.compile(rb"%b(?:\r\n%b)*\Z" % (_FIELD, _FIELD)).match
_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"range", b"if-range", b"if-modified-since"})
_TARGET = re.compile(rb"[!#-;=?-\[\]-~]+\Z").match  # visible ASCII but `"`, `<`, `>` and the backslash


class BadRequestError(ValueError):
    """The head is not one that we read; the sentence goes into the 400."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The header fields that change an answer; all others are ignored."""

    range: str | None = None
    if_range: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    close: bool = False


PLAIN = Fields()


@dataclass(frozen=True, slots=True)
class Line:
    """A request line."""

    method: bytes
    target: bytes
    keeps: bool
    """HTTP/1.1, which keeps the connection unless told otherwise."""


def parse_line(line: bytes) -> Line:
    """The request line. Raises BadRequestError."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise BadRequestError("a request line has a method, a target and a version")
    method, target, version = parts
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise BadRequestError("only HTTP/1.1 and HTTP/1.0 are spoken here")
    if not _TARGET(target):
        raise BadRequestError("the target has characters that no URL has")
    return Line(method, target, version == b"HTTP/1.1")


def parse_fields(block: bytes, *, host_required: bool = True) -> Fields:
    """The header fields, CRLF between them and none after the last. Raises BadRequestError.

    HTTP/1.0 knew no Host, and what asks whether a server lives often speaks that: only 1.1 has to name one
    (RFC 9112, 3.2).
    """
    if block and not _FIELDS(block):
        raise BadRequestError("the header fields are not well formed")
    found: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n") if block else ():
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in found and name in _ONCE:
            raise BadRequestError("a header field stands twice that may stand once")
        found[name] = value.strip(b" \t")
    if host_required and b"host" not in found:
        raise BadRequestError("a Host is missing")
    if b"transfer-encoding" in found or found.get(b"content-length", b"0") != b"0":
        raise BadRequestError("a request has no body here")
    fields = Fields(
        _text(found, b"range"),
        _text(found, b"if-range"),
        _text(found, b"if-none-match"),
        _text(found, b"if-modified-since"),
        b"close" in found.get(b"connection", b"").lower(),
    )
    return PLAIN if fields == PLAIN else fields


def user_agent(head: bytes) -> str:
    """The User-Agent in a request's head, or an empty string."""
    for line in head.split(b"\r\n"):
        if line[:11].lower() == b"user-agent:":
            return line[11:].strip().decode("latin-1")
    return ""


def _text(found: dict[bytes, bytes], name: bytes) -> str | None:
    value = found.get(name)
    return None if value is None else value.decode("latin-1")
