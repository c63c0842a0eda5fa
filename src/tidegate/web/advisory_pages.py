"""The bulletin board: notices and CVEs to read, to search and to leaf through, from what is held.

    /advisories                ?q=WORDS &kind=notice|cve &page=N
    /advisories/NAME           a CVE or a notice

Each takes `?as_of=`, for what was known at a moment of the past.
"""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tidegate.advisories.history import History
from tidegate.advisories.listing import OFFSET_MAX, Listing
from tidegate.advisories.statement import Kind
from tidegate.answers import board
from tidegate.answers.age import Age
from tidegate.answers.security_api import CVE_FEEDS, NOTICE_FEEDS
from tidegate.web.advisory_answers import NAME_CHARS_MAX, in_time
from tidegate.web.asking import AdvisoryView, Moment, age_at, moment_of
from tidegate.web.pages import Door, Frame, page, style_route

PATH = "/advisories"
NAME = "Notices and CVEs"
WORDS_CHARS_MAX = 200
LISTED_PER_PAGE = 25
DEBIAN_FEEDS = ("debian-tracker", "debian-osv")
FEEDS = tuple(dict.fromkeys((*CVE_FEEDS, *NOTICE_FEEDS, *DEBIAN_FEEDS)))


def page_routes(view: AdvisoryView, doors: Sequence[Door] = ()) -> list[Route]:
    """The routes, and the stylesheet's. `doors`: other pages that are served beside these."""
    entries = (*doors, Door(PATH, NAME))

    def advisories(request: Request) -> Response:
        return _list(view, request, entries)

    def advisory(request: Request) -> Response:
        return _one(view, request, entries)

    return [
        Route(PATH, in_time(advisories), methods=["GET"]),
        Route(PATH + "/{name}", in_time(advisory), methods=["GET"]),
        style_route(),
    ]


def _list(view: AdvisoryView, request: Request, doors: Sequence[Door]) -> Response:
    moment = moment_of(request, view.now())
    words = request.query_params.get("q", "").strip()[:WORDS_CHARS_MAX]
    kind = Kind.CVE if request.query_params.get("kind") == "cve" else Kind.NOTICE
    known = _known(view.history, words, moment)
    if known is not None:
        return RedirectResponse(f"{PATH}/{quote(known)}{_tail(request)}", 303)
    number = _page_number(request)
    listing = Listing(kind, words=words, limit=LISTED_PER_PAGE, offset=(number - 1) * LISTED_PER_PAGE)
    found = view.history.listed(listing, moment.as_of)
    first = listing.offset + 1
    return page(
        "advisories.html",
        _frame(view, moment, doors),
        words=words,
        kind=kind.value,
        total=found.total,
        first=first,
        list=board.listed(view.history, [one.about for one in found.listed], moment.as_of),
        newer=_to(request, page=str(number - 1)) if number > 1 else None,
        older=_to(request, page=str(number + 1)) if first + len(found.listed) <= found.total else None,
        other=_to(request, kind="notice" if kind is Kind.CVE else "cve", page=""),
        tail=_tail(request),
    )


def _one(view: AdvisoryView, request: Request, doors: Sequence[Door]) -> Response:
    moment = moment_of(request, view.now())
    name = str(request.path_params["name"])[:NAME_CHARS_MAX]
    found = board.page(view.history, name, moment.as_of) or board.page(view.history, name.upper(), moment.as_of)
    frame = _frame(view, moment, doors, found)
    if found is None:
        text = "No feed held here has a record of it. That does not mean that there is no such thing."
        return page("message.html", frame, 404, heading=name, text=text)
    hosts = view.exposed(found.name) if moment.as_of is None else None
    return page("advisory.html", frame, board=found, hosts=hosts, tail=_tail(request))


def _frame(view: AdvisoryView, moment: Moment, doors: Sequence[Door], found: "board.BoardPage | None" = None) -> Frame:
    return Frame(doors, PATH, _age(view, moment, found), past=moment.as_of is not None)


def _age(view: AdvisoryView, moment: Moment, found: "board.BoardPage | None") -> Age:
    """Of one vendor's record, by that vendor's feeds; else by the oldest of those that there are."""
    feeds = {one.feed for one in found.basis} if found else {one.provenance.feed for one in view.history.feeds()}
    vendors = [group for group in (_UBUNTU, DEBIAN_FEEDS) if not feeds.isdisjoint(group)]
    return age_at(view, moment, *(vendors or [FEEDS]))


_UBUNTU = tuple(dict.fromkeys((*CVE_FEEDS, *NOTICE_FEEDS)))


def _known(history: History, words: str, moment: Moment) -> str | None:
    """The CVE or notice that the words are the name of."""
    if not words or " " in words or len(words) > NAME_CHARS_MAX:
        return None
    name = words.upper()
    return name if any(one.record.kind is not Kind.EXPLOITED for one in history.about(name, moment.as_of)) else None


def _page_number(request: Request) -> int:
    text = request.query_params.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < NAME_CHARS_MAX else 1
    return max(1, min(number, OFFSET_MAX // LISTED_PER_PAGE))


def _to(request: Request, **changed: str) -> str:
    """The same list, but for what changes."""
    asked = {name: request.query_params.get(name, "") for name in ("q", "kind", "page", "as_of")} | changed
    return f"{PATH}?{urlencode({name: value for name, value in asked.items() if value})}"


def _tail(request: Request) -> str:
    """What goes on behind every link: the moment that was asked for."""
    as_of = request.query_params.get("as_of", "")
    return f"?{urlencode({'as_of': as_of})}" if as_of else ""
