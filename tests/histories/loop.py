"""An event loop with virtual time: where a real one would sleep, this one's clock jumps to the next timer.

Nothing here waits for the world, so half an hour takes milliseconds and the same program takes the same turns each
time. What would run in a thread (`asyncio.to_thread`) runs in the loop, a moment of virtual time later: between
asking and doing others have their turn, as they have in life. Tasks and futures hash by birth, so that a set of them
has the same order in every run; by address, the order would be the allocator's.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from dataclasses import dataclass
from typing import Any

MONOTONIC_START_S = 1_000.0
THREAD_S = 0.002
"""How long a call in a thread takes."""
TURNS_MAX = 300_000


class StuckError(Exception):
    """Everybody waits for somebody, and no timer will end it; or turns go on without end."""


@dataclass(slots=True)
class Clock:
    """The time of a history, in seconds: the wall's (epoch) and the loop's differ by a constant."""

    epoch_start_s: float
    now_s: float = MONOTONIC_START_S

    def monotonic(self) -> float:
        """As time.monotonic()."""
        return self.now_s

    def time(self) -> float:
        """As time.time()."""
        return self.epoch_start_s + self.now_s - MONOTONIC_START_S


class _Selector:
    """What the loop waits at: nothing ever comes in, so waiting is advancing the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise StuckError("everybody waits, and no timer is set")
        self.turns += 1
        if self.turns > TURNS_MAX:
            raise StuckError(f"more than {TURNS_MAX:,} turns")
        self._clock.now_s += timeout
        return []


class _Task(asyncio.Task[Any]):
    """A task that hashes by its number."""

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._number = number  # first: the base class puts the task into a set
        self.doing = getattr(coroutine, "__qualname__", "something")
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    """A future that hashes by its number."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module. `complaints` are what a real loop would have logged: errors that nobody fetched."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._selector = _Selector(clock)
        self._numbers = itertools.count()
        self.complaints: list[str] = []
        self.set_exception_handler(self._complain)
        self.set_task_factory(self._task)

    def time(self) -> float:
        return self._clock.monotonic()

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(next(self._numbers), self)

    # The base class has a type for each argument; here it would be for nothing.
    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done = self.create_future()
        self.call_later(THREAD_S, _run, done, func, args)
        return done

    @property
    def turns(self) -> int:
        """How often it has looked for what is next."""
        return self._selector.turns

    def advance_to(self, moment_s: float) -> None:
        """Live until then (the loop's time), and stop."""
        timer = self.call_at(moment_s, self.stop)
        try:
            self.run_forever()
        finally:
            timer.cancel()

    def end(self) -> list[str]:
        """Cancel all that is left, let it end, and close; idempotent. Returns which tasks there were."""
        if self.is_closed():
            return []
        self._selector.turns = 0
        left = sorted((task for task in asyncio.all_tasks(self) if not task.done()), key=hash)
        told = [f"{task.doing} goes on" for task in left if isinstance(task, _Task)]
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(asyncio.wait(left))
        self.close()
        return told

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, Any, Any],
        *,
        context: Context | None = None,
        **options: Any,
    ) -> "asyncio.Task[Any]":
        del loop
        assert asyncio.iscoroutine(coroutine)
        return _Task(next(self._numbers), coroutine, loop=self, context=context, **options)

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        task = context.get("future") or context.get("task")
        what = task.doing if isinstance(task, _Task) else ""
        self.complaints.append(f"{context['message']}: {context.get('exception')!r} {what}".rstrip())

    # What the base class leaves to a loop over real descriptors

    def _process_events(self, events: list[Any]) -> None:
        assert not events

    def _write_to_self(self) -> None:
        """Nobody sleeps in a select that would have to be woken."""


def _run(done: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if done.cancelled():
        return  # as a pool does with what it has not begun
    try:
        result = func(*args)
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
