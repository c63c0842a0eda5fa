"""Fetches what the fleet will want, before a switch as far as there is time (`holding/prefetch.py`), and behind it.

What goes wrong here is told, and keeps no snapshot from being adopted; but for what no source gives, a suite stays for
a while as it was. What is missing is seen anew in the store, after a restart as at any time.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from sqlite3 import Error as DatabaseError

from tidegate.holding.bringing import NO_ROOM, Bringing
from tidegate.holding.hot_listing import Stores, hot_set_of
from tidegate.holding.hot_set import HotSet
from tidegate.holding.lacking import lacking_of, lacks_of, news_of, unheard_of
from tidegate.holding.prefetch import (
    Fresh,
    Lack,
    Patience,
    Piece,
    fresh_pieces,
    is_security,
    named,
    patience,
    reasons_of,
    torn,
    within,
)
from tidegate.holding.settings import HoldSettings
from tidegate.holding.upgrade_process import FreshNeeds, UpgradeError
from tidegate.sources.archive import Archive
from tidegate.sources.breaker import Breaker, State
from tidegate.sources.fetching import Fetching
from tidegate.sources.pacing import Rank, jittered_s, retry_pause_s
from tidegate.store.catalogue import Listed, Snapshot, SuiteKey
from tidegate.store.journal_writer import JournalWriter

RETRY_FIRST_S = 2.0
RETRY_MAX_S = 15.0
"""Between two tries for what no source gave, while a switch waits."""
BEHIND_MAX_S = 21_600.0
"""The same when none does; a source that is back ends the pause."""
PAUSE_MIN_S = 0.1
LOOK_EVERY_S = 300.0
"""What clients have begun to use is seen so often; rules, switches and sources that are back are seen at once."""
JITTER = 0.2
RECOVERY_SPREAD_S = 30.0
"""Over which those come back that wait for a source which answers again."""
TOO_MUCH = "more than hold.prefetch_bytes"
NOT_YET = "not asked for yet"

_AHEAD, _BEHIND = 0, 1


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was done before a switch."""

    fetched: int
    bytes: int
    seconds: float
    lacks: tuple[Lack, ...]
    """What clients hear of from then on and is not held."""
    known: tuple[Piece, ...]
    """What they have heard of already, and was not held when this began."""
    elsewhere: Mapping[SuiteKey, tuple[Lack, ...]] = field(default_factory=dict)
    """What upgrades newly need, other suites list, and is not held."""
    failure: str = ""
    """Why what is wanted, or what it newly needs, could not be told; empty: it could."""

    @property
    def all_lacks(self) -> tuple[Lack, ...]:
        """Of this suite and of others."""
        return (*self.lacks, *(lack for more in self.elsewhere.values() for lack in more))


@dataclass(frozen=True, slots=True)
class _Try:
    """A file that was tried behind, in vain; `at` (epoch seconds) is when it is tried again."""

    failures: int
    at: float


