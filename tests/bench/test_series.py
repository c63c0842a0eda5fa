"""Verdicts follow from the figures alone."""

import pytest
from bench.series import Relation, Series, Sheet, Target, alternate, judge, ratio
from hypothesis import given
from hypothesis import strategies as st


def series(peer: str, *values: float) -> Series:
    return Series("case", peer, "rate", "/s", values)


def test_a_ratio_is_taken_within_each_round() -> None:
    seen = ratio(series("a", 10, 40), series("b", 10, 20))
    assert seen is not None
    assert (seen.low, seen.median, seen.high) == (1.0, 1.5, 2.0)


def test_rounds_that_do_not_pair_give_no_ratio() -> None:
    assert ratio(series("a", 1, 2), series("b", 1)) is None


def test_a_zero_below_gives_no_ratio() -> None:
    assert ratio(series("a", 1), series("b", 0)) is None


@pytest.mark.parametrize(
    ("relation", "bound", "values", "state"),
    [
        ("at least", 2.0, (1, 2, 9), "met"),
        ("at least", 2.1, (1, 2, 9), "not met"),
        ("at most", 2.0, (1, 2, 9), "met"),
        ("at most", 1.9, (1, 2, 9), "not met"),
        ("exactly", 1.0, (1, 1, 1), "met"),
        ("exactly", 1.0, (1, 1, 2), "not met"),
    ],
)
def test_the_median_is_held_against_a_bound_and_every_round_against_an_exact_one(
    relation: Relation, bound: float, values: tuple[float, ...], state: str
) -> None:
    target = Target("case", "a", "rate", relation, bound)
    assert [verdict.state for verdict in judge([target], [series("a", *values)])] == [state]


def test_a_bound_against_a_peer_that_took_no_part_is_not_measured() -> None:
    target = Target("case", "a", "rate", "at least", 1.0, against="b")
    (verdict,) = judge([target], [series("a", 5)])
    assert (verdict.state, verdict.measured) == ("not measured", None)


@given(st.lists(st.text(), min_size=1, unique=True), st.integers(1, 9))
def test_every_peer_comes_once_in_every_round_and_each_round_begins_with_another(peers: list[str], rounds: int) -> None:
    turns = list(alternate(peers, rounds))
    for number in range(rounds):
        order = [peer for turn, peer in turns if turn == number]
        assert sorted(order) == sorted(peers)
        assert order[0] == peers[number % len(peers)]


def test_values_of_one_figure_stay_in_the_order_of_the_rounds() -> None:
    sheet = Sheet()
    for value in (3.0, 1.0, 2.0):
        sheet.add("case", "a", "rate", "/s", value)
    assert sheet.series() == (series("a", 3, 1, 2),)
