"""Items made ahead, in a thread: the same ones, in order, and no more of them than may wait."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tidegate.store.ahead import WAITING_MAX, ahead


@given(st.lists(st.integers(), max_size=40))
@examples(max_examples=25, deadline=None)
def test_the_items_are_the_same_and_in_order(items: list[int]) -> None:
    assert list(ahead(items)) == items


def test_an_error_comes_where_it_happened() -> None:
    def spoiled() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("in a test")

    items = ahead(spoiled())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="in a test"):
        next(items)


def test_no_more_is_made_than_may_wait_and_nobody_goes_on_once_nobody_listens() -> None:
    made: list[int] = []
    ended = threading.Event()

    def endless() -> Iterator[int]:
        try:
            number = 0
            while True:
                made.append(number)
                yield number
                number += 1
        finally:
            ended.set()

    source = endless()
    items = ahead(source)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]  # a generator has it, though the signature promises an iterator
    for thread in threading.enumerate():
        if thread.name == "ahead":
            thread.join(10)
            assert not thread.is_alive()
    assert len(made) <= WAITING_MAX + 2
    source.close()  # type: ignore[attr-defined]
    assert ended.is_set()
