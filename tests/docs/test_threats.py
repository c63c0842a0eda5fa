"""The table of attacks names tests that are there, and has a reason where it names none."""

import ast
import re
from functools import cache

import pytest

from tests.docs.documents import ROOT

ROWS = 56
REASONS = ("not yet: ", "out of scope: ")
UNTESTED = {35, 36, 44}
"""Rows that need peers, or a vendor whom nobody can check. Whoever tests one takes it out of here."""
TEST = re.compile(r"`(tests/[\w/]+\.py)::(?:\w+\.)?(test_\w+)`")


@cache
def table() -> dict[int, str]:
    """The last cell of each row, by the row's number."""
    lines = (ROOT / "docs/threats.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| *\d+ *\|", line)]
    assert all(len(row) == 4 and all(row) for row in cells), "number, attack, what must happen, what shows it"
    assert [int(row[0]) for row in cells] == list(range(1, ROWS + 1))
    return {int(row[0]): row[3] for row in cells}


@cache
def written_in(path: str) -> frozenset[str]:
    """The names of the tests in a file, those of its classes included."""
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_"))


@pytest.mark.parametrize("row", range(1, ROWS + 1))
def test_each_attack_has_tests_that_are_there_or_a_reason(row: int) -> None:
    cell = table()[row]
    named = TEST.findall(cell)
    missing = [f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in written_in(path)]
    assert missing == []
    assert len(set(named)) == len(named)
    rest = [part for part in cell.split("<br>") if not TEST.fullmatch(part)]
    assert all(part and "tests/" not in part for part in rest), "each test in backticks, as path::name"
    assert named or any(part.startswith(REASONS) for part in rest)


def test_attacks_without_a_test_are_those_that_are_known() -> None:
    assert {row for row, cell in table().items() if not TEST.search(cell)} == UNTESTED


def test_a_test_of_no_such_name_would_be_found() -> None:
    assert "test_that_nobody_wrote" not in written_in("tests/docs/test_threats.py")
    assert "test_a_test_of_no_such_name_would_be_found" in written_in("tests/docs/test_threats.py")


def test_every_test_of_an_attack_on_the_whole_product_is_in_the_table() -> None:
    named = {name for cell in table().values() for _, name in TEST.findall(cell)}
    written = {
        name for path in (ROOT / "tests/threats").glob("test_*.py") for name in written_in(str(path.relative_to(ROOT)))
    }
    assert written <= named
