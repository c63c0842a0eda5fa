"""The advisories of one process: feeds kept on their schedule, looked at when asked, and what they say.

The desk runs it; a command does where no desk runs. One event loop, and threads for the databases.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from tidegate.advisories.age import age_of
from tidegate.advisories.at_hand import Brought, Ports, Same, Step
from tidegate.advisories.documents import Documents, is_name
from tidegate.advisories.download import Access
from tidegate.advisories.feed_folder import BusyFeedError
from tidegate.advisories.history import FeedState
from tidegate.advisories.intake_process import ProcessIntake
from tidegate.advisories.keeping import FeedKeeping, Note
from tidegate.advisories.round import NotBrought, Outcome
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.subscription import subscriptions_of
from tidegate.config import Settings
from tidegate.config.keyrings import keyring_at
from tidegate.drill.playing import FEED, Playing
from tidegate.sources.archive import Source
from tidegate.sources.client import Client, Getter
from tidegate.sources.failure import Excluded
from tidegate.sources.health import Health
from tidegate.store.layout import Layout
from tidegate.trust.verifier import verifier_for
from tidegate.web.advisories_report import (
    AdvisoryReport,
    Excerpt,
    FeedReport,
    FeedsReport,
    RefreshedReport,
    RefreshRequest,
    StepReport,
)
from tidegate.web.advisory_report import advisory_report
from tidegate.wiring.news import News, Tell

STEPS_WAITING_MAX = 64
"""Of one refresh; what nobody fetches beyond that is left out, since the next one says where it is."""
_LEVELS = {"feed-taken-in": "info", "feed-back": "info", "feed-fresh": "info"}

T = TypeVar("T")


class Advising:
    """`web.advisories_control.AdvisoriesView` over one state. Made inside the loop that uses it; `close` it."""

    def __init__(
        self,
        settings: Settings,
        layout: Layout,
        note: Note,
        tell: Tell,
        *,
        running: bool = True,
        wrapped: Callable[[Client], Getter] | None = None,
    ) -> None:
        """Raises OSError, sqlite3.Error. `running`: the feeds are kept on their schedule (`run`). `wrapped`: whoever is
        to fetch instead of the client, by the client.
        """
        layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        layout.feeds.mkdir(exist_ok=True, mode=0o700)
        self.settings = settings
        self.history = SqliteHistory(layout.advisories)
        self.documents = Documents(layout.feeds)
        self._layout = layout
        self._tell = tell
        self._running = running
        self._client = Client(settings.fetch)
        self._getter = self._client if wrapped is None else wrapped(self._client)
        self.health = Health(settings.health)
        self.health.offline = settings.fetch.offline
        subscriptions, self.notes = subscriptions_of(settings.advisories, keyring_at)
        self.keeping = FeedKeeping(subscriptions, self._ports(), settings.advisories, settings.fleet.ages, note)
        self.keeping.told.append(self._heard)

    def close(self) -> None:
        """End every connection, and close the history; after `run` was cancelled and has ended."""
        self._client.close()
        self.history.close()

    async def run(self) -> None:
        """Keep the feeds until cancelled."""
        await self.keeping.run()

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings over. Limits towards sources (`fetch`) and of a process (`import_…`) stay as they are."""
        self.settings = settings
        self.health.settings = settings.health
        subscriptions, self.notes = subscriptions_of(settings.advisories, keyring_at)
        self.keeping.reconfigure(subscriptions, settings.advisories, settings.fleet.ages)

    def _ports(self) -> Ports:
        settings = self.settings
        return Ports(
            access=Access(self._getter, self.health, self._room),
            verifier=verifier_for(settings.trust),
            intake=ProcessIntake(settings.advisories.import_timeout_s),
            state=self.history.feed,
            root=self._layout.feeds,
            history=self._layout.advisories,
        )

    def _room(self) -> int:
        """Bytes that may be written beside what is served."""
        disk = os.statvfs(self._layout.state)
        return disk.f_bavail * disk.f_frsize - self.settings.store.free_bytes_min

    def _heard(self, kind: str, name: str, text: str) -> None:
        self._tell(News(_LEVELS.get(kind, "warning"), kind, f"{name}: {text}"))

    # Of a drill.

    def sources_of(self, on: str) -> tuple[Source, ...]:
        """Of the feed that a fault is on."""
        subscription = self.keeping.subscriptions.get(on.removeprefix(FEED)) if on.startswith(FEED) else None
        return () if subscription is None else subscription.sources

    def source_urls(self) -> set[str]:
        """Of every feed."""
        return {source.url for one in self.keeping.subscriptions.values() for source in one.sources}

    def rehearse(self, before: Playing, now: Playing) -> None:
        """What a drill plays has changed: a feed that a fault has just come upon is looked at, so that it shows."""
        self.keeping.rehearse(self._feeds_under(now), since=self._feeds_under(before))

    def _feeds_under(self, playing: Playing) -> set[str]:
        if playing.is_unresolved:
            return set(self.keeping.subscriptions)
        named = {one.on.removeprefix(FEED) for one in playing.faults if one.on.startswith(FEED)}
        return named & set(self.keeping.subscriptions)

    # What is asked.

    async def advisories_status(self) -> FeedsReport:
        return await _from_database(lambda: asyncio.to_thread(self._status))

    async def advisory(self, identity: str, at: int | None) -> AdvisoryReport:
        limits = self.keeping.limits

        def look() -> AdvisoryReport:
            return advisory_report(self.history, identity, now=int(time.time()), as_of=at, limits=limits)

        return await _from_database(lambda: asyncio.to_thread(look))

    def advisories_refresh(self, asked: RefreshRequest) -> AsyncIterator[StepReport | RefreshedReport]:
        return self._refreshing(asked, self._meant(asked))

    def _meant(self, asked: RefreshRequest) -> tuple[str, ...]:
        """Raises KeyError for a feed that is not kept, ValueError for a path of which it cannot be said."""
        kept = self.keeping.subscriptions
        if not asked.path:
            for name in asked.feeds:
                if name not in kept:
                    raise KeyError(name)
            return asked.feeds or tuple(kept)
        if not Path(asked.path).is_absolute():
            raise ValueError(f"{asked.path}: give the whole path")
        names = asked.feeds or Documents(Path(asked.path)).names()
        if not names or not all(map(is_name, names)):
            raise ValueError(f"{asked.path} is no folder of feeds of another gateway: name the feed that it is")
        return names

    async def _refreshing(
        self, asked: RefreshRequest, names: tuple[str, ...]
    ) -> AsyncIterator[StepReport | RefreshedReport]:
        path = Path(asked.path) if asked.path else None
        for name in names:
            steps: asyncio.Queue[StepReport | RefreshedReport | None] = asyncio.Queue()
            looking = self._look(name, path, steps, accept_loss=asked.accept_loss)
            task = asyncio.get_running_loop().create_task(looking)
            try:
                while (line := await steps.get()) is not None:
                    yield line
                await task
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _look(
        self,
        name: str,
        path: Path | None,
        steps: "asyncio.Queue[StepReport | RefreshedReport | None]",
        *,
        accept_loss: bool,
    ) -> None:
        """One feed; its steps and its end go to the queue, and then None."""

        def told(step: Step) -> None:
            if steps.qsize() < STEPS_WAITING_MAX:
                steps.put_nowait(StepReport(feed=step.feed, text=step.text, records=step.records))

        try:
            outcome = await self.keeping.refresh(name, told, path=path, may_vanish=accept_loss)
            steps.put_nowait(refreshed_report(name, outcome))
        finally:
            steps.put_nowait(None)

    # How the feeds stand.

    def _status(self) -> FeedsReport:
        now = int(time.time())
        states = {state.provenance.feed: state for state in self.history.feeds()}
        names = dict.fromkeys([*self.keeping.subscriptions, *states, *self.documents.names()])
        return FeedsReport(
            at=now,
            running=self._running,
            offline=self.health.offline,
            feeds=tuple(self._feed(name, states.get(name), now) for name in names),
            notes=self.notes,
        )

    def _feed(self, name: str, state: FeedState | None, now: int) -> FeedReport:
        subscription = self.keeping.subscriptions.get(name)
        standing = self.keeping.standing(name)
        document = self.documents.latest(name)
        current_at = self.keeping.current_at(name)
        age_s = None if current_at is None else max(0, now - current_at)
        next_at = self.keeping.next_at(name)
        published_at = state.provenance.published if state else None
        origin, verified = None, None
        if state is not None:
            origin, verified = state.provenance.origin, state.provenance.verified.value
        elif document is not None:
            origin, verified = document.origin, document.verified.value
        return FeedReport(
            name=name,
            title=subscription.title if subscription else name,
            state=age_of(current_at, published_at, now, self.keeping.limits).value,
            kept=subscription is not None,
            current_at=current_at,
            age_s=age_s,
            fetched_at=document.fetched_at if document else state.provenance.fetched_at if state else None,
            published_at=published_at,
            origin=origin,
            verified=verified,
            records=state.records if state else None,
            unreadable=state.unreadable if state else None,
            file=document.file_name if document else None,
            file_bytes=document.size if document else None,
            next_at=None if next_at is None else int(next_at),
            doing=standing.step.text if standing.step else None,
            trouble=standing.trouble or None,
            sources=tuple(source.url for source in subscription.sources) if subscription else (),
        )


