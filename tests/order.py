"""In which order tests run: modules with slow tests first, dealt to the workers in turns.

A long test that begins last keeps everybody waiting. And a module's fixtures are made once where one worker goes
through all of it: xdist (worksteal) hands out contiguous shares and steals from their ends, so what stands at the head
of a share stays together.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

T = TypeVar("T")


def dealt(items: Sequence[T], workers: int, module: Callable[[T], object], slow: Callable[[T], bool]) -> list[T]:
    """The same items, so that each worker's share begins with modules that have slow tests."""
    modules = [list(some) for _, some in groupby(items, key=module)]
    heads: list[list[T]] = [[] for _ in range(workers)]
    for turn, one in enumerate(one for one in modules if any(map(slow, one))):
        heads[turn % workers] += one
    others = [item for one in modules if not any(map(slow, one)) for item in one]
    order = list[T]()
    for turn, head in enumerate(heads):
        share = (len(items) - len(order)) // (workers - turn)
        more = max(0, share - len(head))
        order += [*head, *others[:more]]
        del others[:more]
    return [*order, *others]
