"""A pdiff's Index: what can be downloaded, and what it must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, digests, nearly, refusal, segments, sizes
from tidegate.archive.errors import BadPath, FormatError, WeakDigests
from tidegate.archive.pdiff import Patch, parse_pdiff_index

REAL = (DATA / "archive/sid.Packages.diff.Index").read_bytes()
DIGEST = "ab" * 32


def test_index_of_debian_names_its_compressed_patches() -> None:
    patches = parse_pdiff_index(REAL)
    assert len(patches) == 8
    assert patches[0] == Patch(
        "T-2026-10-30-0800.52-F-2026-10-16-0808.02.gz",
        bytes.fromhex("91370b4e84105a8f9d500c5433861074533070b490435f35b97da963e2cdf8a3"),
        1180949,
    )


@given(st.dictionaries(segments, st.tuples(digests, sizes), max_size=8))
def test_patches_that_were_written_are_read_again(patches: dict[str, tuple[bytes, int]]) -> None:
    rows = "".join(f" {digest.hex()} {size} {name}\n" for name, (digest, size) in patches.items())
    read = parse_pdiff_index(f"SHA256-Download:\n{rows}".encode())
    assert read == tuple(Patch(name, digest, size) for name, (digest, size) in patches.items())


@given(st.binary(max_size=300) | nearly(REAL))
def test_any_bytes_give_patches_or_a_format_error(data: bytes) -> None:
    def read() -> None:
        assert all("/" not in patch.path for patch in parse_pdiff_index(data))

    assert refusal(read).isprintable()


def test_index_that_vouches_for_no_download_is_weak() -> None:
    with pytest.raises(WeakDigests):
        parse_pdiff_index(f"SHA1-Download:\n {'ab' * 20} 1 a.gz\n".encode())


@pytest.mark.parametrize("name", ["../a.gz", "a/b.gz", "..", "/a.gz", "a%2f.gz", "./a.gz"])
def test_patch_outside_its_directory_refuses_the_index(name: str) -> None:
    with pytest.raises(BadPath):
        parse_pdiff_index(f"SHA256-Download:\n {DIGEST} 1 {name}\n".encode())


def test_two_digests_for_one_patch_are_refused() -> None:
    line = f" {DIGEST} 1 a.gz\n"
    assert len(parse_pdiff_index(f"SHA256-Download:\n{line}{line}".encode())) == 1
    with pytest.raises(FormatError, match="two digests"):
        parse_pdiff_index(f"SHA256-Download:\n{line} {DIGEST} 2 a.gz\n".encode())


def test_index_with_too_many_patches_is_refused() -> None:
    rows = "".join(f" {DIGEST} 1 {number}.gz\n" for number in range(10_001))
    with pytest.raises(FormatError, match="more than"):
        parse_pdiff_index(f"SHA256-Download:\n{rows}".encode())
