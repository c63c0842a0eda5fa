"""When each host last reported, and which have been silent for too long."""

from array import array
from collections import defaultdict

from pyroaring import BitMap

SPAN_S = 3600
"""Hosts that reported within one span of time are kept together: only of one span single hosts have to be looked at."""


class LastSeen:
    """By the hosts' numbers."""

    def __init__(self) -> None:
        self._at = array("q", [0])
        self._spans: dict[int, BitMap] = defaultdict(BitMap)

    def __getitem__(self, number: int) -> int:
        """When a host that is there reported."""
        return self._at[number]

    def put(self, number: int, at: int) -> None:
        """A host reported."""
        if number >= len(self._at):
            self._at.extend([0] * (number + len(self._at) // 4 + 1 - len(self._at)))
        before, span = self._at[number] // SPAN_S, at // SPAN_S
        if before != span and before in self._spans:
            self._spans[before].discard(number)
            if not self._spans[before]:
                del self._spans[before]
        self._at[number] = at
        self._spans[span].add(number)

    def drop(self, number: int) -> None:
        """A host is there no more."""
        self._spans[self._at[number] // SPAN_S].discard(number)

    def before(self, at: int) -> BitMap:
        """The hosts whose last report is older."""
        last = at // SPAN_S
        found = BitMap.union(BitMap(), *(hosts for span, hosts in self._spans.items() if span < last))
        found.update(number for number in self._spans.get(last, ()) if self._at[number] < at)
        return found
