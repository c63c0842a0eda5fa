"""What the fleet uses is here before its clients hear of it: before a switch within a bound, behind it the rest."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.holding.keeping import stores
from tests.keeper.house import DEBIAN, House, ServerFactory, archive_of, house, until
from tests.simulator.archive import SimulatedArchive
from tests.simulator.faults import Hold, Status
from tests.simulator.server import SourceServer
from tests.store.catalogue_contract import package
from tests.store.holds_contract import key, used
from tidegate.holding import bringing, prefetching
from tidegate.holding.bringing import NO_ROOM
from tidegate.holding.hot_set import Hot, place_of
from tidegate.holding.lacking import NO_TIME
from tidegate.holding.prefetch import (
    AT_ONCE,
    Lack,
    Nowhere,
    Piece,
    is_security,
    named,
    patience,
    pieces_of,
    torn,
    within,
)
from tidegate.holding.settings import HoldSettings
from tidegate.holding.stock import Kind
from tidegate.holding.stocktaking import stock_of
from tidegate.sources.breaker import Breaker, State
from tidegate.sources.pacing import Slots
from tidegate.store.catalogue import Snapshot
from tidegate.store.holds import PackageKey, Reported, Wish
from tidegate.store.settings import StoreSettings

NOW = 1_795_000_000
SETTINGS = HoldSettings(prefetch_s=20.0, wait_s=0.0, security_wait_s=10.0)
SERVED = Snapshot(DEBIAN, "stable", NOW - 60, None, b"", "", NOW, NOW)
STABLE = place_of(DEBIAN, "stable", "dists/stable/main/binary-amd64/Packages.xz", {})


def piece(name: str = "hello", size: int = 100, uses: int = 1) -> Piece:
    return Piece(f"pool/{name}", name.encode(), size, name, "1.0", "amd64", uses)


# The rule


@pytest.mark.parametrize(
    ("archive", "suite", "codename", "label", "security"),
    [
        ("ubuntu", "noble-security", "noble", "Ubuntu", True),
        ("debian-security", "stable-security", "bookworm-security", "Debian-Security", True),
        ("debian-security", "buster/updates", "buster", "Debian-Security", True),
        ("debian", "stable", "bookworm", "Debian", False),
        ("ubuntu", "noble-updates", "noble", "Ubuntu", False),
        ("contoso", "main", "", "Security tools", True),
    ],
)
def test_a_suite_brings_security_updates_if_one_of_its_names_says_so(
    archive: str, suite: str, codename: str, label: str, security: bool
) -> None:
    assert is_security(archive, suite, codename, label) is security


def test_a_switch_waits_for_nothing_where_clients_have_nothing_better() -> None:
    assert patience(HoldSettings(), None, NOW, security=False) == AT_ONCE
    assert patience(HoldSettings(), replace(SERVED, valid_until=NOW - 1), NOW, security=True) == AT_ONCE
    assert patience(HoldSettings(), replace(SERVED, valid_until=NOW + 1), NOW, security=True) != AT_ONCE


@given(
    st.builds(
        HoldSettings,
        prefetch_s=st.floats(0, 1e6),
        wait_s=st.floats(0, 1e6),
        security_wait_s=st.floats(0, 1e6),
    ),
    st.booleans(),
)
def test_security_never_waits_longer_than_its_setting_and_nothing_longer_for_what_nobody_gives_than_for_all(
    settings: HoldSettings, security: bool
) -> None:
    patient = patience(settings, SERVED, NOW, security=security)
    assert patient.fetch_s == (settings.security_wait_s if security else settings.prefetch_s)
    assert patient.wait_s <= min(settings.wait_s, patient.fetch_s)
    assert patient.bytes_max == settings.prefetch_bytes


def test_only_what_no_source_gives_is_torn_and_only_for_so_long() -> None:
    settings = HoldSettings(torn_wait_s=10.0)
    lacks = [Lack(piece("late"), NO_TIME), Lack(piece("much"), prefetching.TOO_MUCH), Lack(piece("full"), NO_ROOM)]
    assert torn(lacks, 0.0, settings) == ""
    lacks.append(Lack(piece("hello"), Nowhere("answered 404")))
    assert torn(lacks, 9.9, settings) == "it lists what no source gives: hello 1.0 (amd64)"
    assert torn(lacks, 10.0, settings) == ""
    assert torn(lacks, 0.0, HoldSettings(torn_wait_s=0.0)) == ""


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 200))
def test_what_fits_is_taken_in_order_and_what_does_not_is_left_for_later(sizes: list[int], bytes_max: int) -> None:
    pieces = [piece(str(number), size) for number, size in enumerate(sizes)]
    fit, others = within(pieces, bytes_max)
    assert sorted((*fit, *others), key=lambda one: int(one.name)) == pieces
    assert list(fit) == [one for one in pieces if one in fit]
    room = bytes_max - sum(one.size for one in fit)
    assert room >= 0
    assert all(one.size > room for one in others)


def test_the_most_used_comes_first_then_the_smallest_and_each_file_once() -> None:
    hello, world, tiny = package("hello"), package("world"), package("tiny")._replace(size=1)
    hots = [
        Hot(STABLE, world, (used(key("world")),)),
        Hot(STABLE, tiny, (used(key("tiny")),)),
        Hot(STABLE, hello, (used(key("hello"), uses=3), Wish("all"))),
        Hot(STABLE, hello, (used(key("hello")),)),
    ]
    assert [(one.name, one.uses) for one in pieces_of(hots)] == [("hello", 4), ("tiny", 1), ("world", 1)]


def test_a_sentence_names_some_and_counts_the_others() -> None:
    told = named([piece(f"p{number}") for number in range(25)])
    assert told.startswith("p0 1.0 (amd64), p1 ")
    assert told.endswith(" and 5 more")


# Slots


async def test_the_most_urgent_is_next_and_whoever_gives_up_is_not_waited_for() -> None:
    slots, order = Slots(1), list[int]()
    go = asyncio.Event()

    async def work(rank: int) -> None:
        async with slots.of((rank,)):
            order.append(rank)
            await go.wait()

    tasks = [asyncio.create_task(work(rank)) for rank in (5, 3, 1, 2)]
    await until(lambda: bool(order))
    tasks[2].cancel()
    go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [5, 2, 3]


@pytest.mark.parametrize("turns", range(4))
async def test_a_slot_is_given_back_whenever_its_owner_is_cancelled(turns: int) -> None:
    slots = Slots(1)

    async def work() -> None:
        async with slots.of((0,)):
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1.0), slots.of((1,)):
        pass


# Before a switch


@pytest.fixture
def two(archive: SimulatedArchive, serve: ServerFactory) -> SourceServer:
    """The small archive with a package more, `other`."""
    archive.add_package("other", "1.0")
    archive.publish()
    return serve()


@contextmanager
def running(here: House) -> Iterator[None]:
    task = asyncio.get_running_loop().create_task(here.prefetch.run())
    try:
        yield
    finally:
        task.cancel()


def use(here: House, *names: str) -> None:
    """Clients asked for these."""
    here.holds.note_used([PackageKey(DEBIAN, "stable", "main", "amd64", name) for name in names], int(time.time()))


def holds(here: House, path: str) -> bool:
    listed = here.catalogue.artifact(DEBIAN, path)
    return listed is not None and here.blobs.size(listed.digest) == listed.size


def settings(**changes: float) -> HoldSettings:
    return msgspec.structs.replace(SETTINGS, **changes)


async def test_what_the_fleet_uses_is_held_when_the_switch_comes_and_nothing_else(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=SETTINGS) as here:
        await here.adopt()
        use(here, "hello")
        hello, other = (archive.update_package(name, "1.1") for name in ("hello", "other"))
        archive.publish()
        switched_with: list[bool] = []
        adopting = here.catalogue.adopt

        def adopt(adoption: object) -> Snapshot:
            switched_with.append(here.blobs.size(bytes.fromhex(hello.file.sha256)) == hello.file.size)
            return adopting(adoption)  # type: ignore[arg-type]  # what it is called with

        here.catalogue.adopt = adopt  # type: ignore[method-assign]  # to see what is there at that moment
        await here.adopt()
        assert switched_with == [True]
        assert holds(here, hello.path)
        assert not holds(here, other.path)
        (event,) = await here.events("prefetched")
        assert (event.subject, event.data["packages"], event.data["bytes"]) == ("debian stable", 1, hello.file.size)
        assert not [event for event in here.journal.read() if event.kind == "adopted-incomplete"]
        assert here.prefetch.missing[DEBIAN, "stable"] == ()


async def test_what_hosts_reported_to_have_is_held_when_the_switch_comes_though_nobody_ever_asked_for_it(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=SETTINGS) as here:
        await here.adopt()
        codename = archive.suite("stable").codename
        now = int(time.time())
        here.holds.reported([Reported(PackageKey("", codename, "", "amd64", "hello"), 12, now)], now)
        hello, other = (archive.update_package(name, "1.1") for name in ("hello", "other"))
        archive.publish()
        await here.adopt()
        assert holds(here, hello.path)
        assert not holds(here, other.path)
        stock = stock_of(stores(here), now=now, forget_after_s=60.0)
        updates = next(one for one in stock.shares if one.kind is Kind.UPDATES)
        assert (updates.wanted, updates.held) == (1, 1), "and readiness counts it"


async def test_a_suite_stays_whole_while_no_source_gives_what_is_wanted_of_its_newer_state(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetching, "RETRY_FIRST_S", 0.05)
    async with house(tmp_path, archive_of(archive.keys, two), hold=settings(wait_s=0.4)) as here:
        old = await here.adopt()
        use(here, "hello", "other")
        hello, other = (archive.update_package(name, "1.1") for name in ("hello", "other"))
        archive.publish()
        gone = two.fault(Status(404), f"*/{Path(hello.path).name}")
        begun = time.monotonic()
        assert "incomplete: it lists what no source gives: hello 1.1 (amd64)" in await here.refused()
        assert 0.1 < time.monotonic() - begun < 5.0
        assert here.served() == old
        assert not here.prefetch.switching((DEBIAN, "stable")).is_set(), "no client waits for it"
        asked = sum(hello.path in one.target for one in two.requests)
        assert asked > 1
        await here.refused()
        assert sum(hello.path in one.target for one in two.requests) == asked + 1, "from then on each look tries once"
        (event,) = await here.events("incomplete")
        assert "hello 1.1 (amd64)" in str(event.data["reason"])
        two.heal(gone)
        snapshot = await here.adopt()
        assert snapshot.date > old.date
        assert holds(here, hello.path)
        assert holds(here, other.path)
        assert not [event for event in here.journal.read() if event.kind == "adopted-incomplete"]


async def test_in_the_end_a_suite_is_switched_without_what_no_source_gives_and_says_so_whatever_came_meanwhile(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=settings(torn_wait_s=3600.0)) as here:
        here.prefetch._now = lambda: time.time() + here.clock_s
        await here.adopt()
        use(here, "hello", "other")
        hello = archive.update_package("hello", "1.1")
        archive.publish()
        two.fault(Status(404), f"*/{Path(hello.path).name}")
        await here.refused()
        here.clock_s += 3500.0
        archive.update_package("other", "1.1")
        archive.publish()
        await here.refused()
        here.clock_s += 101.0
        snapshot = await here.adopt()
        (event,) = await here.events("adopted-incomplete")
        assert (event.data["missing"], event.data["packages"]) == (1, "hello 1.1 (amd64)")
        assert event.data["date"] == snapshot.date
        assert "404" in str(event.data["reason"])
        assert sum(hello.path in one.target for one in two.requests) > 1


async def test_what_clients_have_heard_of_already_holds_no_switch_up(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=settings(wait_s=15.0)) as here:
        await here.adopt()
        use(here, "hello")
        (hello,) = (one for one in archive.suite("stable").packages if one.name == "hello")
        archive.update_package("other", "1.1")
        archive.publish()
        archive.delete(hello.path)
        begun = time.monotonic()
        await here.adopt()
        assert time.monotonic() - begun < 5.0
        assert [lack.piece.name for lack in here.prefetch.missing[DEBIAN, "stable"]] == ["hello"]
        assert not [event for event in here.journal.read() if event.kind == "adopted-incomplete"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"prefetch_bytes": 0}, prefetching.TOO_MUCH), ({"prefetch_s": 0.0}, prefetching.NOT_YET)],
)
async def test_what_is_beyond_the_bound_is_fetched_behind_the_switch(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path, changes: dict[str, float], reason: str
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=settings(**changes)) as here:
        await here.adopt()
        use(here, "hello")
        hello = archive.update_package("hello", "1.1")
        archive.publish()
        await here.adopt()
        assert not holds(here, hello.path)
        (event,) = await here.events("adopted-incomplete")
        assert event.data["reason"] == f"1: {reason}"
        with running(here):
            await here.events("prefetch-complete")
        assert holds(here, hello.path)
        assert here.prefetch.missing[DEBIAN, "stable"] == ()


async def test_a_security_suite_waits_for_a_slow_source_no_longer_than_its_own_setting(
    archive: SimulatedArchive, serve: ServerFactory, tmp_path: Path
) -> None:
    security = "stable-security"
    archive.add_package("hello", "1.0", suite=security)
    archive.publish()
    server, limits = serve(), settings(prefetch_s=60.0, wait_s=60.0, security_wait_s=0.5)
    async with house(tmp_path, archive_of(archive.keys, server), hold=limits) as here:
        await here.adopt(security)
        use(here, "hello")
        hello = archive.update_package("hello", "1.1", suite=security)
        archive.publish(security)
        stalled = server.fault(Hold(), "*/hello_1.1_*")
        begun = time.monotonic()
        await here.adopt(security)
        assert 0.4 < time.monotonic() - begun < 10.0
        (event,) = await here.events("adopted-incomplete")
        assert event.data["reason"] == "1: not here in time"
        server.heal(stalled)
        await until(lambda: holds(here, hello.path))


async def test_behind_the_switches_security_comes_first(
    archive: SimulatedArchive, serve: ServerFactory, tmp_path: Path
) -> None:
    names = ("hello", "libgreet1", "plain")
    for name in names:
        archive.add_package(name, "1.0", suite="stable-security")
    archive.publish()
    server, limits = serve(), settings(prefetch_s=0.0, security_wait_s=0.0, connections=1)
    async with house(tmp_path, archive_of(archive.keys, server), hold=limits) as here:
        for suite in ("stable", "stable-security"):
            await here.adopt(suite)
        here.holds.wish(Wish("pocket", suite="stable"))
        use(here, *names)
        for name in names:
            archive.update_package(name, "1.1")
            archive.update_package(name, "1.2", suite="stable-security")
        archive.publish()
        for suite in ("stable", "stable-security"):
            await here.adopt(suite)
        server.forget()
        with running(here):
            await until(lambda: not any(here.prefetch.missing.values()))
        asked = [one.path.rpartition("_1.")[2][0] for one in server.asked("*.deb") if "_1." in one.path]
        assert asked[:6] == ["2"] * 3 + ["1"] * 3


async def test_what_no_source_gave_is_asked_for_again_as_soon_as_one_is_back(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetching, "RETRY_FIRST_S", 1_000.0)
    monkeypatch.setattr(prefetching, "RECOVERY_SPREAD_S", 0.0)
    async with house(tmp_path, archive_of(archive.keys, two), hold=SETTINGS) as here:
        await here.adopt()
        hello = next(one.path for one in archive.suite("stable").packages if one.name == "hello")
        away = two.fault(Status(404), "*.deb")
        use(here, "hello")
        with running(here):
            await until(lambda: any("404" in lack.reason for lack in here.prefetch.missing.get((DEBIAN, "stable"), ())))
            two.heal(away)
            for tell in here.fetching.health.changed:
                tell(two.url, Breaker(State.OPEN), Breaker())
            await until(lambda: holds(here, hello))


async def test_what_was_not_fetched_is_fetched_after_a_restart(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=settings(prefetch_s=0.0)) as here:
        await here.adopt()
        use(here, "hello")
        hello = archive.update_package("hello", "1.1")
        archive.publish()
        await here.adopt()
        assert not holds(here, hello.path)
    async with house(tmp_path, archive_of(archive.keys, two), hold=SETTINGS) as here:
        with running(here):
            await until(lambda: holds(here, hello.path))


async def test_clients_after_a_restart_do_not_wait_for_a_switch_that_waits_for_packages(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=SETTINGS) as here:
        old = await here.adopt()
        use(here, "hello")
    hello = archive.update_package("hello", "1.1")
    archive.publish()
    archive.delete(hello.path)
    async with house(tmp_path, archive_of(archive.keys, two), hold=settings(wait_s=20.0)) as here:
        begun = time.monotonic()
        for _ in range(2):
            await here.keeper.freshen(DEBIAN, "stable")
        assert time.monotonic() - begun < 10.0
        assert here.served() == old
        assert here.looked == [], "it goes on"


@pytest.mark.parametrize("full", ["disk", "quota"])
async def test_a_full_disk_or_a_quota_that_is_reached_holds_no_switch_up_and_is_said(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path, full: str
) -> None:
    limits = StoreSettings(free_bytes_min=1 << 60) if full == "disk" else StoreSettings(quota_bytes=1)
    async with house(tmp_path, archive_of(archive.keys, two), hold=settings(wait_s=15.0), store=limits) as here:
        here.fetching._store = StoreSettings(free_bytes_min=0)  # what is adopted is kept all the same
        await here.adopt()
        use(here, "hello")
        hello = archive.update_package("hello", "1.1")
        archive.publish()
        begun = time.monotonic()
        await here.adopt()
        assert time.monotonic() - begun < 5.0
        (event,) = await here.events("adopted-incomplete")
        assert event.data["reason"] == f"1: {bringing.NO_ROOM}"
        assert not holds(here, hello.path)


async def test_what_a_new_rule_wants_is_fetched_when_it_is_told(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=SETTINGS) as here:
        await here.adopt()
        with running(here):
            here.holds.wish(Wish("servers", ("hel*",)))
            here.prefetch.wake()
            paths = {one.name: one.path for one in archive.suite("stable").packages}
            hello, other = paths["hello"], paths["other"]
            await until(lambda: holds(here, hello))
        assert not holds(here, other)


async def test_holds_that_cannot_be_read_keep_no_snapshot_from_being_adopted(
    archive: SimulatedArchive, two: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, two), hold=SETTINGS) as here:
        here.holds.close()
        await here.adopt()
        (event,) = await here.events("prefetch-failed")
        assert "closed" in str(event.data["reason"])
        assert here.served() is not None


async def test_a_version_that_another_pocket_overtakes_is_fetched_for_security_alone(
    archive: SimulatedArchive, serve: ServerFactory, tmp_path: Path
) -> None:
    """Hosts that follow the updates pocket take the newest; there may be others, and all follow security."""
    pockets = {"stable-updates": "1.3", "stable-security": "1.2"}
    for pocket in pockets:
        archive.add_package("other", "1.0", suite=pocket)
    archive.publish()
    suites = ("stable", *pockets)
    async with house(tmp_path, archive_of(archive.keys, serve(), suites=suites), hold=SETTINGS) as here:
        for suite in suites:
            await here.adopt(suite)
        use(here, "hello")
        for suite, version in pockets.items():
            archive.add_package("hello", version, suite=suite)
        archive.add_package("hello", "1.1", suite="stable")
        archive.publish()
        for suite in (*pockets, "stable"):
            await here.adopt(suite)
        held = {one.version: holds(here, one.path) for suite in suites for one in archive.suite(suite).packages
                if one.name == "hello"}  # fmt: skip
        assert held == {"1.0": False, "1.1": False, "1.2": True, "1.3": True}
        assert not any(here.prefetch.missing.values())
