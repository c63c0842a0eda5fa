"""What clients asked for becomes part of the hot set: paths in, packages noted, all of it off the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence

from tidegate.keeper.hot_set import key_of
from tidegate.store.catalogue import Catalogue
from tidegate.store.holds import Holds

NOTE_TIMEOUT_S = 5.0


class Learning:
    """Of one worker; workers learn beside each other. `trouble` is told why something could not be noted."""

    def __init__(
        self,
        catalogue: Catalogue,
        holds: Holds,
        trouble: Callable[[str], None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._catalogue = catalogue
        self._holds = holds
        self._trouble = trouble
        self._now = now
        self._under_way: set[asyncio.Task[None]] = set()

    def used(self, places: Sequence[tuple[str, str]]) -> None:
        """Clients asked for these, each an archive and a path below it; noted soon, in a thread."""
        task = asyncio.get_running_loop().create_task(self._used(places))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _used(self, places: Sequence[tuple[str, str]]) -> None:
        try:
            await asyncio.to_thread(self.note, places)
        except OSError as error:
            self._trouble(f"what clients use could not be noted: {error}")

    def note(self, places: Sequence[tuple[str, str]]) -> int:
        """Note those of them that are packages; returns how many packages. Raises OSError."""
        keys = {key for archive, path in places if (key := key_of(archive, self._catalogue.offers_at(archive, path)))}
        if keys:
            self._holds.note_used(keys, int(self._now()))
        return len(keys)

    async def close(self) -> None:
        """Wait, within a bound, until what was handed over is noted."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=NOTE_TIMEOUT_S)
