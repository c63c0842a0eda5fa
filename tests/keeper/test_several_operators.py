"""Freshness over several operators: the newest accepted Release wins, and each source is held against it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.keeper.house import (
    DEBIAN,
    INRELEASE,
    House,
    ServerFactory,
    archive_of,
    assert_coherent,
    house,
    run_until,
    settings,
    until,
)
from tests.simulator import attacks
from tests.simulator.answer import Style
from tests.simulator.archive import SimulatedArchive
from tests.simulator.faults import Fault, HtmlPage, Silence, Status, Substitute
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.sources.sinks import answered
from tidegate.keeper.outcome import Adopted, Confirmed, NotAdopted
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources.breaker import Cause, State
from tidegate.trust.verdict import Reason
from tidegate.web.report import SuiteReport, suites_of

BASE = "dists/stable/"
FIRST_CONTACT_S = 2.0
QUICK = settings(ask_more_after_s=0.1, straggler_grace_s=0.1)
PATIENT = settings(straggler_grace_s=20.0)


def report_of(here: House) -> SuiteReport:
    """What `tidegate status` says of the suite."""
    now = int(time.time() + here.clock_s)
    return next(one for one in suites_of([here.archive], here.catalogue, here.marks, now) if one.suite == "stable")


@contextmanager
def quickly() -> Iterator[None]:
    """What a client may be kept waiting by sources that do not answer."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < FIRST_CONTACT_S


def generations(archive: SimulatedArchive, count: int) -> list[Path]:
    """So many publications of the archive, oldest first, each with news."""
    made = [archive.generation(archive.published)]
    while len(made) < count:
        archive.update_package("hello", f"1.{len(made)}")
        made.append(archive.generation(archive.publish()))
    return made


# Who is asked, and who wins


