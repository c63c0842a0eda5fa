"""Control files are read in one way only, and what could be read in two ways is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import DATA, fewer, field_names, nearly, refusal, value_lines
from tidegate.archive.deb822 import Deb822Limits, boolean, only_stanza, stanzas
from tidegate.archive.errors import FormatError

RELEASE = (DATA / "archive/bookworm.Release").read_bytes()

stanza_fields = st.dictionaries(
    field_names.map(str.lower), st.lists(value_lines, min_size=1, max_size=4), min_size=1, max_size=6
)


def written(fields: dict[str, list[str]]) -> str:
    return "".join(f"{name}: " + "\n ".join(lines) + "\n" for name, lines in fields.items())


@fewer
@given(st.lists(stanza_fields, max_size=4), st.integers(1, 3))
def test_what_was_written_is_read_again(original: list[dict[str, list[str]]], gap: int) -> None:
    data = ("\n" * gap).join(written(fields) for fields in original).encode()
    expected = [{name: "\n".join(lines) for name, lines in fields.items()} for fields in original]
    assert list(stanzas(data)) == expected


@given(st.binary(max_size=400) | nearly(RELEASE[:1500]))
def test_any_bytes_give_stanzas_or_a_format_error(data: bytes) -> None:
    def read() -> None:
        for fields in stanzas(data):
            assert fields
            assert all(name == name.lower() for name in fields)

    assert refusal(read).isprintable()


def test_release_of_debian_is_one_stanza() -> None:
    fields = only_stanza(RELEASE)
    assert fields["codename"] == "bookworm"
    assert fields["sha256"].startswith("\n")
    assert all(len(line.split()) == 3 for line in fields["sha256"].split("\n")[1:])


def test_field_names_are_compared_without_case() -> None:
    assert only_stanza(b"SHA256: x\nAcquire-By-HASH: yes\n") == {"sha256": "x", "acquire-by-hash": "yes"}


def test_further_lines_lose_one_leading_blank_and_keep_the_others() -> None:
    assert only_stanza(b"Key:\n  two\n .\n\tthree \nB: 1") == {"key": "\n two\n.\nthree", "b": "1"}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"A: 1\nB: 2\na: 3\n", 3),
        (b" continuation\n", 1),
        (b"A: 1\nno colon\n", 2),
        (b"A: 1\n \nB: 2\n", 2),
        (b"A: 1\n\t\n", 2),
        (b"A: 1\n# comment\n", 2),
        (b"A: 1\r\n", 1),
        (b"A: 1\n\nB: \0\n", 3),
        (b"A: \x1b[2J\n", 1),
        (b"A: 1\nB: \xc2\x85\n", 2),
        (b"A: 1\nB: \xe2\x80\xa8C: 2\n", 2),
        (b"A: 1\nB: \xff\n", 2),
        (b"A b: 1\n", 1),
        (b"-A: 1\n", 1),
        (b": 1\n", 1),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(FormatError) as refused:
        list(stanzas(data))
    assert refused.value.where == f"line {line}"


def test_comments_are_dropped_where_they_are_allowed() -> None:
    data = b"# head\n\nA: 1\n# within\n more\n#B: 2\nC: 3\n\n# tail\n"
    assert list(stanzas(data, allow_comments=True)) == [{"a": "1\nmore", "c": "3"}]


def test_stanzas_before_the_offending_one_are_handed_out() -> None:
    reader = stanzas(b"A: 1\n\nbroken\n")
    assert next(reader) == {"a": "1"}
    with pytest.raises(FormatError):
        next(reader)


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (b"A: 12345\n", Deb822Limits(bytes_max=8)),
        (b"A: 1\n\nA: 2\n", Deb822Limits(stanzas_max=1)),
        (b"A: 1\nB: 2\n", Deb822Limits(fields_per_stanza_max=1)),
        (b"A:\n 1\n 2\n", Deb822Limits(lines_per_stanza_max=2)),
    ],
)
def test_each_limit_holds(data: bytes, limits: Deb822Limits) -> None:
    assert list(stanzas(data))
    with pytest.raises(FormatError):
        list(stanzas(data, limits=limits))


@pytest.mark.parametrize("data", [b"", b"\n\n", b"A: 1\n\nB: 2\n"])
def test_one_stanza_is_not_none_nor_two(data: bytes) -> None:
    with pytest.raises(FormatError, match="stanzas"):
        only_stanza(data)


def test_words_mean_what_apt_takes_them_for() -> None:
    assert [boolean(word) for word in ("yes", "True", "1", "no", "off", "0", "maybe", "")] == [
        *(True, True, True),
        *(False, False, False),
        *(None, None),
    ]
