"""One request of a flight: checks the head, knows where it is in the object, passes on what is new."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate.sources.connection import Head
from tidegate.sources.failure import Failure, FetchError, retry_after_s
from tidegate.sources.selection import Candidate

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z").match


def wrong(candidate: Candidate) -> Failure:
    """What it is called when a source has other bytes than are listed."""
    return Failure.WRONG_BYTES if candidate.lasting else Failure.OTHER_VERSION


def refusal(head: Head, now: float) -> FetchError:
    """An answer with another status than was hoped for."""
    told = retry_after_s(head.headers.get("retry-after"), now)
    return FetchError(Failure.STATUS, f"answered {head.status}", head.status, told)


@dataclass(slots=True, eq=False)
class Attempt:
    """The sink of one request for `size` bytes from `offset` on. `take(data, position)` gets what comes."""

    number: int
    candidate: Candidate
    offset: int
    size: int
    asked_at: float
    """When it was decided on; from when its turn has come, when it was sent (loop's time, seconds)."""
    take: Callable[["Attempt", memoryview], None]
    answered: Callable[["Attempt"], None]
    now: Callable[[], float]
    """Epoch seconds, for a Retry-After that is a date."""
    position: int = 0
    """Where its next byte belongs."""
    begun: bool = False
    given: int = 0
    """Bytes that nobody had brought before."""
    answered_at: float | None = None
    fresh_at: float = 0.0
    stopped: bool = False
    task: "asyncio.Task[FetchError | None] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return self.candidate.source.url

    @property
    def is_done(self) -> bool:
        """Its answer has ended, or will not come."""
        return self.task is not None and self.task.done()

    @property
    def headers(self) -> dict[str, str]:
        """What to ask with."""
        return {"Range": f"bytes={self.offset}-"} if self.offset else {}

    def stop(self) -> None:
        """End it; nothing it says counts from now on."""
        self.stopped = True
        if self.task is not None:
            self.task.cancel()

    def head(self, head: Head) -> None:
        """Raises FetchError when this is not the answer to what was asked."""
        self.answered(self)
        if head.status == 206 and self.offset:
            found = _CONTENT_RANGE(head.headers.get("content-range", ""))
            if found is None or (int(found[1]), int(found[3])) != (self.offset, self.size):
                raise FetchError(
                    Failure.MALFORMED, f"another range than asked for: {head.headers.get('content-range')}"
                )
            self.position = self.offset
        elif head.status == 200:
            self.position = 0
        else:
            raise refusal(head, self.now())
        expected = self.size - self.position
        if head.length is not None and head.length != expected:
            raise FetchError(wrong(self.candidate), f"has {head.length:,} bytes, {expected:,} are listed")

    def data(self, data: memoryview) -> None:
        """What goes beyond the listed size is not taken. Raises FetchError for it, OSError on a failing disk."""
        if self.stopped:
            return
        listed = data[: self.size - self.position]
        self.position += len(listed)
        if listed:
            self.take(self, listed)
        if len(listed) < len(data):
            raise FetchError(Failure.OVERSIZED, f"more than the {self.size:,} bytes listed")

    def finished(self) -> None:
        """The answer ended. Raises FetchError when it was not all."""
        if self.position < self.size:
            raise FetchError(Failure.CUT, f"ended {self.size - self.position:,} bytes short")
