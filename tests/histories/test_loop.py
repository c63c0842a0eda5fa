"""The loop of histories: its time is virtual, and nothing in it is left to the machine."""

import asyncio
import time

import pytest

from tests.histories.loop import THREAD_S, Clock, StuckError, VirtualLoop


@pytest.fixture
def clock() -> Clock:
    """One whose wall clock began in 2024."""
    return Clock(1_717_200_000.0)


def test_an_hour_of_sleep_takes_no_time_and_all_of_it(clock: Clock) -> None:
    loop, began, real = VirtualLoop(clock), clock.time(), time.monotonic()
    loop.run_until_complete(asyncio.sleep(3_600.0))
    loop.close()
    assert clock.time() - began == 3_600.0
    assert time.monotonic() - real < 1.0


def test_timers_ring_in_the_order_of_their_times(clock: Clock) -> None:
    loop, rang = VirtualLoop(clock), list[float]()

    async def ring(after_s: float) -> None:
        await asyncio.sleep(after_s)
        rang.append(after_s)

    async def story() -> None:
        await asyncio.gather(*(ring(after_s) for after_s in (3.0, 1.0, 2.0)))

    loop.run_until_complete(story())
    loop.close()
    assert rang == [1.0, 2.0, 3.0]


def test_what_belongs_into_a_thread_is_done_a_moment_later_and_its_error_comes_back(clock: Clock) -> None:
    loop, began = VirtualLoop(clock), clock.monotonic()

    def fail() -> None:
        raise OSError("no")

    async def story() -> None:
        assert await asyncio.to_thread(int, "7") == 7
        with pytest.raises(OSError, match="no"):
            await asyncio.to_thread(fail)

    loop.run_until_complete(story())
    loop.close()
    assert clock.monotonic() - began == pytest.approx(2 * THREAD_S)


def test_waiting_for_what_nobody_will_do_is_told_and_not_waited_for(clock: Clock) -> None:
    loop = VirtualLoop(clock)

    async def story() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StuckError):
        loop.run_until_complete(story())
    assert len(loop.end()) == 1


def test_a_set_of_tasks_has_the_order_of_their_births(clock: Clock) -> None:
    loop = VirtualLoop(clock)

    async def story() -> list[str]:
        begun = {asyncio.create_task(asyncio.sleep(0), name=f"{number}") for number in range(8)}
        done, _ = await asyncio.wait(begun)
        return [task.get_name() for task in done]

    names = loop.run_until_complete(story())
    loop.close()
    assert names == [f"{number}" for number in range(8)]


def test_an_error_that_nobody_fetched_is_a_complaint(clock: Clock) -> None:
    loop = VirtualLoop(clock)

    def fail() -> None:
        raise ValueError("of the loop")

    loop.call_later(1.0, fail)
    loop.advance_to(clock.monotonic() + 2.0)
    loop.close()
    assert len(loop.complaints) == 1
    assert "of the loop" in loop.complaints[0]