async def test_a_look_asks_several_operators_at_once_and_the_newest_release_wins(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    old, new = generations(archive, 2)
    lagging, current, third = serve(root=old), serve(root=new), serve(root=old)
    async with house(tmp_path, archive_of(keys, lagging, current, third), keeper=PATIENT) as here:
        snapshot = await here.adopt()
        assert snapshot.date == archive.release_date()
        assert snapshot.source == current.url
        assert [len(one.asked(INRELEASE)) for one in (lagging, current, third)] == [1, 1, 1]
        assert_coherent(here, keys)


async def test_of_many_operators_a_few_are_asked_as_long_as_one_of_them_does(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    servers = [serve() for _ in range(5)]
    async with house(tmp_path, archive_of(keys, *servers), keeper=settings(ask_operators=2)) as here:
        await here.adopt()
    assert sum(len(one.asked(INRELEASE)) for one in servers) == 2


async def test_one_honest_source_is_found_behind_any_that_are_silent_or_wrong(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    faults: list[Fault] = [Silence(), Silence(), HtmlPage(), Status(404)]
    wrong = [serve() for _ in faults]
    for server, fault in zip(wrong, faults, strict=True):
        server.fault(fault)
    honest = serve()
    narrow = settings(ask_operators=2, ask_more_after_s=0.1, straggler_grace_s=0.1)
    async with house(tmp_path, archive_of(keys, *wrong, honest), keeper=narrow) as here:
        assert (await here.adopt()).source == honest.url
        assert_coherent(here, keys)


async def test_a_client_of_an_unknown_suite_is_not_kept_waiting_by_a_source_that_is_silent(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    silent, honest, other = serve(), serve(), serve()
    silent.fault(Silence())
    async with house(tmp_path, archive_of(keys, silent, honest, other, suites=())) as here:
        with quickly():
            assert await here.keeper.ensure(DEBIAN, "stable") is None


async def test_a_client_is_not_kept_waiting_where_the_whole_first_wave_is_silent(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    silent = [serve() for _ in range(3)]
    for server in silent:
        server.fault(Silence())
    async with house(tmp_path, archive_of(keys, *silent, serve(), suites=())) as here:
        with quickly():
            assert await here.keeper.ensure(DEBIAN, "stable") is None


async def test_a_source_that_was_late_once_is_not_waited_for_again_until_it_is_prompt(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    archive.add_package("new", suite="testing")
    archive.publish()
    prompt, late = serve(), serve()
    gate = late.hold(None, INRELEASE)
    async with house(tmp_path, archive_of(keys, prompt, late), keeper=settings(straggler_grace_s=0.3)) as here:
        await here.adopt()
        begun = time.monotonic()
        await here.look()
        assert time.monotonic() - begun < 0.3
        gate.release()
        await until(lambda: len(report_of(here).confirmed_by) == 2)
        await here.look("testing")  # is answered at once
        again = late.hold(None, INRELEASE)
        begun = time.monotonic()
        await here.look()
        assert time.monotonic() - begun >= 0.3
        again.release()


async def test_news_that_come_after_everybody_stopped_waiting_are_taken_all_the_same(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    old, new = generations(archive, 2)
    lagging, slow = serve(root=old), serve(root=new)
    gate = slow.hold(None, INRELEASE)
    async with house(tmp_path, archive_of(keys, lagging, slow), keeper=QUICK) as here:
        first = await here.adopt()
        assert first.source == lagging.url
        gate.release()
        await until(lambda: (served := here.served()) is not None and served.source == slow.url)
        assert len(slow.asked(INRELEASE)) == 1
        assert_coherent(here, keys)


async def test_a_late_answer_is_no_news_once_something_newer_was_adopted(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    old, middle, new = generations(archive, 3)
    current, slow = serve(root=old), serve(root=middle)
    gate = slow.hold(None, INRELEASE)
    async with house(tmp_path, archive_of(keys, current, slow), keeper=QUICK) as here:
        await here.adopt()
        current.root = new
        snapshot = await here.adopt()
        looked = len(here.looked)
        gate.release()
        await until(lambda: BASE in here.fetching.health.of(slow.url).behind)
        assert here.served() == snapshot
        assert len(here.looked) == looked


# Confirmed by


async def test_what_is_served_says_which_operators_showed_it_and_when(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """The second look gets three times `not modified`: each is said of the very Release that is served."""
    servers = [serve() for _ in range(3)]
    async with house(tmp_path, archive_of(keys, *servers), keeper=PATIENT) as here:
        await here.adopt()
        here.clock_s += 600
        assert isinstance(await here.look(), Confirmed)
        assert isinstance(await here.look(), Confirmed)
        report = report_of(here)
        assert report.confirmed_by == tuple(sorted(server.url for server in servers))
        assert report.confirmed_at is not None
        assert report.confirmed_at >= int(time.time()) + 590
    for server in servers:
        assert 304 in [status for _, status in await answered(server)]
    async with house(tmp_path, archive_of(keys, *servers)) as here:
        assert report_of(here).confirmed_by == report.confirmed_by


async def test_a_confirmation_that_comes_late_counts(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    first, slow = serve(), serve()
    gate = slow.hold(None, INRELEASE)
    async with house(tmp_path, archive_of(keys, first, slow), keeper=QUICK) as here:
        assert (await here.adopt()).confirmed_by == (first.url,)
        gate.release()
        await until(lambda: len(report_of(here).confirmed_by) == 2)


# Behind


async def test_a_source_that_stands_still_is_behind_once_another_shows_newer_though_it_says_not_modified(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threat 10."""
    old, new = generations(archive, 2)
    moving, still = serve(root=old), serve(root=old)
    async with house(tmp_path, archive_of(keys, moving, still), keeper=PATIENT) as here:
        await here.adopt()
        await here.look()
        moving.root = new
        still.forget()
        await here.adopt()
        assert [status for _, status in await answered(still)] == [304]
        (event,) = await here.events("behind")
        assert (event.data["source"], event.data["behind_s"]) == (still.url, 60)
        assert here.fetching.health.of(still.url).behind == {BASE: 60}
        await here.look()
        still.root = new
        await here.look()
        assert here.fetching.health.of(still.url).behind == {}
        assert set(report_of(here).confirmed_by) == {moving.url, still.url}
        assert len(await here.events("behind")) == 1


async def test_an_older_release_than_was_ever_accepted_is_refused_and_its_source_is_behind(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threats 8 and 9: the mark is all that is left of what was accepted."""
    old, new = generations(archive, 2)
    async with house(tmp_path / "house", archive_of(keys, serve(root=new))) as here:
        await here.adopt()
    (tmp_path / "house/cache/catalogue.db").unlink()
    lagging = serve(root=old)
    async with house(tmp_path / "house", archive_of(keys, lagging)) as here:
        assert Reason.OLDER_THAN_ACCEPTED in await here.refused()
        assert here.served() is None
        assert here.fetching.health.of(lagging.url).behind == {BASE: 60}
        await here.refused()
        assert len(await here.events("refused")) == 1


# Wrong


async def test_who_shows_what_nobody_trusted_signed_while_another_does_better_is_out_for_that_and_not_unreachable(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threats 2 and 5."""
    for broken in (attacks.signed_by_unknown, attacks.unsigned, attacks.bad_second_signature):
        honest = serve(root=archive.generation(archive.published))
        broken(archive)
        liar = serve(root=archive.generation(archive.published))
        async with house(tmp_path / broken.__name__, archive_of(keys, liar, honest), keeper=PATIENT) as here:
            assert (await here.adopt()).source == honest.url
            breaker = here.fetching.health.of(liar.url).breaker
            assert (breaker.state, breaker.cause) == (State.OPEN, Cause.VIOLATION)
            assert here.fetching.health.of(honest.url).breaker.state is State.CLOSED
            liar.forget()
            assert isinstance(await here.look(), Confirmed)
            assert liar.asked() == []
        archive.publish()


async def test_where_every_source_shows_the_same_none_of_them_is_out_for_it(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """A captive portal, or a keyring without the vendor's new key: what the archive lists can still be fetched."""
    servers = [serve(), serve()]
    async with house(tmp_path, archive_of(keys, *servers), keeper=PATIENT) as here:
        await here.adopt()
        for server in servers:
            server.fault(HtmlPage(), "dists/*Release*")
        here.clock_s += 900
        assert Reason.UNSIGNED in await here.refused()
        assert all(here.fetching.health.of(server.url).breaker.state is State.CLOSED for server in servers)


@pytest.mark.parametrize("attack", [attacks.future_release, attacks.expired_release])
async def test_a_release_from_the_future_or_past_its_end_is_passed_over_and_no_violation(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path, attack: Any
) -> None:
    """Threat 11."""
    honest = serve(root=archive.generation(archive.published))
    attack(archive)
    wrong = serve(root=archive.generation(archive.published))
    async with house(tmp_path, archive_of(keys, wrong, honest), keeper=PATIENT) as here:
        assert (await here.adopt()).source == honest.url
        assert here.fetching.health.of(wrong.url).breaker.state is State.CLOSED
        assert len(await here.events("refused")) == 1


# Split view and quorum


async def test_two_contents_under_one_date_are_an_alarm_and_what_is_served_stays(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threat 14."""
    first = serve(root=archive.generation(archive.published))
    alarms: list[str] = []
    async with house(tmp_path, archive_of(keys, first), keeper=PATIENT) as here:
        snapshot = await here.adopt()
    attacks.same_date_other_content(archive)
    second = serve(root=archive.generation(archive.published))
    async with house(tmp_path, archive_of(keys, first, second), keeper=PATIENT) as here:
        here.keeper.alarmed.append(lambda key, kind, sentence: alarms.append(f"{kind} {sentence}"))
        assert isinstance(await here.look(), Confirmed)
        served = here.served()
        assert served is not None
        assert served.id == snapshot.id
        (event,) = await here.events("split-view")
        assert event.data["payload"] == served.payload.hex()
        assert event.data["other_payload"] != event.data["payload"]
        assert (event.data["source"], event.data["other_source"]) == ("", second.url)
        assert report_of(here).alarm is not None
        assert second.url in str(report_of(here).alarm)
        assert alarms == [f"split-view {report_of(here).alarm}"]
        second.root = first.root
        await here.look()
        assert report_of(here).alarm is None


async def test_of_two_newer_releases_of_one_date_the_one_that_more_operators_show_is_taken(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threat 14."""
    old, new = generations(archive, 2)
    attacks.same_date_other_content(archive)
    other = archive.generation(archive.published)
    servers = [serve(root=old) for _ in range(3)]
    async with house(tmp_path, archive_of(keys, *servers), keeper=PATIENT) as here:
        snapshot = await here.adopt()
        servers[0].root, servers[1].root = other, new
        assert "two Releases carry the Date" in await here.refused()
        assert here.served() == snapshot
        assert len(await here.events("split-view")) == 1
        servers[2].root = new
        assert (await here.adopt()).confirmed_by == tuple(sorted((servers[1].url, servers[2].url)))
        assert report_of(here).alarm is not None


async def test_two_newer_releases_of_one_date_that_as_many_show_wait_only_for_so_long(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    old, new = generations(archive, 2)
    attacks.same_date_other_content(archive)
    first, second = serve(root=old), serve(root=old)
    async with house(tmp_path, archive_of(keys, first, second), keeper=PATIENT) as here:
        await here.adopt()
        first.root, second.root = archive.generation(archive.published), new
        await here.refused()
        here.clock_s += here.keeper._settings.quorum_wait_s + 60
        await here.adopt()


async def test_with_a_quorum_a_newer_release_waits_until_so_many_operators_show_it(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threat 14."""
    old, new = generations(archive, 2)
    servers = [serve(root=old) for _ in range(3)]
    async with house(tmp_path, archive_of(keys, *servers), keeper=settings(quorum=2)) as here:
        await here.adopt()
        mark = here.marks.get(DEBIAN, "stable")
        servers[2].root = new
        assert "1 of 2 operators show it (quorum)" in await here.refused()
        assert here.marks.get(DEBIAN, "stable") == mark
        servers[0].root = new
        assert (await here.adopt()).confirmed_by == tuple(sorted((servers[0].url, servers[2].url)))


async def test_a_quorum_that_nobody_else_helps_to_delays_a_release_only_for_so_long(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    old, new = generations(archive, 2)
    moving, still = serve(root=old), serve(root=old)
    waiting = settings(quorum=2, quorum_wait_s=1000.0)
    async with house(tmp_path, archive_of(keys, moving, still), keeper=waiting) as here:
        await here.adopt()
        moving.root = new
        await here.refused()
        here.clock_s += 900
        await here.refused()
        here.clock_s += 200
        await here.adopt()


async def test_a_quorum_of_more_operators_than_there_are_is_one_of_all_of_them(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server), keeper=settings(quorum=3)) as here:
        await here.adopt()
        generations(archive, 2)
        await here.adopt()


# Torn


async def test_where_the_newest_set_is_nowhere_whole_the_next_newest_is_adopted(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threat 13."""
    old, middle, new = generations(archive, 3)
    torn, whole = serve(root=old), serve(root=old)
    async with house(tmp_path, archive_of(keys, torn, whole), keeper=PATIENT) as here:
        await here.adopt()
        torn.root, whole.root = new, middle
        torn.fault(Status(404), "*Packages*")
        torn.fault(Status(404), "*by-hash*")
        snapshot = await here.adopt()
        assert snapshot.source == whole.url
        assert "incomplete" in await here.refused()
        assert here.served() is not None
        assert_coherent(here, keys)
        whole.root = new
        await here.adopt()
        assert_coherent(here, keys)


async def test_a_torn_set_is_tried_again_after_seconds(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    server = serve()
    server.fault(Status(404), "*Packages*", times=1)
    server.fault(Status(404), "*by-hash*", times=1)
    soon = settings(retry_first_s=0.01)
    async with house(tmp_path, archive_of(keys, server), keeper=soon) as here:
        await run_until(here, lambda: here.served() is not None)
        assert isinstance(here.looked[0][1], NotAdopted)
        assert_coherent(here, keys)


# Freeze


async def test_a_suite_that_is_silent_beyond_its_own_rhythm_while_another_moves_is_reported(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threat 10."""
    archive.add_package("new", suite="testing")
    archive.publish()
    server = serve(style=Style(conditional=False))
    async with house(tmp_path, archive_of(keys, server, suites=("stable", "testing"))) as here:
        for number in range(7):
            archive.update_package("hello", f"2.{number}")
            archive.publish("stable")
            await here.adopt()
        here.clock_s += 3 * 86_400
        assert isinstance(await here.look(), Confirmed)
        assert report_of(here).possible_freeze is None
        archive.clock += 3 * 86_400
        archive.publish("testing")
        await here.adopt("testing")
        await here.look()
        await here.look()
        (event,) = await here.events("possible-freeze")
        assert event.subject == "debian stable"
        assert "testing moved on" in str(event.data["reason"])
        assert report_of(here).possible_freeze is not None


# Recovery


async def test_looks_that_nobody_waits_for_take_turns_and_a_client_waits_for_none_of_them(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    suites = [f"suite{number}" for number in range(8)]
    for name in suites:
        archive.add_package("new", suite=name)
    archive.publish()
    server = serve()
    slowly = settings(background_requests_per_minute=8)
    async with house(tmp_path, archive_of(keys, server, suites=tuple(suites)), keeper=slowly) as here:
        running = asyncio.create_task(here.keeper.run())
        await until(lambda: len(here.looked) == 2)
        asked = {key[1] for key, _ in here.looked}
        waiting = next(name for name in suites if name not in asked)
        with quickly():
            assert await here.keeper.ensure(DEBIAN, waiting) is None
        assert len(here.looked) == 3
        assert len(server.asked("*InRelease")) == 3
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_suites_that_wait_for_a_source_come_back_when_it_answers_again(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    server = serve()
    server.refuse()
    seldom = settings(retry_first_s=3600.0, recovery_spread_s=0.01)
    configured = archive_of(keys, server, suites=("stable", "testing"))
    archive.add_package("new", suite="testing")
    archive.publish()
    async with house(tmp_path, configured, keeper=seldom) as here:
        running = asyncio.create_task(here.keeper.run())
        await until(lambda: len(here.looked) == 2)
        assert here.catalogue.served() == ()
        server.accept()
        await here.keeper.ensure(DEBIAN, "stable")
        await until(lambda: len(here.catalogue.served()) == 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_keeper_that_is_closed_leaves_nobody_asking(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    first, silent = serve(), serve()
    silent.fault(Silence())
    before = asyncio.all_tasks()
    async with house(tmp_path, archive_of(keys, first, silent), keeper=KeeperSettings(straggler_grace_s=0.0)) as here:
        assert isinstance(await here.look(), Adopted)
        here.keeper.look(DEBIAN, "elsewhere")
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_source_that_gave_another_suites_release_is_no_witness(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    archive.add_package("new", suite="testing")
    archive.publish()
    honest, mixed = serve(), serve()
    mixed.fault(Substitute(archive.read("dists/testing/InRelease")), INRELEASE)
    async with house(tmp_path, archive_of(keys, mixed, honest), keeper=PATIENT) as here:
        assert (await here.adopt()).confirmed_by == (honest.url,)
        assert here.fetching.health.of(mixed.url).breaker.cause is Cause.VIOLATION
