"""What an upgrade newly needs is known, and here, before anybody hears of the upgrade."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.holding.stanzas import stanza
from tests.holding.test_hot_set import CODENAMES
from tests.holding.test_prefetch import holds, settings, use
from tests.keeper.house import DEBIAN, archive_of, house
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tests.store.holds_contract import key, used
from tidegate.archive.packages import parse_packages
from tidegate.holding import prefetching
from tidegate.holding.expand import Offering
from tidegate.holding.hot_set import Hot, place_of
from tidegate.holding.prefetch import Fresh, fresh_pieces
from tidegate.holding.universe import HeldIndex
from tidegate.holding.upgrade import fresh
from tidegate.holding.upgrade_process import FreshNeeds, UpgradeError, fresh_in_process
from tidegate.store.catalogue import Listed, Snapshot, SuiteKey

BASE = stanza("base", Essential="yes")
OLD = (BASE, stanza("web", Depends="libweb, libc"), stanza("libweb", Depends="libc"), stanza("libc"), stanza("other"))


def offering(*stanzas: bytes, suite: str = "stable", archive: str = "debian") -> Offering:
    place = place_of(archive, suite, f"dists/{suite}/main/binary-amd64/Packages", CODENAMES)
    names = frozenset(one.name for one in parse_packages(stanzas))
    return Offering(HeldIndex(place, [b"".join(stanzas)]), names, frozenset({"amd64"}))


def hot(offered: Offering, *stanzas: bytes) -> list[Hot]:
    return [Hot(offered.place, one, (used(key(one.name)),)) for one in parse_packages(stanzas)]


def needs(before: Sequence[Offering], after: Sequence[Offering], news: Iterable[Hot]) -> set[tuple[str, str, str]]:
    found = fresh(list(news), before, after)
    return {(one.by, one.place.suite, f"{one.package.name} {one.package.version}") for one in found}


def upgraded(*newer: bytes) -> set[tuple[str, str, str]]:
    """`web` is news, in `stable`."""
    names = {one.name for one in parse_packages(newer)}
    kept = [one for one in OLD if next(iter(parse_packages([one]))).name not in names]
    after = offering(*kept, *newer)
    return needs([offering(*OLD)], [after], hot(after, *(one for one in newer if b"Package: web\n" in one)))


@pytest.mark.parametrize(
    ("depends", "fresh_names"),
    [
        ("libweb, libc", set()),
        ("libc", set()),
        ("libweb, libc, libnew", {"libnew 1", "libdeep 1"}),
        ("libweb, libc (>= 2)", {"libc 2"}),
        ("libweb, libc, libweb | libnew", set()),
        ("libweb, libc, other", {"other 1"}),
    ],
)
def test_what_the_newer_version_needs_and_the_one_before_did_not_is_fresh(depends: str, fresh_names: set[str]) -> None:
    newer = (stanza("web", "2", Depends=depends), stanza("libnew", Depends="libdeep"), stanza("libdeep"))
    found = upgraded(*newer, stanza("libc", "2"))
    assert found == {("web", "stable", name) for name in fresh_names}


def test_what_is_newly_recommended_counts_since_apt_takes_it_along() -> None:
    newer = (stanza("web", "2", Depends="libweb", Recommends="libnew"), stanza("libnew"))
    assert upgraded(*newer) == {("web", "stable", "libnew 1")}


def test_what_cannot_be_had_is_not_looked_for() -> None:
    assert upgraded(stanza("web", "2", Depends="nowhere"), stanza("libnew")) == set()


def test_fresh_needs_of_a_security_update_may_stand_in_the_release() -> None:
    release = offering(*OLD, stanza("libold"))
    newer = stanza("web", "2", Depends="libweb, libold, libnew")
    security = offering(newer, stanza("libnew"), suite="stable-security", archive="debian-security")
    found = needs([release], [release, security], hot(security, newer))
    assert found == {("web", "stable", "libold 1"), ("web", "stable-security", "libnew 1")}


def test_a_package_that_no_host_can_have_yet_upgrades_nothing() -> None:
    newer = stanza("brandnew", Depends="libnew")
    after = offering(*OLD, newer, stanza("libnew"))
    assert needs([offering(*OLD)], [after], hot(after, newer)) == set()


def test_files_come_by_the_suites_that_list_them_the_smallest_first() -> None:
    place = offering(*OLD).place
    big, small = (
        Fresh("web", place, next(iter(parse_packages([stanza(name, Size=size)]))))
        for name, size in (("big", "20"), ("small", "5"))
    )
    ((suite, pieces),) = fresh_pieces([big, small, big]).items()
    assert suite == (DEBIAN, "stable")
    assert [one.name for one in pieces] == ["small", "big"]


async def test_what_an_upgrade_of_a_used_package_needs_is_held_when_the_switch_comes_and_stays_wanted(
    archive: SimulatedArchive, source_server: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, source_server), hold=settings()) as here:
        here.prefetch._fresh = fresh_in_process(here.layout)  # as in a running gateway
        await here.adopt()
        use(here, "hello")
        fresh_one, deep = archive.add_package("libnew", depends="libdeep"), archive.add_package("libdeep")
        unneeded = archive.add_package("unneeded")
        archive.update_package("hello", "1.1", depends="libnew")
        archive.publish()
        switched_with: list[bool] = []
        adopting = here.catalogue.adopt

        def adopt(adoption: object) -> Snapshot:
            digests = [bytes.fromhex(one.file.sha256) for one in (fresh_one, deep)]
            switched_with.extend(here.blobs.size(digest) is not None for digest in digests)
            return adopting(adoption)  # type: ignore[arg-type]  # what it is called with

        here.catalogue.adopt = adopt  # type: ignore[method-assign]  # to see what is there at that moment
        await here.adopt()
        assert switched_with == [True, True]
        assert not holds(here, unneeded.path)
        (event,) = await here.events("prefetched")
        assert event.data["packages"] == 3
        assert [one.why for one in here.holds.named("libdeep")] == ["needed by an upgrade of hello"]
        newer = archive.update_package("libnew", "1.1", depends="libdeep")
        archive.publish()
        await here.adopt()
        assert holds(here, newer.path), "although no client has asked for it yet"


async def test_what_upgrades_need_and_nobody_gives_is_told_with_the_switch(
    archive: SimulatedArchive, source_server: SourceServer, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(archive.keys, source_server), hold=settings()) as here:
        await here.adopt()
        use(here, "hello")
        fresh_one = archive.add_package("libnew")
        archive.update_package("hello", "1.1", depends="libnew")
        archive.publish()
        archive.delete(fresh_one.path)
        assert "it lists what no source gives: libnew 1.0 (amd64)" in await here.refused()
        here.prefetch.reconfigure({DEBIAN: here.archive}, settings(torn_wait_s=0.0))
        await here.adopt()
        (event,) = await here.events("adopted-incomplete")
        assert (event.data["missing"], event.data["packages"]) == (1, "libnew 1.0 (amd64)")
        assert [lack.piece.name for lack in here.prefetch.missing[DEBIAN, "stable"]] == ["libnew"]


@pytest.mark.parametrize("kind", ["broken", "slow"])
async def test_a_switch_comes_in_time_where_fresh_needs_cannot_be_told(
    archive: SimulatedArchive, source_server: SourceServer, tmp_path: Path, kind: str
) -> None:
    async def fresh_or_not(key: SuiteKey, indices: Sequence[Listed], forget_after_s: float) -> tuple[Fresh, ...]:
        if kind == "broken":
            raise UpgradeError("it broke")
        await asyncio.sleep(60.0)
        return ()

    limits = settings(prefetch_s=0.5) if kind == "slow" else settings()
    async with house(tmp_path, archive_of(archive.keys, source_server), hold=limits) as here:
        here.prefetch._fresh = fresh_or_not
        await here.adopt()
        use(here, "hello")
        hello = archive.update_package("hello", "1.1")
        archive.publish()
        begun = time.monotonic()
        await here.adopt()
        assert time.monotonic() - begun < 10.0
        assert holds(here, hello.path)
        (event,) = await here.events("prefetch-failed")
        assert event.data["reason"] in ("it broke", "what upgrades newly need could not be worked out in time")


async def test_no_child_is_started_where_nothing_that_is_wanted_has_news(
    archive: SimulatedArchive, source_server: SourceServer, tmp_path: Path
) -> None:
    async def never(key: SuiteKey, indices: Sequence[Listed], forget_after_s: float) -> tuple[Fresh, ...]:
        raise AssertionError("it was asked for")

    asked: FreshNeeds = never
    async with house(tmp_path, archive_of(archive.keys, source_server), hold=settings()) as here:
        here.prefetch._fresh = asked
        await here.adopt()
        use(here, "hello")
        archive.add_package("other")
        archive.publish()
        await here.adopt()
        assert prefetching.NOT_YET in {lack.reason for lack in here.prefetch.missing[DEBIAN, "stable"]}
