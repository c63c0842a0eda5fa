"""Probes of real sources: what they find out, what they cost, and whom they tell."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.keeper.house import INRELEASE, House, ServerFactory, archive_of, configured, house, until
from tests.simulator.archive import SimulatedArchive
from tests.simulator.attacks import same_date_other_content
from tests.simulator.faults import HtmlPage, Silence, Status
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.sources.standing import Clock
from tidegate.keeper import probing
from tidegate.keeper.probing import PROBES_AT_ONCE_MAX, Probe, Prober, Shown
from tidegate.sources.breaker import Cause, State
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.settings import HealthSettings
from tidegate.store.catalogue import Snapshot

QUICK = HealthSettings(backoff_base_s=0.05, backoff_cap_s=0.2, backoff_jitter=0.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "TICK_S", 0.01)


@dataclass(slots=True)
class Ticking(Clock):
    """A clock that knows how often it was looked at: once by each turn of the prober, and more."""

    looks: int = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now


def prober_of(here: House, clock: Clock | None = None) -> Prober:
    """As a gateway has it: the keeper learns from it."""
    here.fetching.health.settings = QUICK
    trust = here.keeper._trust
    made = Prober(
        {here.archive.name: here.archive}, here.fetching, here.catalogue, trust, **({"now": clock} if clock else {})
    )
    made.answered.append(here.keeper.saw)
    made.doubtful.append(here.keeper.look)
    return made


@asynccontextmanager
async def running(prober: Prober) -> AsyncIterator[None]:
    task = asyncio.create_task(prober.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def probed(here: House) -> dict[str, Probe]:
    """Each source, probed once by command."""
    prober = prober_of(here)
    probes = await asyncio.gather(*prober.probe_now([here.archive.name]))
    return {probe.source.url: probe for probe in probes}


def state(here: House, server: SourceServer) -> State:
    return here.fetching.health.of(server.url).breaker.state


async def test_a_source_that_has_what_is_served_is_good_and_costs_one_not_modified_from_then_on(
    source_server: SourceServer, keys: Keys, tmp_path: Path, serve: ServerFactory
) -> None:
    other = serve()
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
    async with house(tmp_path, archive_of(keys, other)) as here:
        for _ in range(2):
            probe = (await probed(here))[other.url]
            assert (probe.shown, probe.is_good, probe.suite) == (Shown.NEWEST, True, "stable")
        await until(lambda: all(request.done for request in other.asked()))
        assert [(request.path, request.status) for request in other.asked()] == [(INRELEASE, 200), (INRELEASE, 304)]
        standing = here.fetching.health.of(other.url)
        assert set(standing.newest) == {"dists/stable/"}
        await until(lambda: other.url in served(here).confirmed_by)


async def test_a_probe_by_command_ends_the_wait_of_a_source_that_is_well_again(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        for _ in range(10):
            here.fetching.health.failed(source_server.url, FetchError(Failure.UNREACHABLE, "in a test"))
        assert state(here, source_server) is State.OPEN
        assert (await probed(here))[source_server.url].is_good
        assert state(here, source_server) is State.CLOSED


async def test_a_page_with_status_200_is_no_release_and_wins_no_trial(
    source_server: SourceServer, keys: Keys, tmp_path: Path, serve: ServerFactory
) -> None:
    portal = serve()
    async with house(tmp_path, archive_of(keys, source_server, portal)) as here:
        here.fetching.health.settings = QUICK
        await here.adopt()
        portal.fault(HtmlPage())
        turned: list[State] = []
        here.fetching.health.changed.append(lambda source, before, after: turned.append(after.state))
        here.fetching.health.failed(portal.url, FetchError(Failure.UNREACHABLE, "in a test"))
        await until(lambda: here.fetching.health.of(portal.url).breaker.until <= here.fetching.health.now())
        probe = (await probed(here))[portal.url]
        assert (probe.shown, probe.is_good) == (Shown.REFUSED, False)
        assert "unsigned" in probe.said
        await until(lambda: here.fetching.health.of(portal.url).breaker.cause is Cause.VIOLATION)
        assert turned == [State.OPEN, State.HALF_OPEN, State.OPEN]


async def test_a_source_that_is_out_is_found_to_be_back_with_no_client_asking(
    source_server: SourceServer, keys: Keys, tmp_path: Path, serve: ServerFactory
) -> None:
    other = serve()
    async with house(tmp_path, archive_of(keys, source_server, other)) as here:
        await here.adopt()
        async with running(prober_of(here)):
            other.refuse()
            await probed(here)
            assert state(here, other) is State.OPEN
            other.accept()
            await until(lambda: state(here, other) is State.CLOSED)


async def test_a_source_that_stands_still_is_behind_by_so_much_until_it_has_caught_up(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, serve: ServerFactory
) -> None:
    still = serve(root=archive.generation(archive.published))
    before = archive.release_date()
    archive.publish()
    async with house(tmp_path, archive_of(keys, source_server, still)) as here:
        await here.adopt()
        probe = (await probed(here))[still.url]
        assert (probe.shown, probe.is_good) == (Shown.BEHIND, False)
        assert probe.behind_s == archive.release_date() - before
        standing = here.fetching.health.of(still.url)
        assert standing.behind == {"dists/stable/": probe.behind_s}
        assert standing.breaker.state is State.CLOSED
        still.root = archive.public
        assert (await probed(here))[still.url].is_good
        assert standing.behind == {}


async def test_what_a_probe_sees_that_is_newer_is_adopted(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        first = await here.adopt()
        archive.update_package("hello", "1.1")
        archive.publish()
        assert (await probed(here))[source_server.url].shown is Shown.NEWER
        await until(lambda: served(here).date > first.date)


async def test_other_content_under_the_same_date_is_told_as_a_split_view(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, serve: ServerFactory
) -> None:
    other = serve()
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
    same_date_other_content(archive)
    async with house(tmp_path, archive_of(keys, other)) as here:
        assert (await probed(here))[other.url].shown is Shown.REFUSED
        await here.events("split-view")


@pytest.mark.parametrize(
    ("fault", "shown"), [(Status(404), Shown.LACKS_IT), (Status(503), Shown.FAILED), (Silence(), Shown.FAILED)]
)
async def test_what_cannot_be_had_is_said_and_bounded_in_time(
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Status | Silence,
    shown: Shown,
) -> None:
    monkeypatch.setattr(probing, "PROBE_TIMEOUT_S", 0.2)
    source_server.fault(fault)
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        probe = (await probed(here))[source_server.url]
        assert (probe.shown, probe.is_good) == (shown, False)
        assert state(here, source_server) is (State.CLOSED if shown is Shown.LACKS_IT else State.OPEN)


async def test_without_a_suite_nothing_is_asked_and_nothing_called_good(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server, suites=())) as here:
        probe = (await probed(here))[source_server.url]
        assert (probe.shown, probe.suite, probe.is_good) == (Shown.NOT_ASKED, None, False)
        assert source_server.asked() == []


async def test_many_sources_are_probed_a_few_at_once_and_so_many_a_minute(
    archive: SimulatedArchive, keys: Keys, tmp_path: Path, serve: ServerFactory
) -> None:
    server, clock = serve(host="0.0.0.0"), Ticking(now=time.time())
    hold = server.hold(after_bytes=None)
    urls = [f"http://127.0.0.{number}:{server.port}/debian" for number in range(1, 25)]
    async with house(tmp_path, configured(keys.keyring, *urls)) as here, running(prober_of(here, clock)):
        await until(lambda: clock.looks > 0)
        clock.now += 60.0  # all of them are due
        await until(lambda: len(server.asked()) == PROBES_AT_ONCE_MAX)
        seen = clock.looks
        await until(lambda: clock.looks > seen + 20)
        assert len(server.asked()) == PROBES_AT_ONCE_MAX
        hold.release()
        burst = probing.PROBES_PER_MINUTE_MAX // 4
        await until(lambda: len(server.asked()) >= burst)
        seen = clock.looks
        await until(lambda: clock.looks > seen + 20)
        assert len(server.asked()) <= burst + 2  # one more each second


async def test_by_itself_it_asks_nobody_who_was_asked_a_moment_ago(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        source_server.forget()
        clock = Ticking(now=here.fetching.health.now())
        async with running(prober_of(here, clock)):
            await until(lambda: clock.looks > 5)
            clock.now += 60.0
            await until(lambda: clock.looks > 30)
            assert source_server.asked() == []
            clock.now += 600.0
            await until(lambda: len(source_server.asked()) == 1)


def served(here: House) -> Snapshot:
    snapshot = here.served()
    assert snapshot is not None
    return snapshot
