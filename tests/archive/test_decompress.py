"""Decompression is exact, bounded in output and memory, and knows an end from a cut."""

import bz2
import gzip
import lzma
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import cut, refusal
from tidegate.archive.decompress import decompressed
from tidegate.archive.errors import FormatError

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}
CONCATENABLE = sorted(set(COMPRESSORS) - {".lzma"})
TEXT = b"".join(b"Package: name-%d\nSize: %d\n\n" % (number, number**3) for number in range(5_000))

endings = st.sampled_from(sorted(COMPRESSORS))


def content(packed: bytes | list[bytes], ending: str, size_max: int = 2**30, **limits: int) -> bytes:
    chunks = [packed] if isinstance(packed, bytes) else packed
    return b"".join(decompressed(chunks, f"main/Packages{ending}", size_max=size_max, **limits))


@given(endings, st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=6))
def test_what_was_compressed_comes_back_whatever_the_chunks(ending: str, data: bytes, ends: list[int]) -> None:
    packed = COMPRESSORS[ending](data)
    assert content(cut(packed, ends), ending, size_max=len(data)) == data


@pytest.mark.parametrize("ending", sorted(COMPRESSORS))
def test_single_bytes_and_single_megabytes_give_the_same(ending: str) -> None:
    packed = COMPRESSORS[ending](TEXT)
    assert content(packed, ending) == TEXT
    assert content([packed[i : i + 1] for i in range(len(packed))], ending) == TEXT


@pytest.mark.parametrize("name", ["Packages", "Contents-amd64", "Components-amd64.yml", "icons.tar", "x.diff/Index"])
def test_file_of_no_known_ending_is_its_own_content(name: str) -> None:
    assert list(decompressed([b"a", b"b"], name, size_max=2)) == [b"a", b"b"]
    assert list(decompressed([], name, size_max=0)) == []


@pytest.mark.parametrize("ending", CONCATENABLE)
def test_members_after_one_another_are_one_file(ending: str) -> None:
    compress = COMPRESSORS[ending]
    packed = compress(TEXT) + compress(b"") + compress(b"end")
    assert content(packed, ending) == TEXT + b"end"
    assert content([packed[i : i + 7] for i in range(0, len(packed), 7)], ending) == TEXT + b"end"


@pytest.mark.parametrize("ending", CONCATENABLE)
def test_many_small_members_in_one_chunk_take_linear_time(ending: str) -> None:
    assert content(COMPRESSORS[ending](b"x") * 20_000, ending) == b"x" * 20_000


@pytest.mark.parametrize("ending", sorted(COMPRESSORS))
def test_file_that_is_cut_short_anywhere_is_refused(ending: str) -> None:
    packed = COMPRESSORS[ending](TEXT[:500])
    for length in range(len(packed)):
        with pytest.raises(FormatError):
            content(packed[:length], ending)


@pytest.mark.parametrize("ending", CONCATENABLE)
def test_second_member_that_is_cut_short_is_refused(ending: str) -> None:
    packed = COMPRESSORS[ending](b"data" * 20)
    for length in range(1, len(packed)):
        with pytest.raises(FormatError):
            content(packed + packed[:length], ending)


@pytest.mark.parametrize("ending", sorted(COMPRESSORS))
@pytest.mark.parametrize("garbage", [b"\0", b"x", b"\0" * 4, b"garbage behind the end" * 100])
def test_anything_behind_the_end_is_refused(ending: str, garbage: bytes) -> None:
    packed = COMPRESSORS[ending](TEXT[:500])
    for chunks in ([packed + garbage], [packed, garbage]):
        with pytest.raises(FormatError):
            content(chunks, ending)


def test_lzma_holds_one_member_only() -> None:
    packed = COMPRESSORS[".lzma"](b"data")
    with pytest.raises(FormatError, match="behind the end"):
        content(packed + packed, ".lzma")


@given(endings, st.binary(max_size=200), st.integers(0, 200), st.binary(max_size=4))
def test_any_damage_is_harmless_or_a_format_error(ending: str, data: bytes, at: int, damage: bytes) -> None:
    packed = COMPRESSORS[ending](data)
    damaged = packed[:at] + damage + packed[at + len(damage) :]
    for read in (
        lambda: content(data, ending, size_max=2**20, memory_max=2**24),
        lambda: content(damaged, ending, size_max=2**20, memory_max=2**24),
    ):
        said = refusal(read)
        assert not said or said.startswith(f"main/Packages{ending}: ")


@pytest.mark.parametrize("ending", ["", *sorted(COMPRESSORS)])
def test_content_beyond_the_limit_is_never_handed_out(ending: str) -> None:
    packed = COMPRESSORS.get(ending, bytes)(TEXT)
    assert content(packed, ending, size_max=len(TEXT)) == TEXT
    seen: list[bytes] = []
    with pytest.raises(FormatError, match="bytes of content"):
        seen.extend(decompressed([packed], f"Packages{ending}", size_max=len(TEXT) - 1))
    assert sum(map(len, seen)) < len(TEXT)


def zeros(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(2**20)


def bomb(ending: str, megabytes: int) -> bytes:
    match ending:
        case ".bz2":
            bz2_ = bz2.BZ2Compressor()
            return b"".join(bz2_.compress(piece) for piece in zeros(megabytes)) + bz2_.flush()
        case ".xz":
            xz = lzma.LZMACompressor(preset=1)
            return b"".join(xz.compress(piece) for piece in zeros(megabytes)) + xz.flush()
        case ".zst":
            zst = zstandard.ZstdCompressor().compressobj()
            return b"".join(zst.compress(piece) for piece in zeros(megabytes)) + zst.flush()
        case _:
            return gzip.compress(bytes(megabytes * 2**20), 9)


@pytest.mark.parametrize("ending", CONCATENABLE)
def test_bomb_is_defused_at_the_limit_without_filling_memory(ending: str) -> None:
    packed = bomb(ending, 80)
    assert len(packed) < 2**20
    tracemalloc.start()
    with pytest.raises(FormatError, match="bytes of content"):
        deque(decompressed([packed], f"Packages{ending}", size_max=64 * 2**20), maxlen=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 * 2**20


def test_dictionary_beyond_the_memory_limit_is_refused() -> None:
    big = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**27}]
    window = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    zst = zstandard.ZstdCompressor(compression_params=window).compressobj()
    packed = {
        ".xz": lzma.compress(b"small", filters=big),
        ".lzma": lzma.compress(
            b"small", format=lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 2**27}]
        ),
        ".zst": zst.compress(b"small") + zst.flush(),
    }
    for ending, data in packed.items():
        assert content(data, ending, memory_max=2**28) == b"small"
        with pytest.raises(FormatError, match=r"[Mm]emory"):
            content(data, ending)


def test_largest_presets_of_the_usual_tools_are_read() -> None:
    assert content(lzma.compress(TEXT, preset=9), ".xz") == TEXT
    assert content(zstandard.ZstdCompressor(level=19).compress(TEXT), ".zst") == TEXT


def test_failure_of_the_source_is_not_taken_for_damage() -> None:
    def failing() -> Iterator[bytes]:
        yield gzip.compress(TEXT)[:100]
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(decompressed(failing(), "Packages.gz", size_max=2**20))


def test_lz4_is_refused_rather_than_taken_for_plain() -> None:
    with pytest.raises(FormatError, match="lz4"):
        content(b"", ".lz4")
