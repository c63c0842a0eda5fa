"""What pictures are drawn from: nothing outside them, nothing too thin to be seen, sums that are the events'."""

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.incidents.histories import NOW, History
from tidegate.web.pictures import HOWS, THIN, WIDE, answers, lanes, stretch
from tidegate.web.rates import Sample, rates
from tidegate.wiring.kept import Kept

if TYPE_CHECKING:
    from tidegate.store.journal import Value

DAY_S = 86_400.0
moments = st.floats(-2 * DAY_S, 2 * DAY_S)


@given(moments, moments)
def test_every_stretch_is_within_its_picture_and_wide_enough_to_be_seen(begun: float, ended: float) -> None:
    x, width = stretch(NOW + min(begun, ended), NOW + max(begun, ended), NOW - DAY_S, NOW)
    assert 0 <= x <= x + width <= WIDE + 0.2
    assert width >= THIN - 0.2


def test_incidents_that_go_on_come_first_and_old_ones_not_at_all() -> None:
    history = History()
    history.alone(archive="old")
    history.answers(archive="old", later=60)
    history.alone(archive="open", later=10 * DAY_S)
    history.alone(archive="over", later=60)
    history.answers(archive="over", later=600)
    drawn = lanes(history.incidents(), history.now - 7 * DAY_S, history.now)
    assert [one.incident.name for one in drawn] == ["open", "over"]


@given(st.lists(st.dictionaries(st.sampled_from((*HOWS, "tunnel", "")), st.integers(0, 9999)), max_size=20))
def test_bars_add_up_to_what_the_events_counted(counts: list[dict[str, int]]) -> None:
    history = History()
    for each in counts:
        told: dict[str, Value] = {f"how.{how}": count for how, count in each.items()}
        told |= {"since": history.now, "until": history.now + 60, "requests": sum(each.values())}
        history.note("served", "gateway", later=60, bytes=7, lacking=1, **told)  # type: ignore[arg-type]  # no drill in it
    made = answers(history.events, history.now - DAY_S, history.now)
    assert made.total == sum(sum(each.values()) for each in counts)
    assert sum(bar.total for bar in made.bars) == made.total
    assert (made.bytes, made.lacking) == (7 * len(counts), len(counts))
    for bar in made.bars:
        assert sum(piece.height for piece in bar.slices) <= 100.1
        assert all(piece.y >= -0.1 for piece in bar.slices)


def test_rates_are_of_one_process_and_never_below_nothing() -> None:
    samples = [Sample(at, 1, {"hit": 100 * at}, 1000 * at, 10 * at) for at in (0, 30, 60, 90)]
    found = rates(samples)
    assert found is not None
    assert (found.over_s, found.hits_s, found.bytes_s, found.fetched_bytes_s) == (60, 100, 1000, 10)
    assert rates([*samples, Sample(95, 2, {"hit": 3}, 30, 0)]) is None
    again = rates([*samples, Sample(95, 2, {"hit": 3}, 30, 0), Sample(100, 2, {"hit": 13}, 30, 0)])
    assert again is not None
    assert again.hits_s == 2


def test_what_many_ask_for_is_worked_out_once_and_outlives_whoever_goes_away() -> None:
    worked: list[int] = []

    async def work() -> int:
        worked.append(1)
        await asyncio.sleep(0)
        return len(worked)

    async def run() -> None:
        kept = Kept(work, 3600)
        impatient = asyncio.create_task(kept.get())
        await asyncio.sleep(0)
        impatient.cancel()
        assert await asyncio.gather(*(kept.get() for _ in range(10))) == [1] * 10
        assert await kept.soon(1) == 1

    asyncio.run(run())
