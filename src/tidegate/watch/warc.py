"""A page's copy as WARC 1.1 (ISO 28500:2017), one record a gzip member, so that others' tools read it, too.

warcinfo       who made it, and that robots.txt was heeded
response, request   of each redirect and of the page, the page last
metadata       of the page: which watch it is of, and what the check was that it passed

An answer's transfer coding is taken off, as by most who write WARC, and its head changed to say so; the head's other
bytes are ASCII, since what reads WARC does not agree on anything else there.
"""

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tidegate import __version__
from tidegate.watch.watch import Exchange, Watch, unpacked

if TYPE_CHECKING:
    from warcio.warcwriter import WARCWriter

MEDIA_TYPE = "application/warc"
VERSION = "1.1"
_ODD = re.compile(r"[^\t -~]").sub


@dataclass(frozen=True, slots=True)
class CopiedPage:
    """What a copy holds. `url` is where the page was found at last, `asked` where it was looked for."""

    asked: str
    url: str
    taken_at: float
    status: int
    content_type: str
    body: bytes


class BadCopyError(OSError):
    """A file that is not the copy that was written."""


def write(path: Path, watch: Watch, exchanges: Sequence[Exchange]) -> None:
    """A new file, on the disk when this returns. Raises OSError; BadCopyError for what WARC cannot hold."""
    from warcio.exceptions import ArchiveLoadFailed
    from warcio.statusandheaders import StatusAndHeadersParserException
    from warcio.warcwriter import WARCWriter

    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        writer = WARCWriter(file, gzip=True, warc_version=VERSION)
        writer.write_record(writer.create_warcinfo_record("", _about()))
        try:
            for one in exchanges:
                _write_exchange(writer, one)
            writer.write_record(_metadata(writer, watch, exchanges))
        except (ArchiveLoadFailed, StatusAndHeadersParserException, EOFError, ValueError) as error:
            raise BadCopyError(f"its answer cannot be told as WARC: {error}") from None
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, bytes_max: int) -> CopiedPage:
    """The page in a copy, its digests checked. Raises FileNotFoundError, BadCopyError, OSError."""
    from warcio.exceptions import ArchiveLoadFailed

    asked, found = "", None
    with path.open("rb") as file:
        try:
            for record in _records(file):
                url = record.rec_headers.get_header("WARC-Target-URI") or ""
                if record.rec_type == "response":
                    asked = asked or url
                    found = (
                        url,
                        record.rec_headers.get_header("WARC-Date"),
                        record.http_headers,
                        _body(record, bytes_max),
                    )
        except (ArchiveLoadFailed, EOFError, ValueError, zlib.error) as error:
            raise BadCopyError(f"{path.name} is no whole copy: {error}") from None
    if found is None:
        raise BadCopyError(f"{path.name} has no answer in it")
    url, date, head, packed = found
    body = unpacked(packed, head.get_header("Content-Encoding", ""), bytes_max)
    if body is None:
        raise BadCopyError(f"{path.name} is packed as nobody can unpack it")
    return CopiedPage(asked, url, _epoch(date), int(head.get_statuscode()), head.get_header("Content-Type", ""), body)


def _records(file: BinaryIO) -> Iterator[Any]:
    from warcio.archiveiterator import ArchiveIterator

    iterator = ArchiveIterator(file, check_digests="raise")
    for record in iterator:
        yield record
        iterator.read_to_end()


def _body(record: Any, bytes_max: int) -> bytes:
    body: bytes = record.raw_stream.read(bytes_max + 1)
    if len(body) > bytes_max:
        raise ValueError(f"more than {bytes_max:,} bytes")
    return body


def _about() -> dict[str, str]:
    return {
        "software": f"tidegate/{__version__}",
        "format": "WARC File Format 1.1",
        "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "robots": "classic",
    }


def _write_exchange(writer: "WARCWriter", one: Exchange) -> None:
    date = {"WARC-Date": _iso(one.asked_at)}
    answer = _head(one) + one.body
    response = writer.create_warc_record(
        one.url, "response", payload=BytesIO(answer), length=len(answer), warc_headers_dict=dict(date)
    )
    request = writer.create_warc_record(
        one.url, "request", payload=BytesIO(one.request), length=len(one.request), warc_headers_dict=dict(date)
    )
    writer.write_request_response_pair(request, response)


def _metadata(writer: "WARCWriter", watch: Watch, exchanges: Sequence[Exchange]) -> Any:
    settings = watch.settings
    fields = [
        f"watch: {watch.name}",
        f"via: {watch.url}",
        f"check-status: {settings.status}",
        *([f"check-contains: {' '.join(settings.contains.split())}"] if settings.contains else []),
        *([f"check-member: {settings.member}"] if settings.member else []),
    ]
    data = "".join(f"{field}\r\n" for field in fields).encode()
    return writer.create_warc_record(
        exchanges[-1].url,
        "metadata",
        payload=BytesIO(data),
        length=len(data),
        warc_content_type="application/warc-fields",
        warc_headers_dict={"WARC-Date": _iso(exchanges[-1].asked_at)},
    )


def _head(one: Exchange) -> bytes:
    """As it came, but for the transfer coding, which is off; what is no visible ASCII is written as %XX."""
    lines = [_ODD(_escaped, line) for line in one.head.decode("latin-1").split("\r\n")]
    coded = [line for line in lines if line.lower().startswith("transfer-encoding:")]
    kept = [line for line in lines if line and line not in coded]
    length = [f"Content-Length: {len(one.body)}"] if coded else []
    return "\r\n".join([*kept, *length, "", ""]).encode("ascii")


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _epoch(date: str) -> float:
    return datetime.fromisoformat(date).timestamp()
