"""Compressions of indices, and bombs made of them, with Python's own modules and not with Tidegate's."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import zstandard

ENDINGS = ("", "gz", "xz", "zst", "bz2", "lzma")
BOMB_BLOCK_BYTES = 1 << 20


def _gz(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


def _xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=1)


def _zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(data)


def _lzma(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE, preset=1)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": _gz,
    "xz": _xz,
    "zst": _zst,
    "bz2": bz2.compress,
    "lzma": _lzma,
}


def compressed(data: bytes, ending: str) -> bytes:
    """`data` as the file with this ending holds it; the same input gives the same bytes."""
    return COMPRESSORS[ending](data)


def decompressed(data: bytes, name: str) -> bytes:
    """The inverse by file name; unbounded, since the simulator made the data."""
    match name.rpartition(".")[2]:
        case "gz":
            return gzip.decompress(data)
        case "xz" | "lzma":
            return lzma.decompress(data)
        case "bz2":
            return bz2.decompress(data)
        case "zst":
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
                return bytes(stream.read())
        case _:
            return data


def with_ending(path: str, ending: str) -> str:
    """`Packages` and `xz` make `Packages.xz`."""
    return f"{path}.{ending}" if ending else path


def bomb(ending: str, size_bytes: int) -> bytes:
    """A small file that decompresses to `size_bytes` of newlines: no stanza, only volume."""
    block = b"\n" * BOMB_BLOCK_BYTES
    count = max(1, size_bytes // BOMB_BLOCK_BYTES)
    match ending:
        case "xz":
            compressor = lzma.LZMACompressor(preset=1)
            return b"".join(compressor.compress(block) for _ in range(count)) + compressor.flush()
        case "zst":
            stream = zstandard.ZstdCompressor(level=3).compressobj()
            return b"".join(stream.compress(block) for _ in range(count)) + stream.flush()
        case "gz":
            member = gzip.compress(block, mtime=0)
            return member * count
        case "bz2":
            return bz2.compress(block) * count
        case _:
            raise ValueError(f"no bomb for {ending!r}")
