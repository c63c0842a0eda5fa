"""All sources of an archive are out: whom a client is still made to wait for, and since when that is."""

import asyncio
from pathlib import Path

import pytest

from tests.sources.flying import HEALTH, PATH, place, wanted
from tests.sources.standing import DEB, NOW, A, B, C, Clock, failed
from tidegate.sources.alone import PASSING_S, UNTRIED_S, out_since
from tidegate.sources.archive import Reach, source_of
from tidegate.sources.breaker import State
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import Health
from tidegate.sources.selection import Plan, plan
from tidegate.sources.settings import HealthSettings

LATE_S = HealthSettings().alone_after_s


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def health(now: Clock) -> Health:
    made = Health(now=now, random=lambda: 0.0)
    made.probed = True
    return made


def planned(health: Health) -> Plan:
    return plan((A, B), (DEB,), health, health.now())


def tried_in_vain(health: Health, now: Clock, until: float) -> None:
    """Probes find both sources out whenever they are due."""
    while now.now < until:
        for one in (A, B):
            if now.now >= health.of(one.url).breaker.until:
                health.asked(one.url)
                failed(health, one, Failure.UNREACHABLE)
        now.now += 0.25


def test_once_all_have_been_out_for_a_while_nobody_is_asked_for_a_client_not_even_who_is_due(
    health: Health, now: Clock
) -> None:
    failed(health, A, Failure.UNREACHABLE)
    now.now += 3
    assert planned(health).candidates
    failed(health, B, Failure.UNREACHABLE)
    began = now.now
    assert planned(health).alone is None
    tried_in_vain(health, now, began + LATE_S)
    for _ in range(400):
        lost = planned(health)
        assert lost.candidates == ()
        assert lost.alone is not None
        assert lost.alone.since == began
        assert lost.alone.is_lasting == (now.now - began >= PASSING_S)
        assert lost.alone.said == "not held, and all 2 sources are out since 22:13 UTC"
        assert {one.source for one in lost.excluded} == {A.url, B.url}
        tried_in_vain(health, now, now.now + 0.25)


def test_the_first_right_answer_ends_it(health: Health, now: Clock) -> None:
    for one in (A, B):
        failed(health, one, Failure.UNREACHABLE)
    tried_in_vain(health, now, NOW + 3600)
    assert planned(health).alone is not None
    now.now = health.of(A.url).breaker.until
    health.asked(A.url)
    health.answered(A.url, 0.1)
    assert planned(health).alone is not None, "what it gives may yet turn out wrong"
    health.vouched(A.url)
    assert planned(health).alone is None
    assert planned(health).candidates[0].source == A
    assert out_since((A, B), health) is None


def test_without_probes_a_client_finds_out_whether_a_source_is_back_and_the_others_do_not_wait(
    health: Health, now: Clock
) -> None:
    health.probed = False
    for one in (A, B):
        failed(health, one, Failure.UNREACHABLE)
    tried_in_vain(health, now, NOW + 20)
    assert planned(health).alone is not None
    now.now = health.of(A.url).breaker.until
    assert A in [each.source for each in planned(health).candidates]
    assert planned(health).alone is None


def test_what_nobody_has_tried_for_long_may_be_back_and_is_asked(health: Health, now: Clock) -> None:
    for one in (A, B):
        failed(health, one, Failure.UNREACHABLE)
    tried_in_vain(health, now, NOW + 100)
    now.now = max(health.of(one.url).breaker.until for one in (A, B)) + UNTRIED_S
    assert planned(health).alone is None
    assert [each.source for each in planned(health).candidates] == [A, B]


def test_who_gave_wrong_bytes_is_asked_as_long_as_it_is_there(health: Health, now: Clock) -> None:
    failed(health, A, Failure.WRONG_BYTES)
    failed(health, B, Failure.UNREACHABLE)
    for _ in range(100):
        now.now += 0.5
        if now.now >= health.of(B.url).breaker.until:
            health.asked(B.url)
            failed(health, B, Failure.UNREACHABLE)
    assert planned(health).alone is None
    assert [each.source for each in planned(health).candidates] == [A]
    failed(health, A, Failure.UNREACHABLE)
    assert planned(health).alone is not None


def test_a_source_that_works_now_and_then_is_not_gone(health: Health, now: Clock) -> None:
    failed(health, A, Failure.CUT)
    failed(health, B, Failure.CUT)
    now.now += 0.25
    health.vouched(A.url)  # of a request that was on its way
    now.now += 0.125
    health.of(A.url).last_success_at = int(now.now) + 1
    tried_in_vain(health, now, NOW + LATE_S)
    assert health.of(A.url).breaker.state is State.OPEN
    assert planned(health).alone is None


