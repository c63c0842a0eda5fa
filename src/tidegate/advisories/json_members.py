"""Cut one large JSON document into its members, without reading what is in them.

A member is a value two levels below the top (`{"bash": {"CVE-2014-6271": {…}}}`, `{"vulnerabilities": [{…}]}`), or a
plain value one level below. It is cut out by its brackets and quotes alone, so that one that is too deep, too large
or no JSON inside spoils no other. The document's own two levels have to be right: a torn document is refused.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum

import msgspec

from tidegate.advisories.statement import Piece, Problem
from tidegate.archive.errors import FormatError, excerpt

RECORD_BYTES_MAX = 64 * 2**20
"""One record; a kernel CVE's OpenVEX document takes some 20 MB."""
TOKEN_BYTES_MAX = 4096
"""A key, a number, `null`: what stands between members."""
LEVELS = 2
_SLICE_BYTES = 2**16

# Possessive, since what is no whole string here would be tried again from each of its bytes.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SHALLOW = re.compile(rb"[{}\[\],:]|" + _STRING + rb'|[^\s{}\[\],:"]+|"', re.DOTALL)
_INSIDE = re.compile(rb"[{}\[\]]|" + _STRING + rb'|"', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}


class _Next(Enum):
    """What may come."""

    KEY_OR_END = "a key or an end"
    KEY = "a key"
    COLON = "a colon"
    VALUE_OR_END = "a value or an end"
    VALUE = "a value"
    COMMA_OR_END = "a comma or an end"
    NOTHING = "nothing more"


def members(chunks: Iterable[bytes], *, record_max: int = RECORD_BYTES_MAX) -> Iterator[Piece | Problem]:
    """The members of a JSON document, in its order; their names are their keys (or places), joined by `/`.

    A member larger than `record_max` bytes is a Problem; no more than that is ever held. Raises FormatError where the
    two levels themselves are wrong, or end too early: what was handed out before then has to be dropped.
    """
    scanner = _Scanner(record_max)
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE_BYTES):
            yield from scanner.feed(chunk[start : start + _SLICE_BYTES])
    scanner.end()


