"""What clients asked for becomes part of the hot set: paths in, packages noted, all of it off the event loop.

The blobs behind the paths are noted as used, too: what has not been used for longest goes first where there is no room.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from tidegate.holding.hot_set import key_of
from tidegate.holding.settings import HoldSettings
from tidegate.store.catalogue import Catalogue
from tidegate.store.holds import Holds, PackageKey

NOTE_TIMEOUT_S = 5.0
FORGET_EVERY_S = 3600.0
TOLD_FOR = 2
"""For so many times `hold.forget_after_s` a use is told of; in the second half as one that no longer counts."""


class Learning:
    """Of one worker; workers learn beside each other. `trouble` is told why something could not be noted."""

    def __init__(
        self,
        catalogue: Catalogue,
        holds: Holds,
        trouble: Callable[[str], None],
        *,
        touch: Callable[[bytes, float], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`touch`: `BlobStore.touch`."""
        self._touch = touch
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
        now, keys = self._now(), set[PackageKey]()
        for archive, path in places:
            offers = self._catalogue.offers_at(archive, path)
            key = key_of(archive, offers)
            if key is not None:
                keys.add(key)
                if self._touch is not None:
                    self._touch(offers[0].package.sha256, now)
        if keys:
            self._holds.note_used(keys, int(now))
        return len(keys)

    async def settle(self) -> None:
        """Wait, within a bound, until what was handed over is noted."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=NOTE_TIMEOUT_S)


async def forget_for_ever(
    holds: Holds,
    settings: Callable[[], HoldSettings],
    trouble: Callable[[str], None],
    *,
    now: Callable[[], float] = time.time,
) -> None:
    """Drop, now and then, uses that have not counted for long."""
    while True:
        before = int(now() - TOLD_FOR * settings().forget_after_s)
        try:
            await asyncio.to_thread(holds.forget, before)
        except OSError as error:
            trouble(f"uses of long ago could not be dropped: {error}")
        await asyncio.sleep(FORGET_EVERY_S)
