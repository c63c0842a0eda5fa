"""The table of kinds, and the places where events are written: each kind that is written is in the table."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs.documents import SOURCE
from tidegate.store.journal_kinds import KINDS, TABLE, Type, objection

WRITERS = {"note", "note_once", "passed_over", "alarm", "Happening", "_note", "_told"}
NOT_YET = {
    "drill-begun",
    "drill-ended",
    "summary",
}
"""Whoever is to write these is not there yet."""


@cache
def written() -> tuple[tuple[Path, str], ...]:
    """Each kind that is named where an event is written, and where."""
    return tuple(_written())


def _written() -> Iterator[tuple[Path, str]]:
    for path in SOURCE.rglob("*.py"):
        # In the commands' room a note is a line to a person.
        writers = {"_write"} if path.is_relative_to(SOURCE / "cli") else WRITERS
        tree = ast.parse(path.read_text())
        constants = {
            target.id: value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target, value in _pairs(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and _name(node.func) in writers:
                match node.args[0]:
                    case ast.Constant(value=str(kind)) if kind:
                        yield path, kind
                    case ast.Name(id=name) if isinstance(constants.get(name), str):
                        yield path, str(constants[name])


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.Name, ast.Constant]]:
    for target in node.targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                yield name, value


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_every_kind_that_is_written_is_in_the_table() -> None:
    kinds = {(str(path.relative_to(SOURCE)), kind) for path, kind in written()}
    assert len(kinds) > 25
    assert {one for one in kinds if one[1] not in KINDS} == set()


def test_every_kind_in_the_table_is_written_somewhere() -> None:
    assert KINDS.keys() - {kind for _, kind in written()} - NOT_YET == set()


def test_no_kind_is_in_the_table_twice() -> None:
    assert len(KINDS) == len(TABLE)


def test_a_counter_is_a_field_that_is_a_number() -> None:
    assert [name for kind in TABLE for name in kind.counters if kind.fields[name].type is not Type.INT] == []


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("refused", {"source": "a", "reason": "b"}, None),
        ("adoptions", {}, "there is no kind adoptions"),
        ("refused", {"source": "a"}, "refused lacks reason"),
        ("refused", {"source": "a", "reason": 5}, "reason of refused is not text"),
        ("refused", {"source": "a", "reason": "b", "x": 1}, "refused has x, which the table does not"),
        ("bit-rot", {"size": True, "fetched_again": True}, "size of bit-rot is not int"),
        ("bit-rot", {"size": 1, "fetched_again": 0}, "fetched_again of bit-rot is not yes or no"),
        ("store-full", {"lacking_bytes": 1, "reason": "b", "wanted": 5}, None),
    ],
)
def test_what_an_event_says_is_held_to_the_table(kind: str, data: dict[str, object], why: str | None) -> None:
    assert objection(kind, data) == why
