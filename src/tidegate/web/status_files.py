"""The status page as files that stand by themselves: a page, two feeds, and the same for programs. Pure.

index.html   everything, its looks included; no script, and nothing that it asks for
feed.atom    RFC 4287, an entry for each incident
feed.json    JSON Feed 1.1, the same
status.json  the page's value (`tidegate schema status-page`)
"""

import base64
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from tidegate.answers.age import moment
from tidegate.incidents.telling import span
from tidegate.web.days import Level
from tidegate.web.pages import Frame, asset, render
from tidegate.web.status_page import Component, StatusPage, Told
from tidegate.web.watch_report import WatchState

if TYPE_CHECKING:
    from markupsafe import Markup

INDEX = "index.html"
ENTRIES_MAX = 50


class ComponentReport(Struct, frozen=True, kw_only=True):
    """How something is. `level`: works, risk, unknown, partly or fails."""

    name: str
    level: str
    note: str = ""
    parts: "tuple[ComponentReport, ...]" = ()


class AffectedReport(Struct, frozen=True, kw_only=True):
    """Something that goes on, or that is over (`until`). Times are epoch seconds, UTC."""

    id: str
    title: str
    level: str
    since: int
    until: int | None
    what: tuple[str, ...]
    do: tuple[str, ...]
    lines: tuple[str, ...]
    requests: int
    lacking: int


class ElsewhereReport(Struct, frozen=True, kw_only=True):
    """A page of somebody else's. `since`: in this state; epoch seconds, UTC; null: not known."""

    name: str
    url: str
    state: WatchState
    since: int | None


class StatusPageReport(Struct, frozen=True, kw_only=True):
    """`status.json`, and `tidegate status-page --json`. Not to be believed after `believe_until`."""

    title: str
    contact: str
    drill: Annotated[str, Meta(description="what follows happened in this drill, and not really; empty: it is real")]
    headline: str
    level: str
    written_at: int
    next_at: int
    believe_until: int
    affected: tuple[AffectedReport, ...]
    components: tuple[ComponentReport, ...]
    past: tuple[AffectedReport, ...]
    elsewhere: Annotated[
        tuple[ElsewhereReport, ...], Meta(description="others' pages, asked from here: no part of the level above")
    ] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """Of a feed."""

    told: Told
    iri: str
    title: str
    text: str


def files_of(page: StatusPage) -> Mapping[str, bytes]:
    """By name; the page comes last, so that what it links to is there before it."""
    entries = _entries(page)
    return {
        "feed.atom": _atom(page, entries),
        "feed.json": _json_feed(page, entries),
        "status.json": msgspec.json.format(msgspec.json.encode(report(page)), indent=1) + b"\n",
        INDEX: _html(page),
    }


def report(page: StatusPage) -> StatusPageReport:
    """The page, for programs."""
    return StatusPageReport(
        title=page.title,
        contact=page.contact,
        drill=page.drill,
        headline=page.headline,
        level=page.level.name.lower(),
        written_at=page.written_at,
        next_at=page.next_at,
        believe_until=page.believe_until,
        affected=tuple(map(_affected, page.affected)),
        components=tuple(map(_component, page.components)),
        past=tuple(map(_affected, page.past)),
        elsewhere=tuple(
            ElsewhereReport(name=one.name, url=one.url, state=one.state, since=one.since) for one in page.elsewhere
        ),
    )


def _component(one: Component) -> ComponentReport:
    parts = tuple(map(_component, one.parts))
    return ComponentReport(name=one.name, level=one.level.name.lower(), note=one.note, parts=parts)


def _affected(one: Told) -> AffectedReport:
    return AffectedReport(
        id=one.id,
        title=one.title,
        level=one.level.name.lower(),
        since=int(one.since),
        until=None if one.until is None else int(one.until),
        what=tuple(each.effect for each in one.words),
        do=tuple(each.do for each in one.words),
        lines=tuple(dict.fromkeys(line for each in one.words for line in each.lines)),
        requests=one.requests,
        lacking=one.lacking,
    )


def _html(page: StatusPage) -> bytes:
    style, digest = _style()
    return render("status.html", Frame(), page=page, style=style, style_digest=digest, levels=tuple(Level)).encode()


@cache
def _style() -> "tuple[Markup, str]":
    """The stylesheet as it goes into the page, and its digest: by the policy nothing else is a style."""
    from markupsafe import Markup

    text = asset("style.css").decode()
    assert "</" not in text
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()  # noqa: S704 (our own file)


# Feeds


def _entries(page: StatusPage) -> tuple[Entry, ...]:
    newest = sorted((*page.affected, *page.past), key=lambda one: -one.updated)
    return tuple(_entry(page, one) for one in newest[:ENTRIES_MAX])


def _entry(page: StatusPage, told: Told) -> Entry:
    drill = "DRILL: " if page.drill else ""
    title = f"{drill}{told.title}" if told.until is None else f"{drill}Over: {told.title}"
    return Entry(told, _iri(page, told.id), title, _text(told))


def _text(told: Told) -> str:
    since = moment(int(told.since)).replace("T", " ")
    over = "" if told.until is None else f"It is over: it lasted {span(told.until - told.since)}."
    lines = [f"Since {since}." if told.until is None else f"From {since}. {over}"]
    for each in told.words:
        lines.append(each.effect)
        if told.until is None:
            lines += [f"What to do: {each.do}", *(f"    {line}" for line in each.lines)]
    lines += [f"{moment(int(one.at)).replace('T', ' ')}: {one.text}" for one in told.remarks]
    lines += [f"Said by others, not known to be true: {claim}" for claim in told.claims]
    return "\n\n".join(lines)


def _iri(page: StatusPage, name: str) -> str:
    """The same for the same page and name, wherever that is read from."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"tidegate:{page.url or page.title}#{name}").urn


def _updated(page: StatusPage, entries: tuple[Entry, ...]) -> float:
    return max((one.told.updated for one in entries), default=float(page.written_at))


def _atom(page: StatusPage, entries: tuple[Entry, ...]) -> bytes:
    told = render(
        "status.atom", Frame(), page=page, entries=entries, id=_iri(page, ""), updated=_updated(page, entries)
    )
    return "".join(char for char in told if char in "\t\n" or ord(char) >= 32).encode()


def _json_feed(page: StatusPage, entries: tuple[Entry, ...]) -> bytes:
    url = {"home_page_url": page.url} if page.url else {}
    items = [
        {
            "id": one.iri,
            "title": one.title,
            "content_text": one.text,
            "date_published": moment(int(one.told.since)),
            "date_modified": moment(int(one.told.updated)),
        }
        | ({"url": f"{page.url}#{one.told.id}"} if page.url else {})
        for one in entries
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": page.title, **url, "language": "en", "items": items}
    return msgspec.json.format(msgspec.json.encode(feed), indent=1) + b"\n"