class Prefetching:
    """Of all archives. Belongs to one event loop; `run` is the work behind."""

    def __init__(
        self,
        archives: Mapping[str, Archive],
        stores: Stores,
        fetching: Fetching,
        journal: JournalWriter,
        settings: HoldSettings,
        *,
        room: Callable[[], int],
        fresh: FreshNeeds,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`room`: see `Bringing`; `fresh` works out what upgrades newly need."""
        self._archives = archives
        self._stores = stores
        self._journal = journal
        self._settings = settings
        self._now = now
        self._chance = chance
        self._bringing = Bringing(stores, fetching, settings, room)
        self._fresh = fresh
        self._woken = asyncio.Event()
        self.missing: dict[SuiteKey, tuple[Lack, ...]] = {}
        """What each suite lists, is wanted and not held, as of the last time that it was seen to."""
        self._told: set[SuiteKey] = set()
        self._switching: dict[SuiteKey, asyncio.Event] = {}
        self._torn_since: dict[SuiteKey, float] = {}
        """Since when (epoch seconds) there is no switch for what no source gives."""
        self._tries: dict[bytes, _Try] = {}
        fetching.health.changed.append(self._source_changed)

    @property
    def switch_s_max(self) -> float:
        """No switch waits longer."""
        return max(self._settings.prefetch_s, self._settings.security_wait_s)

    def reconfigure(self, archives: Mapping[str, Archive], settings: HoldSettings) -> None:
        """Go by other settings from now on."""
        self._archives, self._settings = archives, settings
        self._bringing.reconfigure(settings)
        self.wake()

    def wake(self) -> None:
        """What is wanted has changed: look soon."""
        self._woken.set()

    # Before a switch

    def switching(self, key: SuiteKey) -> asyncio.Event:
        """Set while a switch of this suite waits for packages: until then what is served has to do."""
        return self._switching.setdefault(key, asyncio.Event())

    async def before(self, archive: Archive, suite: str, indices: Sequence[Listed]) -> Callable[[Snapshot], None] | str:
        """Fetch what these indices of a newer snapshot list and the fleet wants, within the suite's patience.

        Raises nothing; gives what is to be called once the switch is made, or why there had better be none for now.
        What is served lists, too, holds no switch up: clients know of it already.
        """
        key = (archive.name, suite)
        try:
            ahead = await self._before(archive, key, indices)
        except (OSError, DatabaseError) as error:
            ahead = Ahead(0, 0, 0.0, (), (), failure=str(error))
        since = self._torn_since.get(key, self._now())
        why_not = torn(ahead.all_lacks, self._now() - since, self._settings)
        if not why_not:
            return partial(self._after, ahead)
        self._torn_since[key] = since
        self._switching.pop(key, None)
        self._note_fetched(" ".join(key), ahead)
        return why_not

    async def _before(self, archive: Archive, key: SuiteKey, indices: Sequence[Listed]) -> Ahead:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        security, served = self._is_security(key), self._stores.catalogue.snapshot(*key)
        pieces = await asyncio.to_thread(self._lacking, key, indices)
        news = await asyncio.to_thread(unheard_of, self._stores.catalogue, archive.name, pieces)
        await self._bringing.measure()
        patient = patience(self._settings, served, self._now(), security=security, again=key in self._torn_since)
        upgrades = patient.fetch_s > 0 and await asyncio.to_thread(self._has_news, key, indices)
        if upgrades or (news and patient.fetch_s > 0):
            self.switching(key).set()
        working_out = loop.create_task(self._fresh_of(key, indices, patient)) if upgrades else None
        try:
            reasons = await self._within(archive, news, patient, (_AHEAD, not security))
            fresh, failure = ({}, "") if working_out is None else await working_out
        finally:
            if working_out is not None:
                working_out.cancel()
        lacks = await asyncio.to_thread(lacks_of, self._stores, news, reasons)
        gone = {lack.piece.digest for lack in lacks}
        got = [piece.size for piece in news if piece.digest not in gone]
        elsewhere = dict[SuiteKey, tuple[Lack, ...]]()
        for suite, needed in fresh.items():
            spent = Patience(loop.time() - begun, loop.time() - begun, sum(got))
            more = await self._bring_fresh(suite, needed, patient.less(spent), (_AHEAD, not security))
            got += [piece.size for piece in needed if piece.digest not in {lack.piece.digest for lack in more}]
            if suite == key:
                lacks = (*lacks, *more)
            elif more:
                elsewhere[suite] = more
        new = {piece.digest for piece in news}
        known = tuple(piece for piece in pieces if piece.digest not in new)
        return Ahead(len(got), sum(got), loop.time() - begun, lacks, known, elsewhere, failure)

    async def _fresh_of(
        self, key: SuiteKey, indices: Sequence[Listed], patient: Patience
    ) -> tuple[dict[SuiteKey, tuple[Piece, ...]], str]:
        """Work out what upgrades newly need, and remember it: what of it is not held, by suite, or why not."""
        try:
            async with asyncio.timeout(patient.fetch_s):
                needs = await self._fresh(key, indices, self._settings.forget_after_s)
            await asyncio.to_thread(self._note_fresh, needs)
        except TimeoutError:
            return {}, "what upgrades newly need could not be worked out in time"
        except (OSError, DatabaseError, UpgradeError) as error:
            return {}, str(error)
        return await asyncio.to_thread(self._fresh_lacking, needs), ""

    def _note_fresh(self, needs: Sequence[Fresh]) -> None:
        for by in sorted({one.by for one in needs}):
            keys = [one.key for one in needs if one.by == by]
            self._stores.holds.note_upgrade(by, keys, int(self._now()))

    def _fresh_lacking(self, needs: Sequence[Fresh]) -> dict[SuiteKey, tuple[Piece, ...]]:
        lacking = [one for one in needs if not self._stores.holds_whole(one.package.sha256, one.package.size)]
        return {key: pieces for key, pieces in fresh_pieces(lacking).items() if key[0] in self._archives}

    async def _bring_fresh(
        self, key: SuiteKey, pieces: Sequence[Piece], patient: Patience, rank: Rank
    ) -> tuple[Lack, ...]:
        archive = self._archives.get(key[0])
        reasons = {} if archive is None else await self._within(archive, pieces, patient, rank)
        return await asyncio.to_thread(lacks_of, self._stores, pieces, reasons)

    def _after(self, ahead: Ahead, snapshot: Snapshot) -> None:
        """The switch was made: tell what was fetched for it and what is missing, and go on behind."""
        key = (snapshot.archive, snapshot.suite)
        self._switching.pop(key, None)
        self._torn_since.pop(key, None)
        subject = " ".join(key)
        if ahead.failure:
            self._journal.note("prefetch-failed", subject, reason=ahead.failure)
        self._note_fetched(subject, ahead)
        if lacks := ahead.all_lacks:
            self._told.update((key, *ahead.elsewhere))
            self._journal.note(
                "adopted-incomplete",
                subject,
                date=snapshot.date,
                missing=len(lacks),
                packages=named([lack.piece for lack in lacks]),
                reason=reasons_of(lacks),
                seconds=round(ahead.seconds, 3),
            )
        reasons = {lack.piece.digest: lack.reason for lack in self.missing.get(key, ())}
        if not ahead.failure:
            known = (Lack(piece, reasons.get(piece.digest, NOT_YET)) for piece in ahead.known)
            self._see(key, (*ahead.lacks, *known))
        for suite, more in ahead.elsewhere.items():
            self._see(suite, (*self.missing.get(suite, ()), *more))
        self.wake()

    def _note_fetched(self, subject: str, ahead: Ahead) -> None:
        if ahead.fetched:
            seconds = round(ahead.seconds, 3)
            self._journal.note("prefetched", subject, packages=ahead.fetched, bytes=ahead.bytes, seconds=seconds)

    async def _within(
        self, archive: Archive, pieces: Sequence[Piece], patient: Patience, rank: Rank
    ) -> dict[bytes, str]:
        """Fetch them; why what is not held afterwards is not, by digest."""
        if patient.fetch_s <= 0:
            return {piece.digest: NOT_YET for piece in pieces}
        fit, others = within(pieces, patient.bytes_max)
        reasons = {piece.digest: TOO_MUCH for piece in others}
        loop = asyncio.get_running_loop()
        begun, left, failures = loop.time(), list(fit), 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(begun + patient.fetch_s):
                while left:
                    await self._bringing.bring(archive, left, rank, reasons)
                    left = [one for one in left if reasons.get(one.digest, NO_ROOM) != NO_ROOM]
                    failures += 1
                    pause_s = self._pause_s(failures, RETRY_MAX_S)
                    if not left or loop.time() + pause_s > begun + patient.wait_s:
                        break
                    await asyncio.sleep(pause_s)
        return reasons

    # Behind

    async def run(self) -> None:
        """Fetch what is served and wanted and not held, for ever: now, whenever woken, and now and then."""
        while True:
            self._woken.clear()
            with contextlib.suppress(OSError, DatabaseError):  # told where it matters, before a switch; tried again
                await self._catch_up()
            again_s = min((one.at for one in self._tries.values()), default=math.inf) - self._now()
            pause_s = max(PAUSE_MIN_S, min(again_s, jittered_s(LOOK_EVERY_S, JITTER, self._chance())))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()

    async def _catch_up(self) -> None:
        """See to each served suite once, security first."""
        served = [one for one in self._stores.catalogue.served() if one.archive in self._archives]
        security = {one.id: self._is_security((one.archive, one.suite)) for one in served}
        for snapshot in sorted(served, key=lambda one: not security[one.id]):
            key, archive = (snapshot.archive, snapshot.suite), self._archives.get(snapshot.archive)
            if archive is None:
                continue  # settings were read again meanwhile
            listings = await asyncio.to_thread(self._stores.catalogue.listings, snapshot)
            pieces = await asyncio.to_thread(self._lacking, key, listings)
            await self._bringing.measure()
            await self._fetch_behind(archive, key, pieces, (_BEHIND, not security[snapshot.id]))
        self._forget({(one.archive, one.suite) for one in served})

    async def _fetch_behind(self, archive: Archive, key: SuiteKey, pieces: Sequence[Piece], rank: Rank) -> None:
        """Try those whose turn it is; the pauses between two tries of a file double."""
        now, before = self._now(), {lack.piece.digest: lack.reason for lack in self.missing.get(key, ())}
        due = [piece for piece in pieces if piece.digest not in self._tries or self._tries[piece.digest].at <= now]
        reasons = {piece.digest: before.get(piece.digest, NOT_YET) for piece in pieces}
        self._see(key, tuple(Lack(piece, reasons[piece.digest]) for piece in pieces))
        await self._bringing.bring(archive, due, rank, reasons)
        lacks = await asyncio.to_thread(lacks_of, self._stores, pieces, reasons)
        lacking = {lack.piece.digest for lack in lacks}
        for piece in due:
            tried = self._tries.pop(piece.digest, None)
            if piece.digest in lacking:
                failures = 1 if tried is None else tried.failures + 1
                self._tries[piece.digest] = _Try(failures, self._now() + self._pause_s(failures, BEHIND_MAX_S))
        self._see(key, lacks)

    def _see(self, key: SuiteKey, lacks: tuple[Lack, ...]) -> None:
        self.missing[key] = lacks
        if not lacks and key in self._told:
            self._told.discard(key)
            self._journal.note("prefetch-complete", " ".join(key))

    def _forget(self, but: set[SuiteKey]) -> None:
        for key in self.missing.keys() - but:
            del self.missing[key]
        self._told &= but
        missing = {lack.piece.digest for lacks in self.missing.values() for lack in lacks}
        self._tries = {digest: tried for digest, tried in self._tries.items() if digest in missing}

    def _source_changed(self, source: str, before: Breaker, after: Breaker) -> None:
        """A source answers again: what waits for it comes back, not all gateways at once."""
        del source
        if before.state is State.CLOSED or after.state is not State.CLOSED or not any(self.missing.values()):
            return
        asyncio.get_running_loop().call_later(self._chance() * RECOVERY_SPREAD_S, self._try_anew)

    def _try_anew(self) -> None:
        self._tries.clear()
        self.wake()

    # Both

    def _is_security(self, key: SuiteKey) -> bool:
        mark = self._stores.marks.get(*key)
        codename, label = (mark.codename or "", mark.label or "") if mark else ("", "")
        return is_security(*key, codename, label)

    def _has_news(self, key: SuiteKey, indices: Sequence[Listed]) -> bool:
        """Whether these indices list newer versions of wanted packages, held already or not."""
        return bool(news_of(self._stores, self._hot_set(), key, indices))

    def _hot_set(self) -> HotSet:
        return hot_set_of(self._stores, now=self._now(), forget_after_s=self._settings.forget_after_s)

    def _lacking(self, key: SuiteKey, indices: Sequence[Listed]) -> tuple[Piece, ...]:
        return lacking_of(self._stores, self._hot_set(), key, indices)

    def _pause_s(self, failures: int, cap_s: float) -> float:
        return retry_pause_s(failures, first_s=RETRY_FIRST_S, cap_s=cap_s, jitter=JITTER, chance=self._chance())
