"""Sending a file as it was published: whole, in part, or not at all to whom has it (RFC 9110, 13 and 14)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tidegate.advisories.documents import Documents

_CHUNK_BYTES = 2**18
_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?")
_TYPES = {".json": "application/json", ".xz": "application/x-xz", ".bz2": "application/x-bzip2",
          ".gz": "application/gzip", ".zip": "application/zip", ".zst": "application/zstd"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A file, opened, and what is known of it. `digest` is its SHA-256, `fetched_at` in seconds since 1970."""

    file: BinaryIO
    name: str
    size: int
    digest: bytes
    fetched_at: int
    confirmed_at: int
    last_modified: str | None = None

    @property
    def etag(self) -> str:
        return f'"{self.digest.hex()}"'


def opened(documents: Documents, file: str) -> OpenDocument | None:
    """A feed's newest file by the name that its publisher gives it. Raises OSError."""
    for name in documents.names():
        latest = documents.latest(name)
        if latest is None or file not in (latest.file_name, name):
            continue
        found = documents.open(name)
        if found is not None:
            document, content = found
            return OpenDocument(
                content,
                file,
                document.size,
                document.digest,
                document.fetched_at,
                document.confirmed_at,
                document.last_modified,
            )
    return None


def send(request: Request, document: OpenDocument, headers: dict[str, str]) -> Response:
    """The file, what was asked for of it, or 304. Closes it in the end."""
    told = {
        **headers,
        "ETag": document.etag,
        "Last-Modified": document.last_modified or formatdate(document.fetched_at, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if _has_it(request, document, told["Last-Modified"]):
        document.file.close()
        return Response(status_code=304, headers=told)
    part = _part(request, document, told["Last-Modified"])
    if part is None:
        document.file.close()
        return Response(status_code=416, headers={**told, "Content-Range": f"bytes */{document.size}"})
    first, end = part
    whole = (first, end) == (0, document.size)
    told["Content-Length"] = str(end - first)
    if not whole:
        told["Content-Range"] = f"bytes {first}-{end - 1}/{document.size}"
    media_type = next((kind for suffix, kind in _TYPES.items() if document.name.endswith(suffix)), None)
    return StreamingResponse(
        _bytes(document.file, first, end), 200 if whole else 206, told, media_type or "application/octet-stream"
    )


def digest_line(document: OpenDocument) -> str:
    """What `sha256sum` would print of it."""
    return f"{document.digest.hex()}  {document.name}\n"


def _has_it(request: Request, document: OpenDocument, last_modified: str) -> bool:
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or document.etag in known
    return request.headers.get("if-modified-since") == last_modified


def _part(request: Request, document: OpenDocument, last_modified: str) -> tuple[int, int] | None:
    """From where to where; None where nothing is there. One range only: of others, the whole is sent."""
    whole = 0, document.size
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", document.etag) not in (document.etag, last_modified):
        return whole
    first, last = asked.groups()
    if first is None:
        if last is None:
            return whole
        start = max(0, document.size - int(last))
        return (start, document.size) if int(last) and document.size else None
    end = min(document.size, int(last) + 1) if last is not None else document.size
    return (int(first), end) if int(first) < end else None


def _bytes(file: BinaryIO, first: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        while first < end and (chunk := file.read(min(_CHUNK_BYTES, end - first))):
            first += len(chunk)
            yield chunk
