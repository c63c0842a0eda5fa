"""Read a tar archive from a stream (POSIX.1-2024 pax, ustar, GNU's long names), bounded in whatever it claims."""

import re
from collections.abc import Iterable, Iterator

from tidegate.advisories.statement import Piece, Problem
from tidegate.archive.errors import FormatError, excerpt

BLOCK_BYTES = 512
HEADER_BYTES_MAX = 2**20
"""A pax header or a long name."""
MEMBERS_MAX = 2_000_000

_PAX, _LONG_NAME, _LONG_LINK, _GLOBAL = b"x", b"L", b"K", b"g"
_REGULAR = frozenset({b"0", b"\0", b"7"})
_SKIPPED = frozenset({b"1", b"2", b"3", b"4", b"5", b"6", _GLOBAL})
_PAX_RECORD = re.compile(rb"([0-9]{1,7}) ")


class _Stream:
    """Chunks, taken by the byte."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._data = memoryview(b"")

    def upto(self, size: int) -> memoryview:
        """At most `size` bytes; none at the end."""
        while not self._data:
            chunk = next(self._chunks, None)
            if chunk is None:
                return memoryview(b"")
            self._data = memoryview(chunk)
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def exactly(self, size: int, *, keep: bool = True) -> bytes:
        """Raises FormatError where there are fewer. Without `keep` they are only passed over."""
        parts: list[bytes] = []
        while size:
            part = self.upto(size)
            if not part:
                raise FormatError("the archive ends too early")
            size -= len(part)
            if keep:
                parts.append(bytes(part))
        return b"".join(parts)


def members(chunks: Iterable[bytes], *, record_max: int, wanted: re.Pattern[str]) -> Iterator[Piece | Problem]:
    """The regular files whose names `wanted` matches, in the archive's order.

    A file larger than `record_max` bytes is a Problem, and passed over. Raises FormatError for what is no tar archive
    or ends too early.
    """
    stream = _Stream(chunks)
    for kind, path, length in _headers(stream):
        if kind not in _REGULAR:
            # Links and the like have a size, and nothing behind their header.
            _content(stream, length if kind == _GLOBAL else 0, keep=False)
        elif not wanted.search(path):
            _content(stream, length, keep=False)
        elif length > record_max:
            _content(stream, length, keep=False)
            yield Problem("", path, f"more than {record_max} bytes")
        else:
            yield Piece(path, _content(stream, length))


def _headers(stream: _Stream) -> Iterator[tuple[bytes, str, int]]:
    """Each member's kind, name and length, the headers that only lend those to the next one taken in."""
    name: str | None = None
    size: int | None = None
    for _ in range(MEMBERS_MAX):
        header = stream.exactly(BLOCK_BYTES)
        if not any(header):
            return
        _check(header)
        kind, length = header[156:157], _number(header[124:136])
        if kind in (_PAX, _LONG_NAME, _LONG_LINK):
            content = _extension(stream, length)
            if kind == _PAX:
                name, size = _pax(content, name, size)
            elif kind == _LONG_NAME:
                name = _text(content.rstrip(b"\0"))
        elif kind in _REGULAR or kind in _SKIPPED:
            yield kind, _name(header) if name is None else name, length if size is None else size
            name = size = None
        else:
            raise FormatError(f"a member of an unknown kind: {excerpt(kind)}")
    raise FormatError(f"more than {MEMBERS_MAX} files")


def _extension(stream: _Stream, length: int) -> bytes:
    if length > HEADER_BYTES_MAX:
        raise FormatError(f"a header of more than {HEADER_BYTES_MAX} bytes")
    return _content(stream, length)


def _content(stream: _Stream, length: int, *, keep: bool = True) -> bytes:
    content = stream.exactly(length, keep=keep)
    stream.exactly(-length % BLOCK_BYTES, keep=False)
    return content


def _check(header: bytes) -> None:
    """The header's sum, in which its own field counts as blanks."""
    if sum(header) - sum(header[148:156]) + 8 * 0x20 != _number(header[148:156]):
        raise FormatError("no tar archive, or a damaged one")


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form for what is larger."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if re.fullmatch(rb"[0-7]*", digits) is None:
        raise FormatError(f"no number in a tar header: {excerpt(field)}")
    return int(digits or b"0", 8)


def _name(header: bytes) -> str:
    name = header[:100].rstrip(b"\0")
    prefix = header[345:500].rstrip(b"\0") if header[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _pax(content: bytes, name: str | None, size: int | None) -> tuple[str | None, int | None]:
    """The path and size that a pax header gives, or those that were known."""
    at = 0
    while at < len(content):
        length = _PAX_RECORD.match(content, at)
        end = at + int(length[1]) if length else 0
        if length is None or not length.end() < end <= len(content) or content[end - 1 : end] != b"\n":
            raise FormatError("a pax header that cannot be read")
        key, _, value = content[length.end() : end - 1].partition(b"=")
        if key == b"path":
            name = _text(value)
        elif key == b"size":
            if re.fullmatch(rb"[0-9]{1,15}", value) is None:
                raise FormatError(f"no size in a pax header: {excerpt(value)}")
            size = int(value)
        at = end
    return name, size


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
