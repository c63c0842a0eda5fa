"""What goes from the store, in which order, and what never does: the decision, and a sweep of a real store."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.holding.keeping import DAY_S, TIGHT, age, stores, sweeping
from tests.keeper.house import DEBIAN, House, archive_of, assert_coherent, house, until
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.store.drafts import sha256
from tidegate.holding.housekeeping import (
    FLOOR_SLACK,
    GOING,
    QUOTA_SLACK,
    UNSETTLED_S,
    Decision,
    Needs,
    Room,
    Standing,
    decide,
    standing,
)
from tidegate.holding.solitude import BEGUN, ENDED
from tidegate.holding.sweeping import Sweeping, Swept, incidents_of
from tidegate.store.blobs import Held
from tidegate.store.catalogue import Account, Look
from tidegate.store.holds import PackageKey
from tidegate.store.journal import Event
from tidegate.store.settings import StoreSettings

NOW = 1_795_000_000.0
WIDE = Room(quota_bytes=0, free_bytes=1 << 40, free_bytes_min=1 << 28, unlisted_s=7 * DAY_S)
NOTHING = Needs({}, frozenset(), {}, frozenset())


def blob(name: str, size: int = 100, *, idle_s: float = 30 * DAY_S) -> Held:
    return Held(sha256(name.encode()), size, NOW - idle_s)


def account(*, archive: str = DEBIAN, is_member: bool = False, served: bool = True) -> Account:
    return Account(archive, "stable", "pool/main/h/hello_1_amd64.deb", 100, is_member, served)


def listing(*held: Held, served: bool = True) -> Needs:
    return replace(NOTHING, accounts={one.digest: (account(served=served),) for one in held})


# Standings

HELLO = blob("hello")


@pytest.mark.parametrize(
    ("accounts", "changes", "idle_s", "expected"),
    [
        ([account(is_member=True)], {}, DAY_S, Standing.SNAPSHOT),
        ([account(is_member=True, served=False)], {}, DAY_S, Standing.GENERATION),
        ([account()], {"incidents": {DEBIAN: "alone"}}, DAY_S, Standing.INCIDENT),
        ([account(served=False)], {"incidents": {DEBIAN: "alone"}}, DAY_S, Standing.INCIDENT),
        ([account()], {"incidents": {"contoso": "alone"}}, DAY_S, Standing.UNWANTED),
        ([account()], {"wanted": {HELLO.digest}}, DAY_S, Standing.WANTED),
        ([], {}, UNSETTLED_S - 1, Standing.UNSETTLED),
        ([], {"unknown": {(DEBIAN, "stable")}}, DAY_S, Standing.UNSETTLED),
        ([], {}, UNSETTLED_S, Standing.UNLISTED),
        ([account(served=False)], {}, DAY_S, Standing.REPLACED),
        ([account()], {}, 0.0, Standing.UNWANTED),
    ],
)
def test_each_blob_has_one_standing(
    accounts: Sequence[Account], changes: dict[str, Any], idle_s: float, expected: Standing
) -> None:
    held = HELLO._replace(used_at=NOW - idle_s)
    needs = replace(NOTHING, accounts={held.digest: accounts}, **changes)
    assert standing(held, needs, NOW) is expected


# Decisions


def test_where_there_is_room_only_what_no_index_lists_and_nobody_used_for_long_goes() -> None:
    old, young, listed = blob("old"), blob("young", idle_s=DAY_S), blob("listed")
    decision = decide([old, young, listed], listing(listed), WIDE, NOW)
    (removal,) = decision.removals
    assert removal.held == old
    assert removal.reason == "no index lists it any more; not used for 30 d"
    assert decision.lacking_bytes == 0


def test_in_an_incident_nothing_goes_that_need_not() -> None:
    needs = replace(NOTHING, incidents={DEBIAN: "none of its sources answers"})
    assert decide([blob("old")], needs, WIDE, NOW).removals == ()
    assert len(decide([blob("old")], needs, replace(WIDE, free_bytes=0), NOW).removals) == 1


def test_beyond_the_quota_the_least_recently_used_goes_first_and_not_much_more_than_has_to() -> None:
    stock = [blob(str(day), idle_s=day * DAY_S) for day in range(1, 11)]
    room = replace(WIDE, quota_bytes=800)
    decision = decide(stock, listing(*stock), room, NOW)
    assert [one.held for one in decision.removals] == stock[:-4:-1]
    assert 800 * (1 - QUOTA_SLACK) >= 1000 - 300
    assert decision.removals[0].path == "debian pool/main/h/hello_1_amd64.deb"
    assert decision.removals[0].reason == (
        "nobody counts on it; not used for 10 d; the store has 1,000 bytes, of 800 that it may have"
    )


def test_below_the_floor_as_much_goes_as_the_floor_and_some_more_takes() -> None:
    stock = [blob(str(day), idle_s=day * DAY_S) for day in range(1, 11)]
    room = replace(WIDE, free_bytes=900, free_bytes_min=1000)
    decision = decide(stock, listing(*stock), room, NOW)
    assert decision.excess_bytes == 1000 * (1 + FLOOR_SLACK) - 900
    assert len(decision.removals) == 4
    assert "900 bytes are free, of 1,000 that have to be" in decision.removals[0].reason


def test_what_nothing_lists_goes_before_what_was_replaced_and_that_before_what_is_listed() -> None:
    unlisted, replaced, listed = blob("a", idle_s=DAY_S), blob("b", idle_s=2 * DAY_S), blob("c", idle_s=3 * DAY_S)
    accounts = {replaced.digest: (account(served=False),), listed.digest: (account(),)}
    decision = decide([listed, replaced, unlisted], replace(NOTHING, accounts=accounts), tight(10), NOW)
    assert [one.held for one in decision.removals] == [unlisted, replaced, listed]
    assert [one.standing for one in decision.removals] == list(GOING)


def test_a_store_that_is_too_full_of_what_is_needed_says_by_how_much() -> None:
    needs = replace(listing(HELLO), wanted={HELLO.digest})
    decision = decide([HELLO], needs, tight(50), NOW)
    assert decision.removals == ()
    assert decision.lacking_bytes == 50
    assert decision.kept[Standing.WANTED].bytes == 100


def tight(quota_bytes: int) -> Room:
    return replace(WIDE, quota_bytes=quota_bytes)


KINDS = st.sampled_from(["snapshot", "generation", "wanted", "incident", "unlisted", "replaced", "unwanted"])


@given(st.lists(st.tuples(KINDS, st.integers(0, 500), st.floats(0, 90 * DAY_S)), max_size=30), st.integers(0, 5000))
def test_whatever_is_held_nothing_needed_goes_and_the_least_used_of_a_kind_first(
    stock: list[tuple[str, int, float]], quota_bytes: int
) -> None:
    held = [blob(str(place), size, idle_s=idle_s) for place, (_, size, idle_s) in enumerate(stock)]
    accounts = {}
    for one, (kind, _, _) in zip(held, stock, strict=True):
        archive = "contoso" if kind == "incident" else DEBIAN
        served, is_member = kind not in ("generation", "replaced"), kind in ("snapshot", "generation")
        if kind != "unlisted":
            accounts[one.digest] = (account(archive=archive, is_member=is_member, served=served),)
    wanted = {one.digest for one, (kind, _, _) in zip(held, stock, strict=True) if kind == "wanted"}
    needs = Needs(accounts, wanted, {"contoso": "alone"}, frozenset())
    decision = decide(held, needs, tight(quota_bytes), NOW)
    gone = {one.held.digest for one in decision.removals}
    kinds = {one.digest: standing(one, needs, NOW) for one in held}
    assert all(kinds[digest] in GOING for digest in gone)
    for one in held:
        if one.digest in gone:
            same = [other for other in held if kinds[other.digest] is kinds[one.digest]]
            assert all(other.digest in gone for other in same if other.used_at < one.used_at)
    left = sum(one.size for one in held) - sum(one.held.size for one in decision.removals)
    assert left == sum(amount.bytes for amount in decision.kept.values())
    if decision.lacking_bytes:
        assert gone == {digest for digest, kind in kinds.items() if kind in GOING}
    elif quota_bytes:
        assert left <= quota_bytes


# Incidents


def event(kind: str, subject: str) -> Event:
    return Event(1, NOW, 0.0, "", kind, subject, {"since": NOW})


async def test_an_archive_that_is_alone_or_shows_two_faces_has_an_incident(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        assert incidents_of(stores(here), [event(BEGUN, "contoso"), event(ENDED, "contoso")]) == {}
        assert list(incidents_of(stores(here), [event(BEGUN, "contoso")])) == ["contoso"]
        here.catalogue.note_look(Look(DEBIAN, "stable", int(NOW), True, "confirmed", "two Releases of one Date"))
        assert incidents_of(stores(here), []) == {DEBIAN: "stable: two Releases of one Date"}


# A real store


HELLO_PATH, OTHER = "pool/main/h/hello/hello_1.0_amd64.deb", "pool/main/o/other/other_1.0_amd64.deb"


def gone(swept: Swept) -> dict[str, Standing]:
    return {one.path: one.standing for one in swept.removed}


async def filled(here: House, archive: SimulatedArchive) -> None:
    """The house serves two packages and holds them; clients use one of them."""
    await here.adopt()
    for path in (HELLO_PATH, OTHER):
        assert await here.fetch(path) == archive.read(path)
    here.holds.note_used([PackageKey(DEBIAN, "stable", "main", "amd64", "hello")], int(time.time()))
    age(here)


@pytest.fixture
def archive(archive: SimulatedArchive) -> SimulatedArchive:
    if OTHER not in [one.path for one in archive.suites["stable"].packages]:
        archive.add_package("other", "1.0")
        archive.publish()
    return archive


async def test_a_full_store_keeps_what_is_served_and_wanted_and_tells_what_went(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        archive.update_package("hello", "1.1")
        archive.publish()
        await here.adopt()
        newer = archive.suites["stable"].packages[-1].path
        assert "1.1" in newer
        assert await here.fetch(newer) is not None
        age(here)
        swept = await sweeping(here, time.time()).sweep()
        assert gone(swept) == {f"debian {HELLO_PATH}": Standing.REPLACED, f"debian {OTHER}": Standing.UNWANTED}
        assert swept.decision.lacking_bytes > 0
        assert {Standing.SNAPSHOT, Standing.GENERATION, Standing.WANTED} <= {
            kind for kind, amount in swept.decision.kept.items() if amount.blobs
        }
        assert here.blobs.size(sha256(archive.read(newer))) is not None
        assert_coherent(here, keys)
        first, second = await here.events("removed", 2)
        assert (first.subject, first.data["blobs"], first.data["paths"]) == ("replaced", 1, f"debian {HELLO_PATH}")
        assert "that it may have" in str(second.data["reason"])
        (full,) = await here.events("store-full")
        assert full.data["lacking_bytes"] == swept.decision.lacking_bytes
        assert await here.fetch(OTHER) == archive.read(OTHER)


async def test_what_is_used_between_the_decision_and_its_turn_stays(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        used = sha256(archive.read(OTHER))
        swept = await sweeping(here, time.time(), meanwhile=lambda: here.blobs.touch(used, time.time())).sweep()
        assert [one.path for one in swept.decision.removals] == [f"debian {OTHER}"]
        assert swept.removed == ()
        assert here.blobs.size(used) is not None


async def test_a_store_that_has_room_again_says_so_once_in_a_life_and_after_each_lack(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        keeping = sweeping(here, time.time())
        lack = replace((await keeping.look()).decision, lacking_bytes=7)
        enough = replace(lack, lacking_bytes=0)
        for decision in (enough, enough, lack, lack, enough, enough):
            keeping._note_lack(decision)
        assert len(await here.events("store-has-room", 2)) == 2
        (full,) = await here.events("store-full")
        assert full.data["lacking_bytes"] == 7


async def test_looking_removes_nothing(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        before = sorted(here.blobs.digests())
        assert len((await sweeping(here, time.time()).look()).decision.removals) == 1
        assert sorted(here.blobs.digests()) == before


async def test_a_lost_catalogue_costs_no_blob(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        before = sorted(here.blobs.digests())
    for file in (tmp_path / "cache").glob("catalogue.db*"):
        file.unlink()
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        swept = await sweeping(here, time.time() + 365 * DAY_S).sweep()
        assert swept.removed == ()
        assert sorted(here.blobs.digests()) == before


async def test_old_generations_go_once_their_time_is_over(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        packages = sha256(archive.read("dists/stable/main/binary-amd64/Packages.xz"))
        archive.update_package("hello", "1.1")
        archive.publish()
        await here.adopt()
        age(here)
        wide = StoreSettings(free_bytes_min=0)
        assert (await sweeping(here, time.time(), wide).sweep()).removed == ()
        assert here.catalogue.retire(int(time.time()) + 10) == 1
        swept = await sweeping(here, time.time(), wide).sweep()
        assert packages in [one.held.digest for one in swept.removed]
        assert set(gone(swept).values()) == {Standing.UNLISTED}
        assert_coherent(here, keys)


async def test_a_store_beyond_its_quota_is_swept_without_being_asked(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tidegate.holding.sweeping.LOOK_EVERY_S", 0.01)
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        running = asyncio.create_task(sweeping(here, time.time()).run())
        await until(lambda: here.blobs.size(sha256(archive.read(OTHER))) is None)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert_coherent(here, keys)


async def test_what_cannot_be_swept_is_told_and_ends_nothing(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tidegate.holding.sweeping.LOOK_EVERY_S", 0.01)

    def failing() -> Decision:
        raise OSError(5, "Input/output error")

    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await filled(here, archive)
        told: list[str] = []
        failed = Sweeping(here.blobs, here.pen, TIGHT, failing)
        failed.told.append(told.append)
        running = asyncio.create_task(failed.run())
        await until(lambda: bool(told))
        assert not running.done()
        assert "Input/output error" in told[0]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
