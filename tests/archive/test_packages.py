"""Packages: whole, in any chunks, bounded, and refused as a whole where one stanza is not as it must be."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, cut, digests, fewer, nearly, paths, refusal, sizes, words
from tidegate.archive import blocks, packages
from tidegate.archive.deb822 import stanzas
from tidegate.archive.errors import BadPath, FormatError, WeakDigests
from tidegate.archive.packages import Package, parse_packages

REAL = (DATA / "archive/bookworm.Packages").read_bytes()
DIGEST = "ab" * 32
FIELDS = {
    "Package": "a",
    "Version": "1:1.0-1",
    "Architecture": "amd64",
    "Filename": "pool/main/a/a_1.0-1_amd64.deb",
    "Size": "12",
    "SHA256": DIGEST,
}
EXPECTED = Package("pool/main/a/a_1.0-1_amd64.deb", bytes.fromhex(DIGEST), 12, "a", "1:1.0-1", "amd64", "a", "1:1.0-1")


def stanza(**changes: str | None) -> bytes:
    fields: dict[str, str | None] = {**FIELDS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None).encode() + b"\n"


def test_packages_of_debian_are_what_the_strict_reader_sees() -> None:
    read = list(parse_packages([REAL]))
    assert len(read) == 47
    for package, fields in zip(read, stanzas(REAL), strict=True):
        source, _, source_version = fields.get("source", package.name).partition(" ")
        assert package == Package(
            path=fields["filename"],
            sha256=bytes.fromhex(fields["sha256"]),
            size=int(fields["size"]),
            name=fields["package"],
            version=fields["version"],
            architecture=fields["architecture"],
            source=source,
            source_version=source_version.strip("()") or fields["version"],
        )
    assert any(package.source != package.name for package in read)
    assert any(package.source_version != package.version for package in read)


def test_real_stanzas_take_the_fast_way() -> None:
    (block,) = blocks.blocks([REAL])
    position = count = 0
    while match := packages._STANZA.match(block, position):
        position, count = match.end(), count + 1
    assert (position, count) == (len(block), 47)


@given(st.lists(st.integers(0, len(REAL)), max_size=8), st.integers(0, 2))
def test_chunks_may_end_anywhere(ends: list[int], trailing: int) -> None:
    data = REAL.rstrip(b"\n") + b"\n" * trailing
    assert list(parse_packages(cut(data, ends))) == list(parse_packages([REAL]))


def test_chunks_of_one_byte_give_the_same_packages() -> None:
    data = REAL * 8
    assert list(parse_packages(data[i : i + 1] for i in range(len(data)))) == list(parse_packages([REAL])) * 8


@fewer
@given(st.lists(st.tuples(paths, digests, sizes, words, words, words, words), max_size=5))
def test_packages_that_were_written_are_read_again(
    rows: list[tuple[str, bytes, int, str, str, str, str]],
) -> None:
    written = b"".join(
        stanza(
            Package=name,
            Version=version,
            Source=f"{source} ({source_version})",
            Filename=f"./{path}",
            Size=str(size),
            SHA256=digest.hex(),
        )
        for path, digest, size, name, version, source, source_version in rows
    )
    assert list(parse_packages([written])) == [
        Package(path, digest, size, name, version, "amd64", source, source_version)
        for path, digest, size, name, version, source, source_version in rows
    ]


@given(st.binary(max_size=300) | nearly(REAL[:4000]))
def test_any_bytes_give_packages_or_a_format_error(data: bytes) -> None:
    def read() -> None:
        for package in parse_packages([data]):
            assert len(package.sha256) == 32
            assert not package.path.startswith("/")
            assert ".." not in package.path.split("/")

    assert refusal(read).isprintable()


lines = st.sampled_from(
    [
        *("Package: a", "Package: b", "package: c", "Package:d", "Package: a b", "Package:"),
        *("Version: 1", "Version:\t2 ", "VERSION: 3", "Architecture: all", "architecture: any"),
        *("Source: s", "Source: s (1:2-3)", "Source: s  (4)", "Source: s ()", "source: t", "Source: s(1)"),
        *("Filename: pool/a.deb", "Filename: ./b.deb", "filename: c.deb", "Filename: d e.deb", "Filename: é.deb"),
        *("Filename: ../a", "Filename: /a", "Filename: a//b", "Filename: a%2eb", "Filename: " + "a" * 300),
        *("Filename: " + "a/" * 200 + "b", "Filename: pool/a%3ab.deb", "Filename: .hidden/a.deb", "Filename:"),
        *("Size: 1", "Size: 99999999999", "Size: -1", "size: 2", "Size: 68719476737", "Size: 1 "),
        *(f"SHA256: {DIGEST}", f"SHA256: {DIGEST.upper()}", f"sha256: {DIGEST}", f"SHA256: {DIGEST}0", "SHA256:"),
        *("Description: text", " more", "\tmore", " ", "Pre-Depends: d"),
        *("Tag: x", "Section: s", "no field", "Sizes: 3", "Filenames: x"),
    ]
)
needed = [f"{name}: {value}" for name, value in FIELDS.items()]


stanza_lines = st.lists(lines, max_size=9, unique=True) | st.lists(lines, max_size=4, unique=True).flatmap(
    lambda more: st.permutations(needed + more)
)


@given(stanza_lines)
def test_fast_way_takes_only_what_the_strict_reader_takes_and_reads_the_same(chosen: list[str]) -> None:
    block = "\n".join(chosen).encode() + b"\n\n"
    match = packages._STANZA.match(block)
    fast = packages._from_match(match) if match else None
    if fast is None:
        return
    fields, where, end = blocks.read_one(block, 0)
    assert fields is not None
    assert (fast, end) == (packages._from_fields(fields, where), len(block))


def test_order_of_fields_does_not_matter() -> None:
    reverse = "".join(f"{name}: {FIELDS[name]}\n" for name in reversed(FIELDS)).encode()
    assert list(parse_packages([reverse])) == [EXPECTED]


def test_field_names_are_compared_without_case() -> None:
    lower = "".join(f"{name.lower()}: {value}\n" for name, value in FIELDS.items()).encode()
    assert list(parse_packages([lower])) == [EXPECTED]


def test_flat_repositorys_file_name_loses_its_dot() -> None:
    assert [package.path for package in parse_packages([stanza(Filename="./x.deb")])] == ["x.deb"]


def test_escape_in_a_file_name_stays_as_it_is_on_disk() -> None:
    (package,) = parse_packages([stanza(Filename="pool/a_1%3a2.deb")])
    assert package.path == "pool/a_1%3a2.deb"


def test_latin_1_in_a_field_that_is_passed_over_does_no_harm() -> None:
    data = stanza(Maintainer="M").replace(b"M\n", b"Andr\xe9\n")
    assert list(parse_packages([data])) == [EXPECTED]


def test_empty_index_and_one_of_empty_lines_have_no_packages() -> None:
    for data in (b"", b"\n", b"\n\n\n\n\n"):
        assert list(parse_packages([data])) == []


def test_empty_lines_are_passed_over_all_at_once() -> None:
    """One by one they cost the time of a stanza each: a minute for an index of 64 MiB, which packs into nothing."""
    assert blocks.read_one(b"\n" * 5000, 0) == (None, "", 5000)
    fields, where, end = blocks.read_one(b"\n" * 5000 + b"Package: a\n\n\n", 0)
    assert (fields, where, end) == ({"package": "a"}, "stanza 'Package: a'", 5012)
    assert list(parse_packages([b"\n" * 2**18] * 64 + [stanza()] + [b"\n" * 2**18] * 64)) == [EXPECTED]


def test_further_empty_lines_between_stanzas_do_no_harm() -> None:
    data = b"\n\n" + stanza() + b"\n\n\n" + stanza() + b"\n"
    for position in range(len(data)):
        assert list(parse_packages([data[:position], data[position:]])) == [EXPECTED] * 2


@pytest.mark.parametrize(
    "path",
    [
        *("../a", "pool/../../a", "/a", "a//b", "a/./b", "a%2e%2e/b", "a%2Fb", "a%00", "a\\b", "a/", "./", "."),
        *("a" * 256, "a/" * 1024 + "a"),
    ],
)
def test_bad_path_in_one_stanza_refuses_the_whole_index(path: str) -> None:
    with pytest.raises(BadPath):
        list(parse_packages([stanza() + stanza(Filename=path) + stanza()]))


def test_stanza_without_sha256_is_weak() -> None:
    with pytest.raises(WeakDigests) as refused:
        list(parse_packages([stanza(SHA256=None, SHA1="ab" * 20)]))
    assert refused.value.where == "stanza 'Package: a'"


@pytest.mark.parametrize("field", sorted(set(FIELDS) - {"SHA256"}))
def test_stanza_without_a_field_that_is_needed_is_refused_by_name(field: str) -> None:
    with pytest.raises(FormatError) as refused:
        list(parse_packages([stanza(**{field: None})]))
    assert field.lower() in str(refused.value).lower()


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_field_that_is_there_twice_refuses_the_index(field: str) -> None:
    for name in (field, field.lower()):
        data = stanza().rstrip(b"\n") + f"\n{name}: {FIELDS[field]}\n\n".encode()
        with pytest.raises(FormatError, match="second time"):
            list(parse_packages([data]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("Size", "-1"), ("Size", "1.5"), ("Size", "1_0"), ("Size", "\u0661"), ("Size", str(2**36 + 1)), ("Size", "")),
        *(("SHA256", DIGEST[:-1]), ("SHA256", DIGEST + "00"), ("SHA256", "zz" * 32), ("SHA256", "")),
        *(("Package", ""), ("Package", "a b"), ("Version", "1 2"), ("Architecture", "é"), ("Source", "s ()")),
        *(("Package", "a\r"), ("Filename", "a\tb\x01")),
    ],
)
def test_field_of_another_form_refuses_the_index(field: str, value: str) -> None:
    with pytest.raises(FormatError):
        list(parse_packages([stanza(**{field: value})]))


def test_line_that_is_no_field_refuses_the_index() -> None:
    with pytest.raises(FormatError, match="neither a field"):
        list(parse_packages([stanza().rstrip(b"\n") + b"\nrubbish\n\n"]))


def test_nul_anywhere_refuses_the_index() -> None:
    with pytest.raises(FormatError, match="NUL"):
        list(parse_packages([stanza(Description="\0")]))


def test_html_in_place_of_an_index_is_refused() -> None:
    with pytest.raises(FormatError):
        list(parse_packages([b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"]))


def test_endless_stanza_is_refused_when_it_passes_the_limit() -> None:
    def endless() -> Iterator[bytes]:
        yield b"Package: a\n"
        for _ in range(10**9):
            yield b" more of the same\n" * 4096

    with pytest.raises(FormatError, match="stanza longer"):
        list(parse_packages(endless()))


def test_hostile_stanza_of_megabytes_takes_linear_time() -> None:
    for line in (b"a:\n", b"Filename: " + b"a/" * 10 + b"!\n", b" \n", b"Source: a (\n", b"a" * 100):
        data = line * (3 * 2**20 // len(line))
        with pytest.raises(FormatError):
            list(parse_packages([stanza(), data, b"\n\n", stanza()]))


def test_memory_does_not_grow_with_the_index() -> None:
    piece = REAL * 8
    tracemalloc.start()
    count = sum(1 for _ in parse_packages(piece for _ in range(60)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 47 * 8 * 60
    assert peak < 6 * 2**20
