"""Whom a poll asks, and for whom it waits."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.keeper.polling import Patience, poll, waves
from tidegate.sources.archive import Reach, Source, source_of

QUICK = Patience(more_after_s=0.02, grace_s=0.02)
LONG_S = 30.0
PATIENT = Patience(more_after_s=LONG_S, grace_s=LONG_S)


def source(name: str, operator: str = "") -> Source:
    return source_of(f"http://{name}.example", reach=Reach.PUBLIC, operator=operator or name, kind="mirror")


def names(asked: Sequence[Sequence[Source]]) -> list[list[str]]:
    return [[one.url.removeprefix("http://").removesuffix(".example") for one in wave] for wave in asked]


def test_a_wave_has_one_source_of_each_operator_and_the_best_of_each_first() -> None:
    ranked = [source("a1", "a"), source("a2", "a"), source("b1", "b"), source("c1", "c"), source("d1", "d")]
    assert names(waves(ranked, 3)) == [["a1", "b1", "c1"], ["d1"], ["a2"]]
    assert names(waves(ranked, 1)) == [["a1"], ["b1"], ["c1"], ["d1"], ["a2"]]
    assert waves([], 3) == ()


@given(st.lists(st.sampled_from("abc"), max_size=9), st.integers(1, 4))
def test_everybody_is_in_one_wave_and_no_operator_twice_in_any(operators: list[str], at_once: int) -> None:
    ranked = [source(f"{operator}{number}", operator) for number, operator in enumerate(operators)]
    asked = waves(ranked, at_once)
    assert sorted(one.url for wave in asked for one in wave) == sorted(one.url for one in ranked)
    for wave in asked:
        assert 1 <= len({one.operator for one in wave}) == len(wave) <= at_once


class Sources:
    """Answers when told to; `silent` ones never."""

    def __init__(self, good: str = "", silent: str = "") -> None:
        self.asked: list[str] = []
        self._good, self._silent = good.split(), silent.split()

    async def ask(self, one: Source) -> str:
        name = names([[one]])[0][0]
        self.asked.append(name)
        if name in self._silent:
            await asyncio.sleep(LONG_S)
        return name if name in self._good else ""


def is_good(answers: Sequence[str]) -> bool:
    return any(answers)


Ask = Callable[[Source], Coroutine[Any, Any, str]]
FOUR = [[source("a"), source("b")], [source("c"), source("d")]]


async def test_all_of_a_wave_are_asked_at_once_and_nobody_beyond_it_where_one_is_good() -> None:
    sources = Sources(good="a b")
    polled = await poll(FOUR, sources.ask, is_good, PATIENT)
    assert sources.asked == ["a", "b"]
    assert (polled.answers, polled.stragglers) == (("a", "b"), {})


async def test_where_a_whole_wave_will_not_do_the_next_is_asked_at_once() -> None:
    sources = Sources(good="d")
    polled = await poll(FOUR, sources.ask, is_good, PATIENT)
    assert sources.asked == ["a", "b", "c", "d"]
    assert polled.answers == ("", "", "", "d")


async def test_silent_ones_are_not_waited_for_and_go_on_beside() -> None:
    sources = Sources(good="c", silent="a b d")
    polled = await poll(FOUR, sources.ask, is_good, QUICK)
    assert sources.asked == ["a", "b", "c", "d"]
    assert polled.answers == ("c",)
    assert names([list(polled.stragglers.values())]) == [["a", "b", "d"]]
    for straggler in polled.stragglers:
        assert not straggler.done()
        straggler.cancel()
    await asyncio.gather(*polled.stragglers, return_exceptions=True)


async def test_who_was_late_before_is_given_no_grace() -> None:
    sources = Sources(good="a", silent="b")
    patience = Patience(LONG_S, LONG_S, lambda one: one.operator != "b")
    polled = await poll(FOUR[:1], sources.ask, is_good, patience)
    assert polled.answers == ("a",)
    for straggler in polled.stragglers:
        straggler.cancel()
    await asyncio.gather(*polled.stragglers, return_exceptions=True)


async def test_where_nobody_is_left_to_ask_the_last_one_is_waited_for() -> None:
    gate = asyncio.Event()

    async def ask(one: Source) -> str:
        await gate.wait()
        return "late"

    polling = asyncio.ensure_future(poll(FOUR[:1], ask, is_good, QUICK))
    done, _ = await asyncio.wait({polling}, timeout=5 * QUICK.more_after_s)
    assert not done
    gate.set()
    assert "late" in (await polling).answers


async def test_nobody_to_ask_is_no_answer() -> None:
    polled = await poll([], Sources().ask, is_good, QUICK)
    assert (polled.answers, polled.stragglers) == ((), {})


async def test_a_poll_that_is_cancelled_leaves_nobody_asking() -> None:
    ended: list[str] = []

    async def ask(one: Source) -> str:
        try:
            await asyncio.sleep(LONG_S)
        finally:
            ended.append(one.url)
        return ""

    polling = asyncio.ensure_future(poll(FOUR[:1], ask, is_good, PATIENT))
    await asyncio.sleep(0.01)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling
    await asyncio.sleep(0)
    assert len(ended) == 2
