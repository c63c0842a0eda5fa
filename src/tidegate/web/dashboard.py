"""The dashboard: one page for operators, whole as it comes, and a stream by which it keeps itself current.

/            the page
/events      server-sent events: `decision`, each event of the journal as it is written, told with its reason;
             `tick`, when the rest of the page may be read again. ?after=SEQ, or Last-Event-ID, to go on from there
/dashboard.js
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tidegate.incidents.claims import sentence
from tidegate.store.journal_kinds import TABLE
from tidegate.web.overview import Decision, Overview, freshness, source_tone, suite_tone, to_do
from tidegate.web.pages import LIVE, Door, Frame, file_route, page
from tidegate.web.pictures import HOWS

PATH = "/"
EVENTS_PATH = "/events"
SCRIPT_PATH = "/dashboard.js"
STREAMS_MAX = 16
"""Pages that keep themselves current at once; whoever comes then has to look again by hand."""
LOOK_EVERY_S = 1.0
TICK_EVERY_S = 5.0
DECISIONS_AT_ONCE = 100
DIGITS_MAX = 18
STREAM = "text/event-stream"

# What is counted each minute, and what stands for events that are gone, are no decisions.
KINDS = tuple(kind.name for kind in TABLE if kind.name not in ("served", "summary"))


class DashboardView(Protocol):
    """What the dashboard is made from. Both raise OSError where the journal cannot be read."""

    async def overview(self) -> Overview:
        """As of now, or as it was a moment ago for somebody else."""
        ...

    async def decisions(self, after: int, limit: int) -> tuple[Sequence[Decision], int]:
        """Those with a higher number, the oldest first, and the last number that was looked at."""
        ...


class _Told(msgspec.Struct, frozen=True):
    """A decision as the stream has it."""

    seq: int
    at: str
    kind: str
    tone: str
    text: str
    drill: str


def dashboard_routes(view: DashboardView, doors: Sequence[Door] = ()) -> list[Route]:
    """To be served by the desk's socket. `doors`: other pages beside this one."""
    entries = (Door(PATH, "Dashboard"), *doors)
    streams = 0

    async def dashboard(_: Request) -> Response:
        try:
            overview = await view.overview()
        except OSError as error:
            return PlainTextResponse(f"the journal cannot be read: {error}\n", 503)
        frame = Frame(entries, PATH, note="Nothing on this page was fetched from anywhere but this gateway.")
        return page(
            "dashboard.html",
            frame,
            headers=LIVE,
            overview=overview,
            hows=HOWS,
            freshness=lambda one: freshness(one, overview.status.suites if overview.status else ()),
            source_tone=source_tone,
            suite_tone=suite_tone,
            sentence=sentence,
            to_do=to_do,
        )

    async def told(after: int) -> AsyncIterator[bytes]:
        nonlocal streams
        streams += 1
        try:
            async for piece in _stream(view, after):
                yield piece
        finally:
            streams -= 1

    async def events(request: Request) -> Response:
        after = _number(request.headers.get("last-event-id") or request.query_params.get("after", ""))
        if after is None:
            return PlainTextResponse("after: the number of an event\n", 400)
        if streams >= STREAMS_MAX:
            return PlainTextResponse(f"{STREAMS_MAX} pages keep themselves current already\n", 503)
        return StreamingResponse(told(after), media_type=STREAM)

    return [
        Route(PATH, dashboard, methods=["GET"]),
        Route(EVENTS_PATH, events, methods=["GET"]),
        file_route(SCRIPT_PATH, "text/javascript; charset=utf-8"),
    ]


async def _stream(view: DashboardView, after: int) -> AsyncIterator[bytes]:
    """Until whoever reads it goes away, or the journal cannot be read."""
    clock = asyncio.get_running_loop().time
    yield b"retry: 5000\n\n"
    ticked = clock()
    while True:
        try:
            decisions, after = await view.decisions(after, DECISIONS_AT_ONCE)
        except OSError:
            return
        for one in decisions:
            yield _event(one)
        if clock() - ticked >= TICK_EVERY_S:
            ticked = clock()
            yield b"event: tick\ndata: {}\n\n"
        if len(decisions) < DECISIONS_AT_ONCE:
            await asyncio.sleep(LOOK_EVERY_S)


def _event(one: Decision) -> bytes:
    from tidegate.answers.age import moment

    at = moment(int(one.at)).replace("T", " ").replace("Z", " UTC")
    data = msgspec.json.encode(_Told(one.seq, at, one.kind, one.tone, one.text, one.drill))
    return b"event: decision\nid: %d\ndata: %s\n\n" % (one.seq, data)


def _number(text: str) -> int | None:
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None
