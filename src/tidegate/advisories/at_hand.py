"""What we have of one feed, its newest file and what the history read of it; how something newer takes its place."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from msgspec.structs import replace

from tidegate.advisories.documents import Document, Entry, Validator
from tidegate.advisories.download import Access
from tidegate.advisories.feed_folder import COMING, FeedFolder
from tidegate.advisories.feeds import EPSS, FEEDS
from tidegate.advisories.history import FeedState, Verified
from tidegate.advisories.intake import Job, NotTaken, Taken, Task, Why
from tidegate.advisories.intake_process import Intake
from tidegate.advisories.settings import AdvisoriesSettings
from tidegate.advisories.subscription import Subscription
from tidegate.advisories.taking_in import EPSS_READER
from tidegate.sources.archive import Source
from tidegate.sources.failure import Excluded, Failure, FetchError
from tidegate.trust.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Ports:
    """What a round works with. `state` is the history's word on a feed; `root` and `history` are paths (`Layout`)."""

    access: Access
    verifier: Verifier
    intake: Intake
    state: Callable[[str], FeedState | None]
    root: Path
    history: Path


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done, for whoever waits. `records`: how many were looked at."""

    feed: str
    text: str
    records: int | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """A source brought something new; `document` is None for a directory of records."""

    source: str
    verified: Verified
    taken: Taken
    document: Document | None
    excluded: tuple[Excluded, ...] = ()


@dataclass(frozen=True, slots=True)
class Same:
    """A source says that what we have is the newest."""

    source: str
    excluded: tuple[Excluded, ...] = ()


Told = Callable[[Step], None]


class UnfitError(Exception):
    """What a source gave is not taken in: a sentence saying why."""


@dataclass(frozen=True, slots=True)
class News:
    """Bytes in the feed's folder, and what is known of them. Times are epoch seconds.

    `at` is when they were known to be the newest, `fetched_at` when they came; `published` is the source's word.
    """

    path: Path
    origin: str
    at: int
    fetched_at: int
    verified: Verified = Verified.NOTHING
    published: int | None = None


class AtHand:
    """One feed. `now` is when the round began.

    `anyway`: somebody asked for this round, so sources that are left alone for now are asked as well, behind the
    others. `may_vanish` takes in what looks torn or older.
    """

    def __init__(
        self,
        subscription: Subscription,
        ports: Ports,
        settings: AdvisoriesSettings,
        told: Told,
        *,
        now: int,
        anyway: bool = False,
        may_vanish: bool = False,
    ) -> None:
        self.anyway = anyway
        self.subscription = subscription
        self.ports = ports
        self.settings = settings
        self.now = now
        self.folder = FeedFolder(ports.root, subscription.name)
        self._told = told
        self._may_vanish = may_vanish

    def say(self, text: str, records: int | None = None) -> None:
        """Tell whoever waits."""
        self._told(Step(self.subscription.name, text, records))

    def known_entry(self) -> Entry | None:
        """The newest file, where the history holds what it says, as it would be read today."""
        entry = self.folder.entry()
        return entry if entry is not None and self._knows(entry) else None

    async def catch_up(self) -> None:
        """Read what is kept, where the history has lost it or another reader has come. Failing, it changes nothing."""
        entry, state = self.folder.entry(), self.ports.state(self.subscription.name)
        if entry is None or self._knows(entry):
            return
        confirmed_at = 0 if state is None else max(state.confirmed_at, state.provenance.fetched_at)
        if state is not None and state.provenance.fetched_at > entry.confirmed_at:
            return  # what was read came later than what is kept, from a directory, say
        self.say("reading again what is kept")
        document = self.folder.document()
        assert document is not None
        at = max(entry.confirmed_at, confirmed_at)
        news = News(document.path, entry.origin, at, at, entry.verified, date_of(entry.last_modified))
        await self.ports.intake(self._job(Task.TAKE_IN, news), self._looking)

    async def read(self, source: Source, news: News) -> Taken:
        """Have it read in a process of its own, or looked at where nobody reads it.

        Raises UnfitError for what is not taken in, and OSError where that is our own fault.
        """
        self.say("reading")
        task = Task.TAKE_IN if self.subscription.is_read else Task.LOOK_AT
        answer = await self.ports.intake(self._job(task, news), self._looking)
        if isinstance(answer, NotTaken):
            raise self._refused(source, answer)
        return answer

    async def publish(
        self, source: Source, news: News, digest: bytes, file: str, size: int, validator: Validator
    ) -> Document:
        """What was read becomes the newest file."""
        entry = Entry(
            file=f"{digest.hex()}.{file}",
            size=size,
            fetched_at=news.fetched_at,
            confirmed_at=news.at,
            origin=news.origin,
            verified=news.verified,
            last_modified=validator.last_modified,
            validators={source.url: validator} if validator.etag or validator.last_modified else {},
        )
        document = await asyncio.to_thread(self.folder.publish, news.path, entry)
        self.ports.access.health.vouched(source.url)
        return document

    async def same(self, source: Source, entry: Entry, validator: Validator, at: int) -> Same:
        """What we have was the newest at this moment. Raises OSError."""
        if self.subscription.is_read:
            path = self.ports.root / self.subscription.name / entry.file
            news = News(path, source.url, at, at, entry.verified)
            answer = await self.ports.intake(self._job(Task.CONFIRM, news), self._looking)
            if isinstance(answer, NotTaken):
                raise self._refused(source, answer)
        validators = entry.validators | ({} if validator == Validator() else {source.url: validator})
        newer = replace(entry, confirmed_at=max(entry.confirmed_at, at), validators=validators)
        await asyncio.to_thread(self.folder.put, newer)
        self.ports.access.health.vouched(source.url)
        return Same(source.url)

    def unfit(self, source: Source, what: str) -> UnfitError:
        """The error for bytes that no honest source gives; the source is left alone for a while."""
        self.folder.drop_coming()
        self.ports.access.health.violated(source.url, what)
        return UnfitError(what)

    def _refused(self, source: Source, answer: NotTaken) -> Exception:
        what = answer.what.replace(COMING, "")  # as its publisher calls it
        match answer.why:
            case Why.OURS:
                return OSError(what)
            case Why.OLDER:
                self.folder.drop_coming()
                self.ports.access.health.failed(source.url, FetchError(Failure.OTHER_VERSION, what))
                return UnfitError(what)
            case Why.UNFIT:
                return self.unfit(source, what)

    def _knows(self, entry: Entry) -> bool:
        if not self.subscription.is_read:
            return True
        name = self.subscription.name
        state = self.ports.state(name)
        return (
            state is not None
            and state.whole
            and state.provenance.digest.hex() == entry.file.partition(".")[0]
            and state.reader == (EPSS_READER if name == EPSS else FEEDS[name].reader)
        )

    def _job(self, task: Task, news: News) -> Job:
        return Job(
            task=task,
            feed=self.subscription.name,
            history=str(self.ports.history),
            feeds=str(self.ports.root),
            path=str(news.path),
            origin=news.origin,
            fetched_at=news.at,
            verified=news.verified,
            published=news.published,
            may_vanish=self._may_vanish,
            memory_bytes_max=self.settings.import_memory_bytes_max,
        )

    def _looking(self, records: int) -> None:
        self.say("reading", records)


def date_of(last_modified: str | None) -> int | None:
    """A Last-Modified in epoch seconds; None for what is no date."""
    try:
        return int(parsedate_to_datetime(last_modified or "").timestamp())
    except (ValueError, OverflowError):
        return None
