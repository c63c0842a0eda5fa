"""Feeds are kept: each looked at on its schedule, one at a time read, and what happens to them written down.

A feed that fails disturbs neither another one nor what is known: it grows old, and that is told.
"""

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from tidegate.advisories.age import Age, Limits, age_of
from tidegate.advisories.at_hand import AtHand, Brought, Ports, Same, Step, Told
from tidegate.advisories.documents import read_entry
from tidegate.advisories.feed_folder import BusyFeedError
from tidegate.advisories.intake import Job, NotTaken, Taken
from tidegate.advisories.intake_process import Intake, Progress
from tidegate.advisories.round import NotBrought, Outcome, go_round
from tidegate.advisories.schedule import next_at
from tidegate.advisories.settings import AdvisoriesSettings
from tidegate.advisories.subscription import Subscription, subscription_to_path
from tidegate.sources.alone import may_connect
from tidegate.sources.failure import Excluded
from tidegate.store.journal import Value

LOOK_AGAIN_MAX_S = 600.0
"""A sleep is never longer: clocks are set, and another process may have looked at a feed."""
REASONS_TOLD_MAX = 5


class Note(Protocol):
    """Writes an event down: its kind, the feed, the evidence."""

    def __call__(self, kind: str, subject: str, **data: Value) -> None: ...


