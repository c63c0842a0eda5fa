"""How old an answer is, said in every form that answers have: a member of the body, headers, a sentence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tidegate.advisories.history import FeedState
from tidegate.fleet.freshness import AgeLimits, believed

DAY_S = 24 * 3600
REFUSE_AFTER_S = 30 * DAY_S
_UNITS = ((730 * DAY_S, 365 * DAY_S, "years"), (60 * DAY_S, 30 * DAY_S, "months"), (2 * DAY_S, DAY_S, "days"),
          (2 * 3600, 3600, "hours"), (120, 60, "minutes"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Age:
    """Of what an answer is based on. Times are seconds since 1970.

    `at` is the moment it speaks of, `feed_at` when the best feed was current then (None: there was none), and
    `unknown_since` since when that is too old to be believed (None: it is not).
    """

    at: int
    feed_at: int | None
    unknown_since: int | None
    refused: bool
    """Too old for answers to whoever does not read how old they are."""
    feeds: tuple[FeedState, ...] = ()

    @property
    def old(self) -> bool:
        return self.unknown_since is not None

    @property
    def seconds(self) -> int | None:
        """None where nothing was ever known."""
        return None if self.feed_at is None else max(0, self.at - self.feed_at)

    @property
    def sentence(self) -> str:
        """What somebody has to know who believes the answer; empty where all is well."""
        if not self.old:
            return ""
        if self.feed_at is None:
            return "UNKNOWN: no feed that says this was ever taken in. What is not listed is not known to be clean."
        return (
            f"UNKNOWN since {moment(self.feed_at)}: this is {spoken(self.seconds or 0)} old. What is not listed "
            "is not known to be clean."
        )

    def headers(self) -> dict[str, str]:
        """Of HTTP answers; `Warning` is RFC 7234's (110: the response is stale), which old clients still show."""
        headers = {
            "X-Tidegate-As-Of": moment(self.at),
            "X-Tidegate-Age": "unknown" if self.seconds is None else str(self.seconds),
        }
        if self.old:
            headers["Warning"] = f'110 tidegate "{self.sentence}"'
        return headers

    def member(self) -> dict[str, object]:
        """What goes into a JSON body beside what the form itself has, under `tidegate`."""
        return {
            "as_of": moment(self.at),
            "age_s": self.seconds,
            "unknown_since": None if self.unknown_since is None else moment(self.unknown_since),
            "warning": self.sentence or None,
            "feeds": [
                {
                    "name": one.provenance.feed,
                    "fetched": moment(one.provenance.fetched_at),
                    "confirmed": moment(one.confirmed_at),
                    "published": None if one.provenance.published is None else moment(one.provenance.published),
                    "verified": one.provenance.verified.value,
                    "records": one.records,
                    "unreadable": one.unreadable,
                }
                for one in self.feeds
            ],
        }


def age_of(feeds: Iterable[FeedState], at: int, limits: AgeLimits, *, refuse_after_s: int = REFUSE_AFTER_S) -> Age:
    """The age of what these feeds said at `at`: of several, that counts which stays believable for longest."""
    states = tuple(feeds)
    current, old = believed(states, at, limits)
    if current is None:
        return Age(at, None, 0, refused=True)
    return Age(at, current, current if old else None, old and at - current > refuse_after_s, states)


def oldest(ages: Sequence[Age]) -> Age:
    """Of an answer that is made from several: as old as the oldest of them."""
    worst = max(ages, key=lambda one: (one.refused, one.old, one.seconds is None, one.seconds or 0))
    feeds = {state.provenance.feed: state for one in ages for state in one.feeds}
    return replace(worst, feeds=tuple(feeds.values()))


def moment(seconds: int) -> str:
    """A time in UTC, for people and machines: `2026-05-01T12:00:00Z`."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "unknown"


def spoken(seconds: int) -> str:
    """A length of time, in the largest unit of which there are at least two."""
    for least, unit, word in _UNITS:
        if seconds >= least:
            return f"{seconds // unit} {word}"
    return f"{seconds} seconds"


def warned(text: str, age: Age) -> str:
    """A text that people read, with the age before it where they have to know."""
    return f"[{age.sentence}] {text}".rstrip() if age.old else text


def with_age(body: Mapping[str, object], age: Age) -> dict[str, object]:
    """A body with the member that tells its age, which clients that do not know it pass over."""
    return {**body, "tidegate": age.member()}
