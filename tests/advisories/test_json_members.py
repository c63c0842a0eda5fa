"""One large document is cut into its members, whatever is in them and wherever the bytes are cut."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.advisories.samples import records
from tidegate.advisories.json_members import TOKEN_BYTES_MAX, members
from tidegate.advisories.statement import Piece, Problem
from tidegate.archive.errors import FormatError

TEXTS = st.text(alphabet='a"\\{}[],: é\n\u2028', max_size=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The data in pieces of these sizes, again and again."""
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def expected(document: Any) -> list[tuple[str, Any]]:
    """The members by the standard library's reading."""
    found: list[tuple[str, Any]] = []
    for key, value in _items(document):
        if isinstance(value, dict | list):
            found.extend((f"{key}/{inner}", member) for inner, member in _items(value))
        else:
            found.append((str(key), value))
    return found


def _items(container: Any) -> Any:
    return container.items() if isinstance(container, dict) else enumerate(container)


@given(
    st.dictionaries(TEXTS, VALUES, max_size=4) | st.lists(VALUES, max_size=4),
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
    st.sampled_from([None, 1]),
    st.booleans(),
)
@settings(max_examples=60)
def test_members_are_what_the_standard_library_reads(
    document: Any, sizes: list[int], indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    found = [(name, json.loads(member)) for name, member in records(members(cut(data, sizes)))]
    assert found == expected(document)


@given(VALUES, st.lists(st.integers(1, 40), min_size=1, max_size=3), st.data())
@settings(max_examples=40)
def test_a_torn_document_is_refused(value: Any, sizes: list[int], data: st.DataObject) -> None:
    whole = json.dumps({"bash": {"CVE-2026-0001": value}}).encode()
    torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(FormatError):
        list(members(cut(torn, sizes)))


@given(st.text(alphabet='{}[],:" \\ab1', max_size=30))
@settings(max_examples=60)
def test_whatever_comes_is_cut_or_refused(text: str) -> None:
    try:
        found = list(members(cut(text.encode(), [7])))
    except FormatError:
        return
    assert all(isinstance(one, Piece) for one in found)


def test_a_member_nested_10000_deep_spoils_no_other() -> None:
    deep = b"[" * 10_000 + b"]" * 10_000
    data = b'{"bash": {"a": ' + deep + b', "b": {"x": ' + deep + b'}, "c": 1}, "d": 2}'
    assert records(members([data])) == [
        ("bash/a", deep),
        ("bash/b", b'{"x": ' + deep + b"}"),
        ("bash/c", b"1"),
        ("d", b"2"),
    ]


@pytest.mark.parametrize("value", [b'"%b"', b'{"text": "%b"}', b'["%b\\"]"]'])
def test_a_member_of_100_mb_is_a_problem_that_takes_no_memory_and_spoils_no_other(value: bytes) -> None:
    before, after = value.split(b"%b")
    body = b"x" * 2**20

    def chunks() -> Iterator[bytes]:
        yield b'{"bash": {"a": 1, "b": ' + before
        for _ in range(100):
            yield body
        yield after + b', "c": 3}}'

    small, large, last = members(chunks(), record_max=2**20)
    assert (small, last) == (Piece("bash/a", b"1"), Piece("bash/c", b"3"))
    assert large == Problem("bash/b", "bash/b", "more than 1048576 bytes")


def test_keys_that_are_no_text_name_their_members_all_the_same() -> None:
    (found,) = records(members([b'{"\\ud800": {"a\\/b": 1}}']))
    assert found[0].endswith("/a/b")
    assert found[1] == b"1"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"5",
        b'"text"',
        b"{]",
        b"[}",
        b"{}{}",
        b'{"a": 1,}',
        b'{"a" 1}',
        b'{"a":: 1}',
        b"[1 2]",
        b"{1: 2}",
        b"<html></html>",
        b'{"' + b"k" * (TOKEN_BYTES_MAX + 1) + b'": 1}',
        b'{"a": ' + b"1" * (2 * TOKEN_BYTES_MAX),
    ],
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        list(members(cut(data, [1000])))
