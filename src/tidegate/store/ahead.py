"""Work that goes on ahead: an iterator's items are made in a thread while those before them are used.

Worth it where making them lets go of the interpreter, as decompressing does.
"""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

WAITING_MAX = 8
_LOOK_S = 0.1

Item = TypeVar("Item")


class _End:
    """What follows the last item: nothing, or what went wrong."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, at most WAITING_MAX of them made beforehand. Raises what making them raised, in its place.

    Whoever stops early closes the generator (or lets go of it); the thread ends then.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(WAITING_MAX)
    left = threading.Event()
    threading.Thread(target=_make, args=(items, waiting, left), name="ahead", daemon=True).start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()


def _make(items: Iterable[Item], waiting: "queue.Queue[Item | _End]", left: threading.Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(item, waiting, left):
                return
    except BaseException as error:  # whatever it is, it is raised where the items are used
        end = _End(error)
    _put(end, waiting, left)


def _put(item: Item | _End, waiting: "queue.Queue[Item | _End]", left: threading.Event) -> bool:
    """Whether somebody still wants it."""
    while not left.is_set():
        try:
            waiting.put(item, timeout=_LOOK_S)
        except queue.Full:
            continue
        return True
    return False