def test_one_that_lacks_what_is_wanted_is_still_there_and_the_others_are_not_waited_for_in_vain(
    health: Health, now: Clock
) -> None:
    failed(health, B, Failure.UNREACHABLE)
    tried_in_vain(health, now, NOW)
    now.now += 0.1
    assert plan((A, B), (DEB,), health, now.now, without={A.url}).alone is None
    assert plan((), (DEB,), health, now.now).alone is None


def test_what_the_worker_that_probes_finds_of_an_outage_counts_for_the_others_from_its_begin_to_its_end(
    health: Health, now: Clock
) -> None:
    other = Health(now=now, random=lambda: 0.0)
    other.probed = True
    failed(health, A, Failure.UNREACHABLE)
    failed(health, B, Failure.UNREACHABLE)
    failed(other, B, Failure.UNREACHABLE)

    def hear() -> None:
        for one in (A, B):
            other.heard(one.url, health.of(one.url))

    now.now += 1
    hear()
    assert other.of(A.url).breaker.state is State.CLOSED, "it may be for a moment"
    for _ in range(600):
        tried_in_vain(health, now, now.now + 1)
        hear()
    lost = planned(other).alone
    assert lost is not None
    assert lost.since == NOW
    now.now = health.of(A.url).breaker.until
    health.asked(A.url)
    hear()
    assert planned(other).alone is not None
    health.vouched(A.url)
    hear()
    assert planned(other).alone is None
    assert other.of(A.url).breaker.state is State.CLOSED


def test_what_still_gives_here_is_not_out_because_another_worker_cannot_reach_it(health: Health, now: Clock) -> None:
    other = Health(now=now, random=lambda: 0.0)
    failed(health, A, Failure.UNREACHABLE)
    failed(health, B, Failure.UNREACHABLE)
    now.now += 1
    other.succeeded(A.url, size=1, seconds=0.1)
    tried_in_vain(health, now, NOW + 60)
    for one in (A, B):
        other.heard(one.url, health.of(one.url))
    assert other.of(A.url).breaker.state is State.CLOSED
    assert other.of(B.url).breaker.state is State.OPEN


def test_offline_nobody_is_asked_but_folders(health: Health, tmp_path: Path) -> None:
    folder = source_of(str(tmp_path), reach=Reach.ANY, operator="", kind="media")
    health.offline = True
    lost = plan((A, B), (DEB,), health, NOW)
    assert lost.candidates == ()
    assert lost.alone is not None
    assert lost.alone.is_lasting
    assert lost.alone.said == "not held, and this gateway is offline"
    told = plan((A, folder, C), (DEB,), health, NOW)
    assert [each.source for each in told.candidates] == [folder]
    assert {one.source for one in told.excluded} == {A.url, C.url}
    assert all("offline" in one.reason for one in told.excluded)


async def test_a_flight_of_what_nobody_can_give_ends_at_once_and_asks_nobody(tmp_path: Path) -> None:
    here = source_of("http://127.0.0.1:9", reach=Reach.ANY, operator="", kind="mirror")
    rules = HealthSettings(backoff_base_s=1.5, backoff_jitter=0.0, alone_after_s=0.0)
    async with place(tmp_path, health=rules) as spot:
        health = spot.fetching.health
        health.probed = True
        health.failed(here.url, FetchError(Failure.UNREACHABLE, "in a test"))
        clock = asyncio.get_running_loop().time
        began = clock()
        flight = await spot.fetching.hold(wanted(b"data"), [here], (PATH,))
        assert flight.failed
        assert clock() - began < 1.0, "it would have been due in 1.5 s, for which a flight waits otherwise"
        assert flight.failure.startswith("not held, and the only source is out since ")
        assert health.of(here.url).failed == 1
        assert spot.leftovers == []


async def test_offline_no_document_is_asked_for_and_nobody_is_blamed(tmp_path: Path) -> None:
    here = source_of("http://127.0.0.1:9", reach=Reach.ANY, operator="", kind="mirror")
    async with place(tmp_path, health=HEALTH, offline=True) as spot:
        with pytest.raises(FetchError) as failure:
            await spot.fetching.document(here, "dists/s/InRelease", size_max=1000)
        assert failure.value.failure is Failure.OFFLINE
        flight = await spot.fetching.hold(wanted(b"data"), [here], (PATH,))
        assert flight.failure.startswith("not held, and this gateway is offline")
        assert spot.fetching.health.of(here.url).failed == 0
