"""Puts virtual time and seeded chance in the place of the machine's, in Tidegate's own modules and nowhere else."""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.histories.loop import Clock


class _Time:
    """The module `time` as a history sees it. What tells the machine's time is not there by accident."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock.time
        self.monotonic = clock.monotonic
        self.perf_counter = clock.monotonic

    def __getattr__(self, name: str) -> Any:
        if name in ("sleep", "time_ns", "monotonic_ns"):
            raise AttributeError(f"time.{name} in a history")
        return getattr(time, name)


@contextmanager
def virtual(clock: Clock, chance: random.Random) -> Iterator[None]:
    """While it lasts, every `time.…` and `random.…` of a Tidegate module is the history's."""
    stands_for = {id(time): _Time(clock), id(random): chance}
    replaced: list[tuple[Any, str, Any]] = []
    try:
        for name, module in sorted(sys.modules.items()):
            if name.partition(".")[0] != "tidegate":
                continue
            for attribute in ("time", "random"):
                value = vars(module).get(attribute)
                if id(value) in stands_for:
                    replaced.append((module, attribute, value))
                    setattr(module, attribute, stands_for[id(value)])
        yield
    finally:
        for module, attribute, value in replaced:
            setattr(module, attribute, value)
