"""A post-mortem as a value: sections of sentences, each of them a fact that cites its events, something that is not
known, a claim, or a place for people to write in."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.incidents.incident import Line

Cites = Annotated[tuple[int, ...], Meta(min_length=1, description="numbers of the events that say so")]


class Fact(Struct, frozen=True, tag="fact"):
    """A sentence that events say."""

    text: str
    cites: Cites


class Unknown(Struct, frozen=True, tag="unknown"):
    """Something that the journal cannot tell."""

    text: str


class Said(Struct, frozen=True, tag="claim"):
    """A claim. It is never told as a fact, and the events are those that wrote it down."""

    text: str
    cites: Cites


class Human(Struct, frozen=True, tag="human"):
    """A place for people to write in: kept when the rest is made anew."""

    key: str
    ask: Annotated[str, Meta(description="what is to be written there")]


Part = Fact | Unknown | Said | Human


class Section(Struct, frozen=True):
    """A heading and what stands below it."""

    title: str
    parts: tuple[Part, ...]


class Postmortem(Struct, frozen=True, kw_only=True):
    """`tidegate postmortem --json`."""

    incident: str
    title: str
    drill: Annotated[str, Meta(description="the drill that it is about; empty: it really happened")]
    is_over: Annotated[bool, Meta(description="false: the incident goes on, and this is what is known so far")]
    up_to: Annotated[int, Meta(description="the last event that it knows of")]
    sections: tuple[Section, ...]
    timeline: tuple[Line, ...]
    left_out: int
