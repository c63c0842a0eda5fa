"""What is common to all that is asked about advisories: the moment, and how old the answer is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.advisories.history import History
from tidegate.answers.age import Age, age_of, oldest, with_age
from tidegate.fleet.freshness import AgeLimits
from tidegate.fleet.knowledge import last_whole
from tidegate.web.documents import OpenDocument

AS_OF_CHARS_MAX = 40


@dataclass(frozen=True, slots=True)
class ExposedHost:
    """A host that has what a CVE or a notice is about, and in which class it is."""

    host: str
    package: str
    version: str
    exposure: str
    reason: str


class AdvisoryView(Protocol):
    """What the answers on advisories are made from."""

    @property
    def history(self) -> History:
        """What the feeds said, and when."""
        ...

    @property
    def limits(self) -> AgeLimits:
        """When what is known is too old to be believed."""
        ...

    @property
    def refuse_after_s(self) -> int:
        """See `[answers]`."""
        ...

    def now(self) -> int:
        """Seconds since 1970."""
        ...

    def document(self, file: str) -> OpenDocument | None:
        """A feed's file by the name that its publisher gives it, opened; None where none is held. Raises OSError."""
        ...

    def exposed(self, about: str) -> Sequence[ExposedHost] | None:
        """Which of our hosts are exposed to a CVE; None where that is not told (towards the fleet)."""
        ...


class WrongTimeError(ValueError):
    """`as_of` is no time."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Which moment is asked for (None: now), and when now is."""

    as_of: int | None
    now: int

    @property
    def at(self) -> int:
        return self.now if self.as_of is None else self.as_of


def moment_of(request: Request, now: int) -> Moment:
    """By `?as_of=`: seconds since 1970, or ISO 8601 (UTC where it says no zone). Raises WrongTimeError."""
    text = request.query_params.get("as_of", "")
    if not text:
        return Moment(None, now)
    try:
        if len(text) > AS_OF_CHARS_MAX:
            raise ValueError
        if text.isascii() and text.isdigit():
            at = int(text)
        else:
            when = datetime.fromisoformat(text.replace(" ", "+"))
            at = int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise WrongTimeError("as_of: neither seconds since 1970 nor an ISO 8601 time") from None
    if not 0 <= at <= now:
        raise WrongTimeError("as_of: not a moment of the past")
    return Moment(at, now)


def age_at(view: AdvisoryView, moment: Moment, *groups: Iterable[str]) -> Age:
    """How old an answer is at the moment that was asked for: of each group of feeds, one is enough."""
    ages = [
        age_of(
            [state for name in feeds if (state := last_whole(view.history, name, moment.as_of)) is not None],
            moment.at,
            view.limits,
            refuse_after_s=view.refuse_after_s,
        )
        for feeds in groups
    ]
    return oldest(ages)


def answer(body: object, age: Age, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON, with how old it is in its headers."""
    return Response(
        msgspec.json.encode(body), status, {**age.headers(), **(headers or {})}, media_type="application/json"
    )


def refused(age: Age) -> Response:
    """To a client that would take silence for an all-clear: that it is not known."""
    return answer(with_age({"message": age.sentence, "errors": age.sentence}, age), age, 503)