def refreshed_report(name: str, outcome: Outcome | BusyFeedError | OSError) -> RefreshedReport:
    """How a round came out, as it is told."""
    match outcome:
        case Brought(source, verified, taken, _, excluded):
            return RefreshedReport(
                feed=name,
                outcome="same" if taken.unchanged else "taken-in",
                source=source,
                verified=verified.value,
                records=taken.seen,
                read=taken.read,
                retracted=taken.retracted,
                statements_changed=taken.statements_changed,
                problems=taken.unreadable,
                first_problems=taken.problems,
                passed_over=_excerpts(excluded),
            )
        case Same(source, excluded):
            return RefreshedReport(feed=name, outcome="same", source=source, passed_over=_excerpts(excluded))
        case NotBrought(excluded):
            return RefreshedReport(
                feed=name, outcome="not-brought", passed_over=_excerpts(excluded), trouble="nobody brought it"
            )
        case BusyFeedError():
            return RefreshedReport(feed=name, outcome="busy", trouble=str(outcome))
        case OSError():
            return RefreshedReport(feed=name, outcome="failed", trouble=str(outcome))


def _excerpts(excluded: tuple[Excluded, ...]) -> tuple[Excerpt, ...]:
    return tuple(Excerpt(source=one.source, reason=one.reason) for one in excluded)


async def _from_database(look: Callable[[], Awaitable[T]]) -> T:
    try:
        return await look()
    except sqlite3.Error as error:
        raise OSError(f"the advisories cannot be read: {error}") from error
