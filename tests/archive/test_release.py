"""Release files: the real one, every refusal, and no other exception whatever the bytes."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, digests, fewer, nearly, paths, refusal, sizes
from tidegate.archive.errors import BadPath, FormatError, WeakDigests
from tidegate.archive.release import IndexEntry, parse_date, parse_release

REAL = (DATA / "archive/bookworm.Release").read_bytes()
DIGEST = "ab" * 32
DATE = "Date: Sat, 14 Oct 2023 10:00:00 UTC\n"


def release(entry: str = f"{DIGEST} 1 main/Packages", more: str = "") -> bytes:
    return f"{DATE}{more}SHA256:\n {entry}\n".encode()


def test_release_of_debian_is_read() -> None:
    read = parse_release(REAL)
    assert (read.origin, read.label, read.suite) == ("Debian", "Debian", "oldstable")
    assert (read.codename, read.version) == ("bookworm", "12.15")
    assert read.date == int(datetime(2026, 7, 11, 10, 16, 37, tzinfo=UTC).timestamp())
    assert read.valid_until is None
    assert read.architectures[:2] == ("all", "amd64")
    assert read.components == ("main", "contrib", "non-free-firmware", "non-free")
    assert read.acquire_by_hash
    entry = read.entries["main/binary-amd64/Packages.xz"]
    assert entry.path == "main/binary-amd64/Packages.xz"
    line = f" {entry.sha256.hex()} {entry.size:8} {entry.path}\n"
    assert line.encode() in REAL


@fewer
@given(st.dictionaries(paths, st.tuples(digests, sizes), max_size=20))
def test_entries_that_were_written_are_read_again(entries: dict[str, tuple[bytes, int]]) -> None:
    lines = "".join(f" {digest.hex()} {size} {path}\n" for path, (digest, size) in entries.items())
    read = parse_release(f"{DATE}SHA256:\n{lines}".encode())
    assert read.entries == {path: IndexEntry(path, digest, size) for path, (digest, size) in entries.items()}


@given(st.binary(max_size=300) | nearly(REAL[:3000] + REAL[-3000:]))
def test_any_bytes_give_a_release_or_a_format_error(data: bytes) -> None:
    def read() -> None:
        release = parse_release(data)
        assert release.date >= 0
        assert all(path == entry.path and len(entry.sha256) == 32 for path, entry in release.entries.items())

    assert refusal(read).isprintable()


@pytest.mark.parametrize(
    "path",
    [
        *("../passwd", "a/../../b", "..", ".", "a/./b", "././a", "a/..", "/etc/passwd", "a//b", "a/", "./"),
        *("a%2e%2e/b", "%2E./b", "a%2fb", "a%00b", "a%5cb", "a\\b", "a" * 300, "a/" * 1100 + "a"),
    ],
)
def test_entry_that_leaves_its_directory_refuses_the_release(path: str) -> None:
    with pytest.raises(BadPath) as refused:
        parse_release(release(f"{DIGEST} 1 {path}"))
    assert refused.value.where == "field 'sha256'"


@pytest.mark.parametrize("control", ["\0", "\x01", "\r", "\x7f", "\x85", "\u2028"])
def test_control_character_in_an_entry_refuses_the_release(control: str) -> None:
    with pytest.raises(FormatError, match="control character"):
        parse_release(release(f"{DIGEST} 1 a{control}b"))


def test_entry_below_a_dot_is_the_entry_without_it() -> None:
    assert set(parse_release(release(f"{DIGEST} 1 ./Packages")).entries) == {"Packages"}


def test_release_without_sha256_is_weak() -> None:
    data = f"{DATE}MD5Sum:\n {'ab' * 16} 1 a\nSHA1:\n {'ab' * 20} 1 a\n".encode()
    with pytest.raises(WeakDigests, match="only md5sum, sha1"):
        parse_release(data)


def test_release_that_lists_nothing_is_a_release() -> None:
    assert parse_release(f"{DATE}SHA256:\n".encode()).entries == {}


@pytest.mark.parametrize(
    "entry",
    [
        *(f"{DIGEST} -1 a", f"{DIGEST} 1e3 a", f"{DIGEST} {2**36 + 1} a", f"{DIGEST} {'9' * 400} a"),
        *(f"{DIGEST[:-2]} 1 a", f"{DIGEST}00 1 a", f"{'zz' * 32} 1 a", f"{DIGEST} 1", f"{DIGEST} 1 a b", "a"),
        *(f"{DIGEST} \u0661 a", f"{DIGEST} 1_0 a", f"{DIGEST} +1 a"),
    ],
)
def test_entry_of_another_form_refuses_the_release(entry: str) -> None:
    with pytest.raises(FormatError):
        parse_release(release(entry))


def test_same_entry_twice_is_one_and_two_digests_for_one_path_are_refused() -> None:
    same = f"{DIGEST} 1 a\n {DIGEST} 1 ./a"
    assert len(parse_release(release(same)).entries) == 1
    for other in (f"{'cd' * 32} 1 a", f"{DIGEST} 2 a"):
        with pytest.raises(FormatError, match="two digests"):
            parse_release(release(f"{DIGEST} 1 a\n {other}"))


def test_sha512_is_known_where_the_release_has_it_and_must_agree_on_the_size() -> None:
    strong = "cd" * 64
    read = parse_release(release(more=f"SHA512:\n {strong} 1 main/Packages\n"))
    assert read.entries["main/Packages"].sha512 == bytes.fromhex(strong)
    with pytest.raises(FormatError, match="two sizes"):
        parse_release(release(more=f"SHA512:\n {strong} 2 main/Packages\n"))


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 -- hypothesis wants naive bounds
def test_date_as_the_standard_writes_it_is_read(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC, microsecond=0)
    expected = int(moment.timestamp())
    written = format_datetime(moment)
    assert parse_date(written) == expected
    assert parse_date(written.replace("+0000", "UTC")) == expected


@pytest.mark.parametrize(
    "date",
    [
        *("", "yesterday", "2023-10-14T10:00:00Z", "Sat, 14 Oct 2023 10:00:00", "Sat, 14 Oct 2023 10:00:00 +0200"),
        *("Sat, 31 Feb 2023 10:00:00 UTC", "Sat, 14 Oct 2023 25:00:00 UTC", "Sat, 14 Oct 2023 10:00:60 UTC"),
        *("Wed, 31 Dec 1969 23:59:59 UTC", "Sat, 14 Oct 0000 10:00:00 UTC", "Sat, 14 Oct 20233 10:00:00 UTC"),
        "Sat, \u0661\u0664 Oct 2023 10:00:00 UTC",
    ],
)
def test_date_that_apt_could_not_read_refuses_the_release(date: str) -> None:
    for field in ("Date", "Valid-Until"):
        fields = {"Date": "Sat, 14 Oct 2023 10:00:00 UTC", field: date}
        data = "".join(f"{name}: {value}\n" for name, value in fields.items()) + f"SHA256:\n {DIGEST} 1 a\n"
        with pytest.raises(FormatError) as refused:
            parse_release(data.encode())
        assert refused.value.where == f"field {field.lower()!r}"


def test_date_with_one_digit_and_no_weekday_is_read() -> None:
    assert parse_date("5 Jan 2023 7:08:09 GMT") == int(datetime(2023, 1, 5, 7, 8, 9, tzinfo=UTC).timestamp())


def test_release_without_a_date_is_refused() -> None:
    with pytest.raises(FormatError, match="no Date"):
        parse_release(f"SHA256:\n {DIGEST} 1 a\n".encode())


@pytest.mark.parametrize(
    ("architectures", "no_support", "apart"),
    [
        ("amd64 all", "", True),
        ("amd64 all", "No-Support-for-Architecture-all: Contents\n", True),
        ("amd64 all", "No-Support-for-Architecture-all: Packages\n", False),
        ("amd64", "", False),
    ],
)
def test_architecture_all_is_apart_unless_the_release_says_otherwise(
    architectures: str, no_support: str, *, apart: bool
) -> None:
    read = parse_release(release(more=f"Architectures: {architectures}\n{no_support}"))
    assert read.architecture_all_apart is apart


@pytest.mark.parametrize(
    ("written", "component"),
    [("main", "main"), ("updates/main", "main"), ("x/y/main", "main"), ("updates/contrib", "updates/contrib")],
)
def test_component_is_what_the_entries_call_it(written: str, component: str) -> None:
    assert parse_release(release(more=f"Components: {written}\n")).components == (component,)
    longer = release(f"{DIGEST} 1 updates/main/Packages", more="Components: updates/main\n")
    assert parse_release(longer).components == ("updates/main",)


def test_by_hash_is_off_unless_the_release_says_yes() -> None:
    assert not parse_release(release()).acquire_by_hash
    assert not parse_release(release(more="Acquire-By-Hash: no\n")).acquire_by_hash
    assert parse_release(release(more="Acquire-By-Hash: yes\n")).acquire_by_hash


@pytest.mark.parametrize(
    "more",
    [
        f"Origin: {'a' * 2000}\n",
        "Origin: a\n b\n",
        f"Components: {'a ' * 2000}\n",
        f"Architectures: {'a' * 2000}\n",
    ],
)
def test_oversized_field_refuses_the_release(more: str) -> None:
    with pytest.raises(FormatError):
        parse_release(release(more=more))


def test_release_with_too_many_entries_is_refused() -> None:
    lines = "".join(f" {DIGEST} 1 {number}\n" for number in range(100_001))
    with pytest.raises(FormatError, match="more than 100000 entries"):
        parse_release(f"{DATE}SHA256:\n{lines}".encode())


def test_release_beyond_its_size_is_refused_before_it_is_read() -> None:
    with pytest.raises(FormatError, match="longer than"):
        parse_release(b"A" * (16 * 2**20 + 1))
