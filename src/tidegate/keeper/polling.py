"""Asking several sources at once, in waves, without waiting for those that do not answer."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tidegate.sources.archive import Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a poll waits, in seconds."""

    more_after_s: float
    """Without enough, the next wave is asked after this; earlier where the wave before has failed as a whole."""
    grace_s: float
    """With enough, the others that were asked have this long to say something better."""
    is_prompt: Callable[[Source], bool] = lambda _: True
    """Whether a source is worth that wait; one that was late the last time is heard when it comes."""


@dataclass(frozen=True, slots=True)
class Polled(Generic[T]):
    """Answers in the order in which they were asked for, and who has not answered yet: they go on."""

    answers: tuple[T, ...]
    stragglers: "Mapping[asyncio.Task[T], Source]"


def waves(sources: Iterable[Source], operators: int) -> tuple[tuple[Source, ...], ...]:
    """Who is asked at once, in order: a source of each operator, so many operators at a time; then their next ones."""
    nth: Counter[str] = Counter()
    layers: list[list[Source]] = []
    for source in sources:
        layer = nth[source.operator]
        nth[source.operator] += 1
        if layer == len(layers):
            layers.append([])
        layers[layer].append(source)
    return tuple(
        tuple(layer[start : start + operators]) for layer in layers for start in range(0, len(layer), operators)
    )


async def poll(
    asked: Sequence[Sequence[Source]],
    ask: Callable[[Source], Coroutine[Any, Any, T]],
    enough: Callable[[Sequence[T]], bool],
    patience: Patience,
) -> Polled[T]:
    """Ask wave after wave until there is enough and the grace is over, or until everybody has answered.

    `ask` raises nothing. Cancelled, it cancels what it began.
    """
    loop = asyncio.get_running_loop()
    tasks: dict[asyncio.Task[T], Source] = {}
    left, more_at, settled_at = list(asked), 0.0, None
    try:
        while True:
            pending = {task: source for task, source in tasks.items() if not task.done()}
            answers = tuple(task.result() for task in tasks if task.done())
            if settled_at is None and enough(answers):
                settled_at = loop.time() + patience.grace_s
            if settled_at is None and left and (not pending or loop.time() >= more_at):
                tasks |= {loop.create_task(ask(source)): source for source in left.pop(0)}
                more_at = loop.time() + patience.more_after_s
                continue
            until = settled_at if settled_at is not None else more_at if left else None
            is_over = settled_at is not None and (
                loop.time() >= settled_at or not any(map(patience.is_prompt, pending.values()))
            )
            if not pending or is_over:
                return Polled(answers, pending)
            timeout_s = None if until is None else max(0.001, until - loop.time())
            await asyncio.wait(pending, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    except BaseException:
        for task in tasks:
            task.cancel()
        raise
