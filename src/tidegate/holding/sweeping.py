"""Removes what may go (`holding/housekeeping.py`): when asked to, once an hour, and as soon as the store is too full.

Safe at any moment: a removal is one unlink, of what nothing that is served needs. What was used between the decision
and its turn stays.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from sqlite3 import Error as DatabaseError

from tidegate.holding.hot_listing import Stores, codenames_of, hot_of, hot_set_of
from tidegate.holding.housekeeping import (
    GOING,
    Decision,
    Needs,
    Removal,
    Room,
    amount_of,
    decide,
    tightness,
)
from tidegate.holding.solitude import known_of
from tidegate.store.blobs import BlobStore, Held
from tidegate.store.journal import Event
from tidegate.store.journal_writer import JournalWriter
from tidegate.store.settings import StoreSettings

LOOK_EVERY_S = 60.0
"""At how full the store is: with 100,000 blobs and a quota half a second in a thread, without one nothing."""
SWEEP_EVERY_S = 3_600.0
REMOVED_AT_ONCE = 50
NAMED_MAX = 20
"""In one event; the answer of `tidegate gc --json` names all."""


def incidents_of(stores: Stores, events: Iterable[Event]) -> dict[str, str]:
    """By archive, why nothing that it lists may go now: it is alone, or something about it is not clear."""
    found = dict.fromkeys(known_of(events).alone, "none of its sources answers")
    alarms = ((look.archive, f"{look.suite}: {look.alarm}") for look in stores.catalogue.looks() if look.alarm)
    return found | dict(alarms)


def survey(
    stores: Stores,
    settings: StoreSettings,
    *,
    now: float,
    forget_after_s: float,
    archives: Collection[str],
    incidents: Mapping[str, str],
) -> Decision:
    """What may go now. Not for an event loop; raises OSError, sqlite3.Error."""
    stock = list(stores.blobs.held())
    catalogue, codenames = stores.catalogue, codenames_of(stores.marks)
    hot_set = hot_set_of(stores, now=now, forget_after_s=forget_after_s)
    served = catalogue.served()
    wanted = {hot.package.sha256 for one in served for hot in hot_of(catalogue, hot_set, one, codenames)}
    accepted = {(archive, suite) for archive, suite, _ in stores.marks.all() if archive in archives}
    unknown = accepted.difference((one.archive, one.suite) for one in served)
    accounts = catalogue.accounts([held.digest for held in stock])
    return decide(stock, Needs(accounts, wanted, incidents, unknown), room_of(stores.blobs, settings), now)


def room_of(blobs: BlobStore, settings: StoreSettings) -> Room:
    """How full the store is, and may be."""
    return Room(settings.quota_bytes, blobs.free_bytes(), settings.free_bytes_min, settings.unlisted_s)


def left_bytes(blobs: BlobStore, settings: StoreSettings) -> int:
    """What may be fetched that nobody waits for. Not for an event loop, where there is a quota. Raises OSError."""
    held_bytes = sum(one.size for one in blobs.held()) if settings.quota_bytes else 0
    return room_of(blobs, settings).left_bytes(held_bytes)


@dataclass(frozen=True, slots=True)
class Swept:
    """What was decided, and what then went: not what was used meanwhile."""

    decision: Decision
    removed: tuple[Removal, ...]
    room: Room
    """Before it."""


class Sweeping:
    """One sweep at a time. Belongs to one event loop."""

    def __init__(
        self, blobs: BlobStore, journal: JournalWriter, settings: StoreSettings, survey: Callable[[], Decision]
    ) -> None:
        """`survey` decides, in a thread."""
        self._blobs = blobs
        self._journal = journal
        self._settings = settings
        self._survey = survey
        self._turn = asyncio.Lock()
        self._lacked: bool | None = None
        """At the last sweep; None before the first: then an earlier life of the program may have told of a lack."""
        self.told: list[Callable[[str], None]] = []
        """Called with a sentence when the store becomes too full of what is needed, or cannot be swept."""

    async def look(self) -> Swept:
        """What would go now. Raises OSError, sqlite3.Error."""
        room = room_of(self._blobs, self._settings)
        return Swept(await asyncio.to_thread(self._survey), (), room)

    async def sweep(self) -> Swept:
        """Remove what may go, at a bounded rate, and write down what went and why. Raises OSError, sqlite3.Error."""
        async with self._turn:
            swept = await self.look()
            decision = swept.decision
            went = list[Removal]()
            try:
                for first in range(0, len(decision.removals), REMOVED_AT_ONCE):
                    some = decision.removals[first : first + REMOVED_AT_ONCE]
                    went += await asyncio.to_thread(remove, self._blobs, some)
                    await asyncio.sleep(len(some) / self._settings.removals_per_second)
            finally:
                self._note(went)
            self._note_lack(decision)
            return replace(swept, removed=tuple(went))

    async def run(self) -> None:
        """Sweep for ever; begins with a pause, so that a start has the disk for itself."""
        futile = False
        while True:
            await self._called_for(futile=futile)
            try:
                futile = not (await self.sweep()).removed
            except (OSError, DatabaseError) as error:
                futile = True
                self._tell(f"the store could not be swept: {error}")

    async def _called_for(self, *, futile: bool) -> None:
        """Wait until a sweep is due; where the last one had nothing to remove, the next one has time."""
        loop = asyncio.get_running_loop()
        due = loop.time() + SWEEP_EVERY_S
        while loop.time() < due:
            await asyncio.sleep(min(LOOK_EVERY_S, due - loop.time()))
            with contextlib.suppress(OSError):
                if not futile and await asyncio.to_thread(self._is_tight):
                    return

    def _is_tight(self) -> bool:
        held_bytes = sum(one.size for one in self._blobs.held()) if self._settings.quota_bytes else 0
        return room_of(self._blobs, self._settings).over_bytes(held_bytes) > 0

    def _note(self, went: Sequence[Removal]) -> None:
        for standing in GOING:
            same = [one for one in went if one.standing is standing]
            if same:
                amount = amount_of(one.held.size for one in same)
                last = max(one.held.used_at for one in same)
                self._journal.note(
                    "removed",
                    standing.value,
                    blobs=amount.blobs,
                    bytes=amount.bytes,
                    last_used_at=last,
                    reason=same[-1].reason,
                    paths=", ".join(one.path or one.held.digest.hex() for one in same[:NAMED_MAX]),
                )

    def _note_lack(self, decision: Decision) -> None:
        lacks = decision.lacking_bytes > 0
        if lacks and not self._lacked:
            by = {standing.value: amount.bytes for standing, amount in decision.kept.items() if amount.blobs}
            reason = tightness(room_of(self._blobs, self._settings), decision.held.bytes)
            self._journal.note("store-full", "store", lacking_bytes=decision.lacking_bytes, reason=reason, **by)
            self._tell(f"{reason}; all of it is needed: give it {decision.lacking_bytes:,} bytes more, or hold less")
        elif not lacks and self._lacked is not False:
            self._journal.note("store-has-room", "store")
        self._lacked = lacks

    def _tell(self, sentence: str) -> None:
        for tell in self.told:
            tell(sentence)


def remove(blobs: BlobStore, removals: Iterable[Removal]) -> list[Removal]:
    """Remove those that were not used since it was decided; returns them. Raises OSError."""
    return [one for one in removals if _removed(blobs, one.held)]


def _removed(blobs: BlobStore, held: Held) -> bool:
    if blobs.used_at(held.digest) != held.used_at:
        return False
    blobs.remove(held.digest)
    return True
