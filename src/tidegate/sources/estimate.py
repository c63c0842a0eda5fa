"""What can be expected of a source, learned from how it answered: quantiles and moving averages. Pure."""

import math
from collections.abc import Iterable

SAMPLES_MAX = 64
SORTED_EVERY = 8
"""Quantiles are as old as this many samples, at most: sorting for each answer would cost more than it tells."""


class Latency:
    """The last 64 times from request to the answer's head, in seconds."""

    __slots__ = ("_fresh", "_next", "_samples", "_sorted")

    def __init__(self, samples: Iterable[float] = ()) -> None:
        self._samples = list(samples)[-SAMPLES_MAX:]
        self._next = 0
        self._sorted: list[float] = []
        self._fresh = 0

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, seconds: float) -> None:
        """Another answer's head came so long after the request."""
        if len(self._samples) < SAMPLES_MAX:
            self._samples.append(seconds)
            self._fresh = 0
        else:
            self._samples[self._next] = seconds
            self._next = (self._next + 1) % SAMPLES_MAX
            self._fresh -= 1

    def quantile(self, share: float) -> float | None:
        """So many of the samples (0 to 1) took no longer; None while there are none."""
        if self._fresh <= 0:
            self._sorted = sorted(self._samples)
            self._fresh = SORTED_EVERY
        if not self._sorted:
            return None
        return self._sorted[min(len(self._sorted) - 1, int(share * len(self._sorted)))]

    def samples(self) -> tuple[float, ...]:
        """All of them, oldest first."""
        return (*self._samples[self._next :], *self._samples[: self._next])


def blended(average: float | None, sample: float, weight: float) -> float:
    """An exponentially weighted moving average after one more sample; the first one is taken as it is."""
    return sample if average is None else average + weight * (sample - average)


def decayed(value: float, age_s: float, half_life_s: float) -> float:
    """What is left of a value after so long; a clock that went back leaves it as it is."""
    return value * math.exp2(-max(0.0, age_s) / half_life_s) if value else 0.0
