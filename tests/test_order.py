"""The order of the tests themselves."""

from hypothesis import given
from hypothesis import strategies as st

from tests.order import dealt

Item = tuple[int, int, bool]


def module(item: Item) -> int:
    return item[0]


def is_slow(item: Item) -> bool:
    return item[2]


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), max_size=12), st.integers(1, 5))
def test_nothing_is_lost_slow_modules_stay_together_and_come_first(modules: list[list[bool]], workers: int) -> None:
    items = [(number, place, slow) for number, one in enumerate(modules) for place, slow in enumerate(one)]
    order = dealt(items, workers, module, is_slow)
    assert sorted(order) == sorted(items)
    slow = [number for number, one in enumerate(modules) if any(one)]
    for number in slow:
        places = [place for place, item in enumerate(order) if module(item) == number]
        assert places == list(range(places[0], places[0] + len(modules[number])))
    if slow:
        assert module(order[0]) == slow[0]


def test_each_share_begins_with_a_slow_module_where_there_are_enough() -> None:
    items = [(number, place, number < 3) for number in range(9) for place in range(4)]
    order = dealt(items, 3, module, is_slow)
    assert [module(order[start]) for start in (0, 12, 24)] == [0, 1, 2]
