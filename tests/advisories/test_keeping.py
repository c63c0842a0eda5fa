"""Feeds are kept on their schedule; what happens to them is written down once, and one disturbs no other."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.advisories.feed_server import FETCH, FeedServer, Place, Served, feed_server, subscription
from tests.advisories.samples import NOON, sample
from tidegate.advisories.at_hand import Brought, Same
from tidegate.advisories.feed_folder import FeedFolder
from tidegate.advisories.intake import Job, NotTaken, Taken
from tidegate.advisories.keeping import FeedKeeping
from tidegate.advisories.round import NotBrought
from tidegate.advisories.subscription import Subscription
from tidegate.fleet.freshness import AgeLimits
from tidegate.sources.client import Client
from tidegate.store.journal import Value
from tidegate.store.journal_kinds import objection

DAY_S = 86_400


@dataclass
class Kept:
    """A keeping with a clock that is set."""

    keeping: FeedKeeping
    client: Client
    now: float = float(NOON)
    events: list[tuple[str, str, dict[str, Value]]] = field(default_factory=list)

    def note(self, kind: str, subject: str, **data: Value) -> None:
        assert objection(kind, data) is None
        self.events.append((kind, subject, data))

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(kind, subject) for kind, subject, _ in self.events]


def kept(place: Place, *subscriptions: Subscription, published_max_s: int = 10**9) -> Kept:
    client = Client(FETCH)
    made: Kept

    def note(kind: str, subject: str, **data: Value) -> None:
        made.note(kind, subject, **data)

    keeping = FeedKeeping(
        {one.name: one for one in subscriptions},
        place.ports(client),
        place.settings,
        AgeLimits(2 * DAY_S, published_max_s),
        note,
        now=lambda: made.now,
        chance=lambda: 0.0,
    )
    made = Kept(keeping, client)
    return made


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1500):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it does not come to be so")


def alone(one: Kept, story: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        try:
            await story()
        finally:
            one.client.close()

    asyncio.run(run())


def while_running(one: Kept, story: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        task = asyncio.create_task(one.keeping.run())
        try:
            await story()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            one.client.close()

    asyncio.run(run())


def test_each_feed_is_looked_at_when_it_is_due_and_a_failing_one_holds_up_no_other(
    server: FeedServer, place: Place
) -> None:
    server.paths["/kev.json"] = Served(sample("kev.json"), etag='"1"')
    one = kept(
        place,
        subscription("debian-tracker", server.url("/silent")),
        subscription("kev", server.url("/kev.json")),
    )
    server.paths["/silent"] = Served(b"x" * 100, silent_after=10)

    async def story() -> None:
        await until(lambda: ("feed-taken-in", "kev") in one.kinds)
        await until(lambda: ("feed-failed", "debian-tracker") in one.kinds)
        assert len(server.asked("/kev.json")) == 1
        one.now += 3600
        one.keeping.standing("kev").woken.set()
        await until(lambda: isinstance(one.keeping.standing("kev").outcome, Same))
        assert one.keeping.next_at("kev") == one.now + 3600
        assert one.keeping.current_at("kev") == one.now

    while_running(one, story)
    assert one.kinds.count(("feed-taken-in", "kev")) == 1


def test_a_feed_that_nobody_brings_is_told_of_once_and_again_when_it_is_back(server: FeedServer, place: Place) -> None:
    one = kept(place, subscription("kev", server.url("/kev.json")))

    async def story() -> None:
        for _ in range(3):
            assert isinstance(await one.keeping.refresh("kev", lambda _: None), NotBrought)
        assert one.kinds == [("feed-failed", "kev")]
        server.paths["/kev.json"] = Served(b"<html>")
        for _ in range(2):
            assert isinstance(await one.keeping.refresh("kev", lambda _: None), NotBrought)
        assert one.kinds[1:] == [("feed-refused", "kev"), ("feed-failed", "kev")]
        server.paths["/kev.json"] = Served(sample("kev.json"))
        assert isinstance(await one.keeping.refresh("kev", lambda _: None), Brought)
        assert one.kinds[3:] == [("feed-back", "kev"), ("feed-taken-in", "kev")]

    alone(one, story)


def test_a_feed_that_grows_old_is_told_of_once_and_when_it_is_young_again(server: FeedServer, place: Place) -> None:
    server.paths["/kev.json"] = Served(sample("kev.json"), etag='"1"')
    one = kept(place, subscription("kev", server.url("/kev.json")))

    async def story() -> None:
        await until(lambda: ("feed-taken-in", "kev") in one.kinds)
        server.paths["/kev.json"] = Served(status=503)
        one.now += 3 * DAY_S
        one.keeping.standing("kev").woken.set()
        await until(lambda: ("feed-stale", "kev") in one.kinds)
        server.paths["/kev.json"] = Served(sample("kev.json"), etag='"1"')
        one.now += 3600
        one.keeping.standing("kev").woken.set()
        await until(lambda: ("feed-fresh", "kev") in one.kinds)

    while_running(one, story)
    assert one.kinds.count(("feed-stale", "kev")) == 1


def test_a_feed_that_stands_still_is_old_however_often_it_is_confirmed(server: FeedServer, place: Place) -> None:
    server.paths["/kev.json"] = Served(sample("kev.json"), etag='"1"')  # of 2022
    one = kept(place, subscription("kev", server.url("/kev.json")), published_max_s=7 * DAY_S)

    async def story() -> None:
        await until(lambda: ("feed-stale", "kev") in one.kinds)

    while_running(one, story)
    (data,) = [data for kind, _, data in one.events if kind == "feed-stale"]
    assert "stands still" in str(data["reason"])


def test_offline_only_files_are_looked_at(server: FeedServer, place: Place, tmp_path: Path) -> None:
    file = tmp_path / "kev.json"
    file.write_bytes(sample("kev.json"))
    place.health.offline = True
    server.paths["/osv-all.tar.xz"] = Served(b"")
    one = kept(place, subscription("kev", str(file)), subscription("ubuntu-osv", server.url("/osv-all.tar.xz")))

    async def story() -> None:
        await until(lambda: ("feed-taken-in", "kev") in one.kinds)
        assert one.keeping.next_at("ubuntu-osv") is None

    while_running(one, story)
    assert server.requests == []
    assert [kind for kind, _ in one.kinds] == ["feed-taken-in"]


def test_a_feed_that_another_process_is_at_is_left_to_it(place: Place, server: FeedServer) -> None:
    one = kept(place, subscription("kev", server.url("/kev.json")))

    async def story() -> None:
        with FeedFolder(place.feeds, "kev").locked():
            outcome = await one.keeping.refresh("kev", lambda _: None)
        assert "another process" in str(outcome)

    alone(one, story)
    assert server.requests == []
    assert one.events == []


def test_settings_that_change_end_what_is_not_kept_and_begin_what_is(server: FeedServer, place: Place) -> None:
    server.paths["/kev.json"] = Served(sample("kev.json"))
    one = kept(place)
    new = subscription("kev", server.url("/kev.json"))

    async def story() -> None:
        await asyncio.sleep(0)
        one.keeping.reconfigure({"kev": new}, place.settings, one.keeping.limits)
        await until(lambda: ("feed-taken-in", "kev") in one.kinds)
        one.keeping.reconfigure({}, place.settings, one.keeping.limits)
        with pytest.raises(KeyError):
            await one.keeping.refresh("kev", lambda _: None)

    while_running(one, story)


def test_a_defect_of_ours_is_told_and_the_feed_is_looked_at_again(server: FeedServer, place: Place) -> None:
    server.paths["/kev.json"] = Served(sample("kev.json"))
    healthy = place.intake

    async def broken(job: Job, progress: Callable[[int], None]) -> Taken | NotTaken:
        if not broken_once:
            broken_once.append(job.feed)
            raise RuntimeError("no such thing")
        return await healthy(job, progress)

    broken_once: list[str] = []
    place.intake = broken
    one = kept(place, subscription("kev", server.url("/kev.json")))

    async def story() -> None:
        await until(lambda: ("feed-failed", "kev") in one.kinds)
        one.now += 60
        one.keeping.standing("kev").woken.set()
        await until(lambda: ("feed-taken-in", "kev") in one.kinds)

    while_running(one, story)
    assert "no such thing" in str(one.events[0][2]["reason"])
