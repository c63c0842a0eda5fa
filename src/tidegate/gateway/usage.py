"""Which artifacts clients asked for since somebody last took note: what the hot set is learned from.

A hit marks its entry as used, one store in memory, and nothing else; once a minute the server looks at the entries and
hands over the places of those that were. What was asked for and is not held is put down here by itself.
"""

from collections.abc import Iterable

PLACES_MAX = 50_000
"""Between two sweeps; a fleet of any size asks for fewer different files in a minute."""
SWEEP_INTERVAL_S = 60.0

Where = tuple[str, str]
"""An archive and a path below it."""


class Usage:
    """A bounded set of places."""

    def __init__(self) -> None:
        self._places: dict[Where, None] = {}

    def add(self, places: Iterable[Where]) -> None:
        """Clients asked for these; what goes beyond PLACES_MAX is left for the next time that they do."""
        for place in places:
            if len(self._places) < PLACES_MAX:
                self._places[place] = None

    def take(self) -> tuple[Where, ...]:
        """What was added since the last time."""
        places, self._places = tuple(self._places), {}
        return places
