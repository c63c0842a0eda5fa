"""Decompression of what nobody has vouched for yet: bounded in output, in memory, and strict about the end.

An archive's indices are compressed before they are signed for, so a decompressor runs on bytes whose digest is
known; but a hostile archive signs its bombs as well.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

import zstandard

from tidegate.archive.errors import FormatError

MEMORY_BYTES_MAX = 72 * 2**20
"""What a dictionary may take: that of `xz -9` has 64 MiB and some tables; real indices need 8 to 12 MiB."""
OUTPUT_BYTES_MAX = 2**20
"""One piece of output, so that a bomb's next blow is never large (zstd: see _ZSTD_SLICE_BYTES)."""
_INPUT_SLICE_BYTES = 2**16
# zstandard cannot stop in mid-input. Four bytes of zstd make a block of at most 128 KiB, so this slice 8 MiB.
_ZSTD_SLICE_BYTES = 2**8


class _Decoder(Protocol):
    """One member of a compressed file, in the manner of `bz2` and `lzma`."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decoder behind the others' face."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        output = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        self.needs_input = not self._decoder.unconsumed_tail and len(output) < max_length
        return output


class _Zstd:
    """zstandard's decoder behind the others' face, fed slice by slice since it cannot bound its output."""

    def __init__(self, memory_max: int) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=memory_max).decompressobj()
        self._waiting = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data + bytes(self._waiting)

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        waiting = memoryview(data) if data else self._waiting
        output: list[bytes] = []
        produced = 0
        while waiting and produced < max_length and not self._decoder.eof:
            output.append(self._decoder.decompress(waiting[:_ZSTD_SLICE_BYTES]))
            produced += len(output[-1])
            waiting = waiting[_ZSTD_SLICE_BYTES:]
        self._waiting = waiting
        return b"".join(output)


@dataclass(frozen=True, slots=True)
class _Codec:
    decoder: Callable[[int], _Decoder]
    """Makes the decoder of one member, given the memory it may take, in bytes."""
    members_max: int | None = None


_CODECS: dict[str, _Codec] = {
    ".gz": _Codec(lambda _: _Gzip()),
    ".xz": _Codec(lambda memory_max: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory_max)),
    ".zst": _Codec(_Zstd),
    ".bz2": _Codec(lambda _: bz2.BZ2Decompressor()),
    ".lzma": _Codec(lambda memory_max: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=memory_max), members_max=1),
}
_UNREADABLE = frozenset({".lz4", ".Z", ".lz"})


def decompressed(
    chunks: Iterable[bytes], name: str, *, size_max: int, memory_max: int = MEMORY_BYTES_MAX
) -> Iterator[bytes]:
    """The content of a file, by its name's ending: `.gz`, `.xz`, `.zst`, `.bz2`, `.lzma`, or as it is.

    Several members after one another are one file, as their tools have it (xz's padding between them is not
    taken). `size_max` bounds the whole content, `memory_max` the decompressor's dictionary, in bytes. Raises
    FormatError, before the piece that goes too far is handed out, for content beyond `size_max`, a dictionary
    beyond `memory_max`, damage, a truncated or empty file, anything behind the last member, and `.lz4`.
    """
    ending = PurePosixPath(name).suffix
    if ending in _UNREADABLE:
        raise FormatError(f"compressed with {ending}, which is not read here", name)
    codec = _CODECS.get(ending)
    produced = 0
    for piece in chunks if codec is None else _content(chunks, codec, name, memory_max):
        produced += len(piece)
        if produced > size_max:
            raise FormatError(f"more than {size_max} bytes of content", name)
        yield piece


def _content(chunks: Iterable[bytes], codec: _Codec, name: str, memory_max: int) -> Iterator[bytes]:
    decoder = codec.decoder(memory_max)
    members = 0
    inside = False
    for data in _slices(chunks):
        while data or not decoder.needs_input:
            if not inside and members == codec.members_max:
                raise FormatError("bytes behind the end", name)
            piece = _decode(decoder, data, name)
            data, inside = b"", True
            if piece:
                yield piece
            if decoder.eof:
                data, inside = decoder.unused_data, False
                decoder = codec.decoder(memory_max)
                members += 1
    if inside or not members:
        raise FormatError("truncated", name)


def _slices(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The input in small pieces: what is left behind a member's end is copied, at each member's end."""
    for chunk in chunks:
        for start in range(0, len(chunk), _INPUT_SLICE_BYTES):
            yield chunk[start : start + _INPUT_SLICE_BYTES]


def _decode(decoder: _Decoder, data: bytes, name: str) -> bytes:
    try:
        return decoder.decompress(data, OUTPUT_BYTES_MAX)
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError) as error:
        raise FormatError(f"cannot be decompressed: {error}", name) from None
