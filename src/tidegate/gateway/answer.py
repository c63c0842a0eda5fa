"""Which part of a representation a request gets, and its head (RFC 9110, 13 and 14). Pure.

Every header is ours: nothing of an answer depends on the source that its bytes came from (threat 22).
"""

from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache

from tidegate.gateway.request import Fields

_TYPES = {
    "deb": "application/vnd.debian.binary-package",
    "udeb": "application/vnd.debian.binary-package",
    "xz": "application/x-xz",
    "gz": "application/gzip",
    "zst": "application/zstd",
    "bz2": "application/x-bzip2",
    "gpg": "application/pgp-signature",
    "dsc": "text/plain; charset=utf-8",
}
_PLAIN_NAMES = ("InRelease", "Release", "Packages", "Sources", "Index")
REASONS = {
    200: "OK",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    416: "Range Not Satisfiable",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
# 2001-09-09, and about 8.5 years of seconds above it: a date that says nothing but which bytes these are.
_DATE_FLOOR = 1_000_000_000
_DATE_MASK = (1 << 28) - 1


@dataclass(frozen=True, slots=True)
class Form:
    """What the head says of a representation."""

    size: int
    etag: str
    last_modified: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Part:
    """The status and the bytes from `start` up to `end` that go with it."""

    status: int
    start: int
    end: int


def date_of(digest: bytes) -> int:
    """A Last-Modified for bytes that have no date: derived from their digest, so that it is a validator.

    apt resumes with If-Range and a date. The same bytes have the same date from whichever source and whenever they
    came, and other bytes under the same name have, but for one chance in 2**28, another.
    """
    return _DATE_FLOOR + (int.from_bytes(digest[:4], "big") & _DATE_MASK)


@lru_cache(4096)
def http_date(epoch_s: int) -> str:
    """An IMF-fixdate (RFC 9110, 5.6.7)."""
    return formatdate(epoch_s, usegmt=True)


def content_type(path: str) -> str:
    """By the name's ending; by-hash names have none."""
    name = path.rpartition("/")[2]
    if name in _PLAIN_NAMES:
        return "text/plain; charset=utf-8"
    return _TYPES.get(name.rpartition(".")[2], "application/octet-stream")


def choose(form: Form, fields: Fields, *, get: bool) -> Part:
    """Evaluate the conditions, then the range.

    A date matches only when it is equal: a client's date may come from another server, which may have stamped the
    same name later with older bytes; a full answer is always right. One range is served, several are not (threat 31).
    """
    if fields.if_none_match is not None:
        tags = [tag.strip().removeprefix("W/") for tag in fields.if_none_match.split(",")]
        if "*" in tags or form.etag in tags:
            return Part(304, 0, 0)
    elif fields.if_modified_since == form.last_modified:
        return Part(304, 0, 0)
    if get and fields.range is not None and fields.if_range in (None, form.etag, form.last_modified):
        return _range(fields.range, form.size)
    return Part(200, 0, form.size)


def _range(text: str, size: int) -> Part:
    unit, _, spec = text.partition("=")
    first, dash, last = spec.strip().partition("-")
    whole = Part(200, 0, size)
    if (
        unit.strip().lower() != "bytes"
        or not dash
        or any(not (d.isascii() and d.isdigit() and len(d) < 19) for d in (first, last) if d)
    ):
        return whole
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return whole
    elif last:
        start, end = max(0, size - int(last)), size
    else:
        return whole
    return Part(206, start, end) if start < end else Part(416, 0, 0)


def head_of(form: Form, part: Part, *, date: bytes, how: str, close: bool) -> bytes:
    """The head of an answer that has a representation behind it."""
    lines = [f"HTTP/1.1 {part.status} {REASONS[part.status]}", f"Date: {date.decode()}"]
    if part.status in (200, 206):
        lines += [f"Content-Type: {form.content_type}", f"Content-Length: {part.end - part.start}"]
    if part.status == 206:
        lines.append(f"Content-Range: bytes {part.start}-{part.end - 1}/{form.size}")
    if part.status == 416:
        lines += [f"Content-Range: bytes */{form.size}", "Content-Length: 0"]
    lines += [
        f"Last-Modified: {form.last_modified}",
        f"ETag: {form.etag}",
        "Accept-Ranges: bytes",
        f"X-Tidegate: {how}",
    ]
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def told(text: str) -> str:
    """A sentence as it may stand in a header and before a browser (threat 21): visible ASCII without angle brackets,
    at most 200 characters."""
    return "".join(c if " " <= c <= "~" and c not in "<>" else "?" for c in text[:200])


def refusal_of(
    status: int, why: str, *, date: bytes, reason: str, retry_after_s: int | None, close: bool, head_only: bool
) -> bytes:
    """A whole answer that says no, and why: in the reason phrase (apt prints it), the header and the body."""
    body = f"{told(why)}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {told(reason)}",
        f"Date: {date.decode()}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"X-Tidegate: refused; {told(why)}",
    ]
    if retry_after_s is not None:
        lines.append(f"Retry-After: {retry_after_s}")
    if close:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return head if head_only else head + body
