"""Sources: every file of every source package, under the rules of Packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, cut, digests, nearly, paths, refusal, segments, sizes, words
from tidegate.archive import blocks, source_index
from tidegate.archive.deb822 import stanzas
from tidegate.archive.errors import BadPath, FormatError, WeakDigests
from tidegate.archive.source_index import SourceFile, parse_sources

REAL = (DATA / "archive/bookworm.Sources").read_bytes()
DIGEST = "ab" * 32


def stanza(directory: str | None = "pool/a", file: str = "a_1.dsc", *, more: str = "") -> bytes:
    place = f"Directory: {directory}\n" if directory is not None else ""
    return f"Package: a\nVersion: 1\n{place}Checksums-Sha256:\n {DIGEST} 3 {file}\n{more}\n".encode()


def test_sources_of_debian_are_what_the_strict_reader_sees() -> None:
    expected = [
        SourceFile(
            f"{fields['directory']}/{name}",
            bytes.fromhex(digest),
            int(size),
            fields["package"],
            fields["version"],
        )
        for fields in stanzas(REAL)
        for digest, size, name in (line.split() for line in fields["checksums-sha256"].split("\n")[1:])
    ]
    assert list(parse_sources([REAL])) == expected
    assert len(expected) > 24


@given(st.lists(st.integers(0, len(REAL)), max_size=8))
def test_chunks_may_end_anywhere(ends: list[int]) -> None:
    assert list(parse_sources(cut(REAL, ends))) == list(parse_sources([REAL]))


@given(words, words, paths, st.lists(st.tuples(segments, digests, sizes), max_size=4))
def test_sources_that_were_written_are_read_again(
    name: str, version: str, directory: str, files: list[tuple[str, bytes, int]]
) -> None:
    rows = "".join(f"\n {digest.hex()} {size} {file}" for file, digest, size in files)
    data = f"Package: {name}\nVersion: {version}\nDirectory: {directory}\nChecksums-Sha256:{rows}\n"
    assert list(parse_sources([data.encode()])) == [
        SourceFile(f"{directory}/{file}", digest, size, name, version) for file, digest, size in files
    ]


@given(st.binary(max_size=300) | nearly(REAL[:4000]))
def test_any_bytes_give_files_or_a_format_error(data: bytes) -> None:
    def read() -> None:
        for file in parse_sources([data]):
            assert len(file.sha256) == 32
            assert ".." not in file.path.split("/")

    assert refusal(read).isprintable()


lines = st.sampled_from(
    [
        *("Package: a", "package: b", "Package-List:", "Package: a b", "Version: 1", "VERSION: 2", "Vcs-Git: v"),
        *("Directory: pool/a", "directory: b", "Directory: .", "Directory: ../a", "Dgit: d", "Checksums-Sha1:"),
        *("Checksums-Sha256:", f"Checksums-Sha256:\n {DIGEST} 3 b", f"checksums-sha256:\n {DIGEST} 3 c"),
        *(f" {DIGEST} 3 d.dsc", f"\t{DIGEST}  4\te ", f" {DIGEST} 3", " more", " ", "Files:", "no field"),
    ]
)
needed = ["Package: p", "Version: 1", "Directory: pool", f"Checksums-Sha256:\n {DIGEST} 3 a.dsc"]


stanza_lines = st.lists(lines, max_size=9, unique=True) | st.lists(lines, max_size=4, unique=True).flatmap(
    lambda more: st.permutations(needed + more)
)


@given(stanza_lines)
def test_fast_way_takes_only_what_the_strict_reader_takes_and_reads_the_same(chosen: list[str]) -> None:
    block = "\n".join(chosen).encode() + b"\n\n"
    match = source_index._STANZA.match(block)
    if match is None or not all(match.groups()):
        return
    strict, _, end = blocks.read_one(block, 0)
    assert strict is not None
    assert match.end() == end
    for field, value in zip(source_index._FIELDS, match.groups(), strict=True):
        fast = value.decode().split("\n")
        assert [row.strip() for row in fast] == [row.strip() for row in strict[field].split("\n")]


@pytest.mark.parametrize(
    ("directory", "path"),
    [(".", "a_1.dsc"), ("./", "a_1.dsc"), ("", "a_1.dsc"), ("pool/a/", "pool/a/a_1.dsc"), ("./x", "x/a_1.dsc")],
)
def test_directory_is_joined_as_repositories_write_it(directory: str, path: str) -> None:
    assert [file.path for file in parse_sources([stanza(directory)])] == [path]


@pytest.mark.parametrize("directory", ["..", "/pool", "pool/../..", "pool//a", "pool/%2e%2e", "pool\\a", "/"])
def test_bad_directory_refuses_the_whole_index(directory: str) -> None:
    with pytest.raises(BadPath):
        list(parse_sources([stanza() + stanza(directory)]))


@pytest.mark.parametrize("file", ["../a", "b/a", "..", ".", "/a", "a%2fb"])
def test_file_that_is_not_in_its_directory_refuses_the_whole_index(file: str) -> None:
    with pytest.raises(BadPath):
        list(parse_sources([stanza(file=file)]))


def test_source_without_sha256_is_weak() -> None:
    data = f"Package: a\nVersion: 1\nDirectory: d\nFiles:\n {'ab' * 16} 3 a_1.dsc\n"
    with pytest.raises(WeakDigests):
        list(parse_sources([data.encode()]))


@pytest.mark.parametrize("field", ["Package: a\n", "Version: 1\n", "Directory: pool/a\n"])
def test_field_that_is_missing_or_there_twice_refuses_the_index(field: str) -> None:
    for data in (stanza().replace(field.encode(), b""), stanza(more=field), stanza(more=field.lower())):
        with pytest.raises(FormatError):
            list(parse_sources([data]))


@pytest.mark.parametrize("line", [f"{DIGEST} 3", f"{DIGEST} x a", f"{DIGEST}0 3 a", f"{DIGEST} 3 a b", "é"])
def test_checksum_of_another_form_refuses_the_index(line: str) -> None:
    data = f"Package: a\nVersion: 1\nDirectory: d\nChecksums-Sha256:\n {line}\n".encode()
    with pytest.raises(FormatError):
        list(parse_sources([data]))