@dataclass(slots=True)
class Standing:
    """How a feed fared since the start. `outcome` is that of the last round, `trouble` a sentence where it had none."""

    tried_at: float | None = None
    failures: int = 0
    outcome: Outcome | None = None
    trouble: str = ""
    told: tuple[str, ...] = ()
    """The reasons that were written down last, so that each is once."""
    is_old: bool = False
    chance: float = 0.0
    step: Step | None = None
    """What is being done now."""
    rehearsed: bool = False
    """A drill has just put a fault on it: it is to be looked at."""
    before_drill: tuple[float | None, int, str, tuple[str, ...]] | None = None
    """`tried_at`, `failures`, `trouble` and `told` as they were before."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class FeedKeeping:
    """All feeds of one process. Belongs to one event loop."""

    def __init__(
        self,
        subscriptions: Mapping[str, Subscription],
        ports: Ports,
        settings: AdvisoriesSettings,
        limits: Limits,
        journal: Note,
        *,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.subscriptions = dict(subscriptions)
        self.told: list[Callable[[str, str, str], None]] = []
        """Called with what was written down: the kind, the feed, a sentence."""
        self.changed: list[Callable[[str], None]] = []
        """Called with the name of each feed that brought something new."""
        self._ports = replace(ports, intake=_one_at_a_time(ports.intake))
        self.limits = limits
        self._settings = settings
        self._journal = journal
        self._now = now
        self._chance = chance
        self._standings: dict[str, Standing] = {}
        self._again = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._again.clear()
                for name in list(tasks):
                    if name not in self.subscriptions:
                        tasks.pop(name).cancel()
                for name in self.subscriptions:
                    if name not in tasks:
                        tasks[name] = asyncio.get_running_loop().create_task(self._keep(name))
                await self._again.wait()
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    def reconfigure(
        self, subscriptions: Mapping[str, Subscription], settings: AdvisoriesSettings, limits: Limits
    ) -> None:
        """Take new settings over; a round under way goes on by the old ones."""
        self.limits = limits
        self.subscriptions, self._settings = dict(subscriptions), settings
        self._again.set()
        for standing in self._standings.values():
            standing.woken.set()

    def standing(self, name: str) -> Standing:
        """How a feed fared."""
        standing = self._standings.get(name)
        if standing is None:
            standing = self._standings[name] = Standing(chance=self._chance())
        return standing

    def current_at(self, name: str) -> int | None:
        """When what we have of a feed was last seen to be the newest. Raises OSError, sqlite3.Error."""
        entry, state = read_entry(self._ports.root, name), self._ports.state(name)
        moments = [entry.confirmed_at] if entry is not None else []
        if state is not None:
            moments.append(max(state.confirmed_at, state.provenance.fetched_at))
        return max(moments, default=None)

    def next_at(self, name: str) -> float | None:
        """When a feed is looked at next (0: now); None for one that nobody may be asked for. Raises as `current_at`."""
        subscription = self.subscriptions.get(name)
        health = self._ports.access.health
        if subscription is None or not any(may_connect(source, health) for source in subscription.sources):
            return None
        standing = self.standing(name)
        return next_at(
            current_at=self.current_at(name),
            tried_at=standing.tried_at,
            failures=standing.failures,
            interval_s=subscription.interval_s,
            chance=standing.chance,
        )

    async def refresh(
        self, name: str, told: Told, *, path: Path | None = None, may_vanish: bool = False
    ) -> Outcome | BusyFeedError | OSError:
        """Look at a feed now; at `path` instead of where it is from. Raises KeyError for one that is not kept.

        An outcome that is an error is returned: it is no defect, and was written down.
        """
        subscription = self.subscriptions.get(name)
        if path is not None:
            subscription = subscription_to_path(name, path, subscription)
        if subscription is None:
            raise KeyError(name)
        return await self._round(subscription, told, anyway=True, may_vanish=may_vanish)

    def rehearse(self, names: Collection[str], *, since: Collection[str]) -> None:
        """A drill has faults on these feeds from now on, where it had some on others (`since`) before.

        One that a fault has just come upon is looked at soon. Of one that none is on any more, it is forgotten what was
        learned meanwhile, and it is looked at when it would have been.
        """
        for name in set(names) - set(since):
            standing = self.standing(name)
            standing.before_drill = standing.tried_at, standing.failures, standing.trouble, standing.told
            standing.rehearsed = True
            standing.woken.set()
        for name in set(since) - set(names):
            standing = self.standing(name)
            if standing.before_drill is not None:
                failures = standing.failures
                tried_at, standing.failures, standing.trouble, standing.told = standing.before_drill
                standing.tried_at, standing.before_drill, standing.rehearsed = tried_at, None, False
                if failures and not standing.failures:
                    self._note("feed-back", name, "the drill is over", failures=failures)
            standing.woken.set()

    async def _keep(self, name: str) -> None:
        standing = self.standing(name)
        while True:
            standing.woken.clear()
            try:
                due_at = await asyncio.to_thread(self.next_at, name)
                state = await asyncio.to_thread(self._ports.state, name)
                published_at = state.provenance.published if state is not None else None
                self._look_at_age(name, await asyncio.to_thread(self.current_at, name), published_at)
            except (OSError, sqlite3.Error) as error:
                self._failed(name, str(error), (f"our own state cannot be read: {error}",))
                due_at = None
            if standing.rehearsed and due_at is not None:
                standing.rehearsed, due_at = False, 0.0
            if due_at is not None and due_at <= self._now():
                try:
                    await self._round(self.subscriptions[name], lambda _: None)
                except Exception as error:  # a defect of ours, which must not end the keeping of this feed unseen
                    self._failed(name, str(error), (f"a defect of Tidegate: {error!r}",))
                continue
            wait_s = LOOK_AGAIN_MAX_S if due_at is None else min(LOOK_AGAIN_MAX_S, due_at - self._now())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await standing.woken.wait()

    async def _round(
        self, subscription: Subscription, told: Told, *, anyway: bool = False, may_vanish: bool = False
    ) -> Outcome | BusyFeedError | OSError:
        name = subscription.name
        standing = self.standing(name)

        def heard(step: Step) -> None:
            standing.step = step
            told(step)

        async with standing.turn:
            standing.tried_at, standing.chance = self._now(), self._chance()
            at_hand = AtHand(
                subscription,
                self._ports,
                self._settings,
                heard,
                now=int(self._now()),
                anyway=anyway,
                may_vanish=may_vanish,
            )
            try:
                outcome = await go_round(at_hand)
            except BusyFeedError as error:
                standing.failures = max(1, standing.failures)
                return error
            except (OSError, sqlite3.Error) as error:
                self._failed(name, str(error), (f"this machine: {error}",))
                return error if isinstance(error, OSError) else OSError(str(error))
            finally:
                standing.step = None
            self._came_out(name, standing, outcome)
            return outcome

    # What is told.

    def _came_out(self, name: str, standing: Standing, outcome: Outcome) -> None:
        standing.outcome = outcome
        match outcome:
            case Brought():
                self._well(name, standing)
                self._taken_in(name, outcome)
            case Same():
                self._well(name, standing)
            case NotBrought(excluded=excluded, refused=refused):
                for one in refused:
                    if str(one) not in standing.told:
                        text = f"{one.source}: {one.reason}"
                        self._note("feed-refused", name, text, source=one.source, reason=one.reason)
                self._failed(name, "nobody brought it", tuple(map(_said, excluded)))
                standing.told = (*standing.told, *map(str, refused))

    def _taken_in(self, name: str, brought: Brought) -> None:
        taken = brought.taken
        text = (
            f"from {brought.source}: {taken.seen:,} records, {taken.read:,} of them new or changed,"
            f" {taken.retracted:,} retracted, {taken.unreadable:,} with a problem"
        )
        if not taken.unchanged:
            self._note(
                "feed-taken-in",
                name,
                text,
                source=brought.source,
                verified=brought.verified.value,
                records=taken.seen,
                read=taken.read,
                retracted=taken.retracted,
                statements_changed=taken.statements_changed,
                problems=taken.unreadable,
                first_problem=taken.problems[0] if taken.problems else None,
            )
        for tell in self.changed:
            tell(name)

    def _well(self, name: str, standing: Standing) -> None:
        if standing.failures and standing.told:
            self._note("feed-back", name, "it comes again", failures=standing.failures)
        standing.failures, standing.told, standing.trouble = 0, (), ""

    def _failed(self, name: str, what: str, reasons: Iterable[str]) -> None:
        standing = self.standing(name)
        standing.failures += 1
        standing.tried_at = self._now()
        told = tuple(reasons)[:REASONS_TOLD_MAX]
        standing.trouble = "; ".join(told) or what
        if not set(told) <= set(standing.told) or not standing.told:
            self._note("feed-failed", name, standing.trouble, reason=standing.trouble)
        standing.told = told or (what,)

    def _look_at_age(self, name: str, current_at: int | None, published_at: int | None) -> None:
        """Once when it has become too old, and once when it is young again."""
        standing, now = self.standing(name), self._now()
        age = age_of(current_at, published_at, now, self.limits)
        if current_at is None or age is Age.MISSING:
            return
        confirmed_s, limit_s = int(now) - current_at, self.limits.confirmed_max_s
        text = f"was last seen to be current {confirmed_s // 3600:,} hours ago"
        if confirmed_s <= limit_s and published_at is not None:
            confirmed_s, limit_s = int(now) - published_at, self.limits.published_max_s
            text = f"stands still: what it says itself is {confirmed_s // 3600:,} hours old"
        if age is Age.OLD and not standing.is_old:
            reason = standing.trouble or text
            self._note("feed-stale", name, text, age_s=confirmed_s, limit_s=limit_s, reason=reason)
        if standing.is_old and age is Age.CURRENT:
            self._note("feed-fresh", name, "is current again", age_s=confirmed_s)
        standing.is_old = age is Age.OLD

    def _note(self, kind: str, name: str, text: str, **data: Value) -> None:
        self._journal(kind, name, **data)
        for tell in self.told:
            tell(kind, name, text)


def _said(one: Excluded) -> str:
    return f"{one.source} {one.reason}"


def _one_at_a_time(intake: Intake) -> Intake:
    """Two feeds that are read at once would only wait for each other's turn to write."""
    turn = asyncio.Lock()

    async def waiting(job: Job, progress: Progress) -> Taken | NotTaken:
        async with turn:
            return await intake(job, progress)

    return waiting