class _Scanner:
    """The state between two slices of the document."""

    def __init__(self, record_max: int) -> None:
        self._record_max = record_max
        self._next = _Next.VALUE
        self._open: list[bytes] = []
        self._keys: list[bytes | int] = []
        self._left = b""
        # The member that we are in: its bytes, how many, its open brackets.
        self._member: list[bytes] = []
        self._size = 0
        self._inside = 0
        self._in_string = False
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Piece | Problem]:
        data, self._left = self._left + data, b""
        at = 0
        while at < len(data):
            if self._in_string:
                at = self._string(data, at)
            elif self._inside:
                at = self._inner(data, at)
            else:
                at = self._shallow(data, at)
            if self._ended:
                self._ended = False
                yield self._cut()

    def end(self) -> None:
        """Raises FormatError if the document is not complete."""
        if self._next is not _Next.NOTHING or self._left:
            raise FormatError("the document ends too early")

    # Within a member.

    def _string(self, data: bytes, at: int) -> int:
        found = _REST_OF_STRING.match(data, at)
        if found is None:
            return self._hold(data, at)
        self._in_string = False
        self._ended = not self._inside
        return self._take(data, at, found.end())

    def _hold(self, data: bytes, at: int) -> int:
        """A string goes on behind the data: take it all, but for a backslash whose partner is still to come."""
        text = data[at:]
        end = len(data) - (len(text) - len(text.rstrip(b"\\"))) % 2
        self._left = data[end:]
        self._take(data, at, end)
        return len(data)

    def _inner(self, data: bytes, at: int) -> int:
        for found in _INSIDE.finditer(data, at):
            token = found[0]
            if token == b'"':
                self._in_string = True
                self._take(data, at, found.end())
                return self._hold(data, found.end())
            if token in (b"{", b"["):
                self._inside += 1
            elif token in (b"}", b"]"):
                self._inside -= 1
                if not self._inside:
                    self._ended = True
                    return self._take(data, at, found.end())
        return self._take(data, at, len(data))

    def _take(self, data: bytes, at: int, end: int) -> int:
        """Bytes of the member; of one that is too large only their number is kept."""
        self._size += end - at
        if self._size > self._record_max:
            self._member = []
        else:
            self._member.append(data[at:end])
        return end

    def _cut(self) -> Piece | Problem:
        """The member that has just ended."""
        member, size = b"".join(self._member), self._size
        self._member, self._size = [], 0
        name = "/".join(_text(key) for key in self._keys)
        self._value_ended()
        if size > self._record_max:
            return Problem(name, name, f"more than {self._record_max} bytes")
        return Piece(name, member)

    # Between members.

    def _shallow(self, data: bytes, at: int) -> int:
        found = _SHALLOW.search(data, at)
        if found is None:
            return len(data)
        token, at = found[0], found.end()
        if token in (b",", b":"):
            self._separator(token)
        elif token in (b"}", b"]"):
            self._close(token)
        elif self._next in (_Next.VALUE, _Next.VALUE_OR_END):
            return self._value(data, found)
        elif self._next in (_Next.KEY, _Next.KEY_OR_END) and token[:1] == b'"':
            if token == b'"':
                return self._wait(data, found.start())
            if len(token) > TOKEN_BYTES_MAX:
                raise FormatError(f"a key of more than {TOKEN_BYTES_MAX} bytes")
            self._keys[-1] = token
            self._next = _Next.COLON
        else:
            raise self._unexpected(token)
        return at

    def _value(self, data: bytes, found: re.Match[bytes]) -> int:
        token = found[0]
        container = token in (b"{", b"[")
        if container and len(self._open) < LEVELS:
            self._open.append(token)
            self._keys.append(b"" if token == b"{" else 0)
            self._next = _Next.KEY_OR_END if token == b"{" else _Next.VALUE_OR_END
            return found.end()
        if not self._open:
            raise self._unexpected(token)
        if container:
            self._inside = 1
        elif token == b'"':
            self._in_string = True
            self._take(data, found.start(), found.end())
            return self._hold(data, found.end())
        elif found.end() == len(data) and token[:1] != b'"':
            return self._wait(data, found.start())
        else:
            self._ended = True
        return self._take(data, found.start(), found.end())

    def _wait(self, data: bytes, at: int) -> int:
        """A key or a plain word goes on behind the data."""
        if len(data) - at > TOKEN_BYTES_MAX:
            raise FormatError(f"a key or a word of more than {TOKEN_BYTES_MAX} bytes")
        self._left = data[at:]
        return len(data)

    def _separator(self, token: bytes) -> None:
        if token == b":" and self._next is _Next.COLON:
            self._next = _Next.VALUE
        elif token == b"," and self._next is _Next.COMMA_OR_END:
            self._next = _Next.KEY if self._open[-1] == b"{" else _Next.VALUE
        else:
            raise self._unexpected(token)

    def _close(self, token: bytes) -> None:
        may_end = self._next in (_Next.KEY_OR_END, _Next.VALUE_OR_END, _Next.COMMA_OR_END)
        if not may_end or _CLOSING[self._open[-1]] != token:
            raise self._unexpected(token)
        self._open.pop()
        self._keys.pop()
        self._value_ended()

    def _value_ended(self) -> None:
        if self._keys and isinstance(place := self._keys[-1], int):
            self._keys[-1] = place + 1
        self._next = _Next.COMMA_OR_END if self._open else _Next.NOTHING

    def _unexpected(self, token: bytes) -> FormatError:
        return FormatError(f"{excerpt(token)} where {self._next.value} should be")


def _text(key: bytes | int) -> str:
    """A key as text; one that is none is shown, and no feed's parser takes it for a name."""
    if isinstance(key, int):
        return str(key)
    try:
        return msgspec.json.decode(key, type=str)
    except (msgspec.MsgspecError, UnicodeError):
        return excerpt(key)
