"""Incidents as values: what they are about, since when, how bad, what it did, and what people said."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

At = Annotated[float, Meta(description="epoch seconds, UTC")]
MaybeAt = Annotated[float | None, Meta(description="epoch seconds, UTC; null: not yet, or not known")]
Seq = Annotated[int, Meta(description="number of the event that says so")]
Status = Literal["pending", "corroborated", "disputed", "refuted"]


class Span(Struct, frozen=True, kw_only=True):
    """A condition, from when to when."""

    rule: Annotated[str, Meta(description="docs/incidents.md says what it is")]
    subject: Annotated[str, Meta(description="an archive, `ARCHIVE SUITE`, a source, a feed")]
    since: At
    begun: Seq
    until: MaybeAt = None
    ended: Annotated[int | None, Meta(description="number of the event that ended it; null: it holds")] = None


class Impact(Struct, frozen=True, kw_only=True):
    """What was answered meanwhile, from `served` events: by all workers, whoever asked, for whatever."""

    requests: int = 0
    lacking: Annotated[int, Meta(description="of those refused: what is not held and could not be had")] = 0
    bytes: int = 0
    since: MaybeAt = None
    until: MaybeAt = None
    first: Annotated[int | None, Meta(description="the first of the events that were counted")] = None
    last: Annotated[int | None, Meta(description="the last of them")] = None
    events: int = 0


class Line(Struct, frozen=True, kw_only=True):
    """A line of the timeline: an event in a sentence."""

    seq: Seq
    at: At
    kind: str
    text: str


class Count(Struct, frozen=True, kw_only=True):
    """How many events of one kind there were, and between which."""

    events: int
    first: int
    last: int


class Remark(Struct, frozen=True, kw_only=True):
    """What somebody wrote down, or did."""

    seq: Seq
    at: At
    by: str
    text: str


class Judgement(Struct, frozen=True, kw_only=True):
    """What we thought of a claim, from when on."""

    seq: Seq
    at: At
    status: Status
    confidence: Annotated[int, Meta(ge=0, le=100)]
    by: str
    text: Annotated[str, Meta(description="why")]


class Claim(Struct, frozen=True, kw_only=True):
    """What somebody says about an incident. Never a fact: whoever shows it says whose it is, and what we think."""

    name: Annotated[str, Meta(description="C1, C2…: within the incident")]
    said_by: str
    url: Annotated[str, Meta(description="where; may be empty")]
    said_at: Annotated[str, Meta(description="when, as it was given; may be empty")]
    text: str
    attributes_to: Annotated[str, Meta(description="whom they hold responsible; may be empty")]
    judgements: Annotated[tuple[Judgement, ...], Meta(min_length=1, description="the newest last")]

    @property
    def now(self) -> Judgement:
        """What we think of it by now."""
        return self.judgements[-1]


class Incident(Struct, frozen=True, kw_only=True):
    """Events folded into what happened."""

    id: str
    drill: Annotated[str, Meta(description="the drill that it belongs to; empty: it really happens")]
    about: Annotated[str, Meta(description="archive, source, feed, readiness, store or service")]
    name: Annotated[str, Meta(description="which archive, source or feed; may be empty")]
    title: str
    state: Literal["open", "mitigated", "closed"]
    severity: Annotated[int, Meta(ge=1, le=4, description="of the worst that it came to; 1 is the worst")]
    severity_now: Annotated[int | None, Meta(description="of the worst that holds; null: nothing does")]
    started_at: Annotated[float, Meta(description="when the first condition began, as far as we know")]
    detected_at: Annotated[float, Meta(description="when we wrote that down")]
    mitigated_at: Annotated[float | None, Meta(description="when the last condition ended; null: one holds")]
    closed_at: MaybeAt
    closed_by: Annotated[str, Meta(description="who closed it; empty: calm did, or it is not closed")]
    opened: Seq
    mitigated: Annotated[int | None, Meta(description="number of the event that ended the last condition")]
    reopened: Annotated[int, Meta(description="how often a condition came back before it was closed")]
    conditions: tuple[Span, ...]
    impact: Impact
    counts: Annotated[Mapping[str, Count], Meta(description="events about it by kind, the uncounted ones left out")]
    timeline: tuple[Line, ...]
    left_out: Annotated[int, Meta(description="events about it that the timeline has no line for")]
    notes: tuple[Remark, ...]
    actions: tuple[Remark, ...]
    claims: tuple[Claim, ...]

    @property
    def is_over(self) -> bool:
        """Nothing of it holds any more."""
        return self.mitigated_at is not None
