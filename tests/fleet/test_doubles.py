"""Two machines that report as one host are told from one that restarts."""

from collections.abc import Iterator

import pytest

from tidegate.fleet.doubles import LOOKED_BACK_MAX, double
from tidegate.fleet.inventory import Host


def machine(word: str) -> Host:
    """`A1`: a machine's name, and the number of its start."""
    return Host("one-id", word[0], "debian", "bookworm", boot=word[1:])


@pytest.mark.parametrize(
    ("reports", "between"),
    [
        ("A1", None),
        ("A1 A1", None),
        ("A1 A2 A3", None),
        ("A1 B1", None),  # renamed, or another: nobody knows yet
        ("A1 B1 A1", "B1"),
        ("A1 A2 A1", "A2"),  # a boot id does not come back: clones that bear one name
        ("A1 B1 C1 A1", "C1"),
        ("A1 B1 B1 B1 A1", "B1"),
        ("A1 B1 A2 B1", "A2"),
        ("A A1 A", None),  # who says no boot id cannot be told apart
        ("A1 A A1", None),
    ],
)
def test_who_comes_back_after_another_is_one_of_two(reports: str, between: str | None) -> None:
    *earlier, new = map(machine, reports.split())
    found = double(new, reversed(earlier))
    assert found == (machine(between) if between else None)


def test_only_so_many_earlier_states_are_looked_at() -> None:
    asked: list[int] = []

    def earlier() -> Iterator[Host]:
        for number in range(1000):
            asked.append(number)
            yield machine(f"B{number}")

    assert double(machine("A1"), earlier()) is None
    assert len(asked) == LOOKED_BACK_MAX + 1
