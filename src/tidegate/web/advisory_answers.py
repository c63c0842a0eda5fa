"""What others' clients ask for: Ubuntu's security API, debsecan's data, OSV's records, the vendors' files verbatim.

    /security/cves.json, /security/cves/CVE-….json            as https://ubuntu.com/security has them
    /security/notices.json, /security/notices/USN-….json
    /osv/v1/vulns/ID                                          as https://api.osv.dev has them
    /debsecan/release/1/SUITE                                 as https://security-tracker.debian.org/tracker has it
    /oval/FILE, /osv/FILE, /vex/FILE, FILE.sha256             as https://security-metadata.canonical.com has them

Each tells how old it is in its headers, and in its body where that has room for it. Where what is known is so old that
it says nothing any more, clients that would take it for an all-clear get an error instead. Ends are plain functions,
and run in threads: they wait for the disk.
"""

import threading
from collections.abc import Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tidegate.advisories.fields import common_id
from tidegate.answers import debsecan
from tidegate.answers.age import Age, with_age
from tidegate.answers.age import moment as written
from tidegate.answers.security_api import CVE_FEEDS, CVES, NOTICE_FEEDS, SecurityApi
from tidegate.answers.security_api_query import Asked, Query, Wrong, cves_asked, hidden_asked, notices_asked
from tidegate.answers.ubuntu_cve import Json
from tidegate.web.asking import AdvisoryView, Moment, WrongTimeError, age_at, answer, moment_of, refused
from tidegate.web.documents import digest_line, send

RENDERED_SUITES_MAX = 8
"""Of debsecan's data, some 1 MB each: making them reads a whole release."""
OSV_FEEDS = ("ubuntu-osv", "debian-osv")
LINKED_FEEDS = (*NOTICE_FEEDS, CVES)
"""Who says which notices are on a CVE: to `pro`, one that is fixed by none of them is fixed on every host."""
NAME_CHARS_MAX = 128

End = Callable[[Request], Response]
Told = Json | str
"""A body, or what is said of what there is not."""


def answer_routes(view: AdvisoryView) -> list[Route]:
    """The routes of all of it."""
    ends = [*_security_api(view), *_others(view)]
    return [Route(path, in_time(end), methods=["GET"]) for path, end in ends]


def _security_api(view: AdvisoryView) -> list[tuple[str, End]]:
    def cves(request: Request) -> Response:
        def told(api: SecurityApi, asked: Asked) -> Told:
            return api.cves(asked.listing, show_hidden=asked.show_hidden)

        return _of_api(view, request, (CVE_FEEDS, LINKED_FEEDS), cves_asked, told)

    def notices(request: Request) -> Response:
        def told(api: SecurityApi, asked: Asked) -> Told:
            return api.notices(asked.listing, show_hidden=asked.show_hidden)

        return _of_api(view, request, (NOTICE_FEEDS,), notices_asked, told)

    def cve(request: Request) -> Response:
        def told(api: SecurityApi, asked: Asked) -> Told:
            found = api.cve(_name(request).upper(), show_hidden=asked.show_hidden)
            return found or f"CVE with id '{_name(request)}' does not exist"

        return _of_api(view, request, (CVE_FEEDS, LINKED_FEEDS), hidden_asked, told)

    def notice(request: Request) -> Response:
        def told(api: SecurityApi, asked: Asked) -> Told:
            found = api.notice(_name(request).upper(), show_hidden=asked.show_hidden)
            return found or f"Notice with id '{_name(request)}' does not exist"

        return _of_api(view, request, (NOTICE_FEEDS,), hidden_asked, told)

    return [
        ("/security/cves.json", cves),
        ("/security/cves/{name}.json", cve),
        ("/security/notices.json", notices),
        ("/security/notices/{name}.json", notice),
    ]


def _others(view: AdvisoryView) -> list[tuple[str, End]]:
    making = threading.Lock()

    @lru_cache(RENDERED_SUITES_MAX)
    def rendered(suite: str, as_of: int | None, _state: tuple[object, ...]) -> bytes | None:
        return debsecan.release(view.history, suite, as_of)

    def osv(request: Request) -> Response:
        moment = moment_of(request, view.now())
        age = age_at(view, moment, OSV_FEEDS)
        data = _osv_record(view, _name(request), moment)
        if data is None and age.old:
            return refused(age)
        if data is None:
            return answer(with_age({"code": 5, "message": "Bug not found."}, age), age, 404)
        return Response(data, headers=age.headers(), media_type="application/json")

    def suite(request: Request) -> Response:
        moment = moment_of(request, view.now())
        age = age_at(view, moment, debsecan.FEEDS)
        if age.refused:
            return PlainTextResponse(age.sentence + "\n", 503, age.headers())
        state = tuple((one.provenance.digest, one.provenance.fetched_at) for one in age.feeds)
        # All moments between two feeds are one, and of many who ask at once the first has it made.
        as_of = None if moment.as_of is None else max(one.provenance.fetched_at for one in age.feeds)
        with making:
            data = rendered(_name(request), as_of, state)
        if data is None:
            return PlainTextResponse("no feed says anything about this suite\n", 404, age.headers())
        return Response(data, headers=age.headers(), media_type="application/octet-stream")

    def document(request: Request) -> Response:
        return _document(view, request)

    return [
        ("/osv/v1/vulns/{name}", osv),
        ("/debsecan/release/1/{name}", suite),
        ("/oval/{name}", document),
        ("/osv/{name}", document),
        ("/osv/Debian/{name}", document),
        ("/vex/{name}", document),
    ]


def in_time(end: End) -> End:
    """Says what is wrong with a moment that is none."""

    def checked(request: Request) -> Response:
        try:
            return end(request)
        except WrongTimeError as error:
            return PlainTextResponse(f"{error}\n", 422)

    return checked


def _name(request: Request) -> str:
    """The record that is asked for; what is too long for a name is none's."""
    return str(request.path_params["name"])[:NAME_CHARS_MAX]


def _of_api(
    view: AdvisoryView,
    request: Request,
    feeds: tuple[tuple[str, ...], ...],
    read: Callable[[Query], Asked | Wrong],
    told: Callable[[SecurityApi, Asked], Told],
) -> Response:
    moment = moment_of(request, view.now())
    age = age_at(view, moment, *feeds)
    if age.refused:
        return refused(age)
    asked = read(_query(request))
    if isinstance(asked, Wrong):
        return answer(with_age(asked.body(), age), age, 422)
    if asked.nothing:
        return _nothing(asked, age)
    body = told(SecurityApi(view.history, age, view.limits, moment.as_of), asked)
    if isinstance(body, str):
        return answer(with_age({"message": body}, age), age, 404)
    return answer(body, age)


def _nothing(asked: Asked, age: Age) -> Response:
    listing = asked.listing
    body = {f"{listing.kind.value}s": [], "offset": listing.offset, "limit": listing.limit, "total_results": 0}
    return answer(with_age(body, age), age)


def _query(request: Request) -> Query:
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        found.setdefault(name, []).append(value)
    return found


def _osv_record(view: AdvisoryView, name: str, moment: Moment) -> bytes | None:
    """By the record's own id, else by the CVE that it is about, Ubuntu's first."""
    for feed in OSV_FEEDS:
        edition = view.history.record(feed, name, moment.as_of)
        if edition is not None:
            return view.history.verbatim(edition.digest)
    for edition in reversed(view.history.about(common_id(name), moment.as_of)):
        if edition.feed in OSV_FEEDS:
            return view.history.verbatim(edition.digest)
    return None


def _document(view: AdvisoryView, request: Request) -> Response:
    """A file as it is held, or its digest."""
    name = _name(request)
    wanted = name.removesuffix(".sha256")
    found = view.document(wanted)
    if found is None:
        return PlainTextResponse("no such file is held\n", 404)
    now = view.now()
    age = max(0, now - found.confirmed_at)
    headers = {"X-Tidegate-As-Of": written(now), "X-Tidegate-Age": str(age)}
    if age > view.limits.confirmed_max_s:
        headers["Warning"] = '110 tidegate "This file was last seen to be current longer ago than may be believed."'
    if name != wanted:
        found.file.close()
        return PlainTextResponse(digest_line(found), headers=headers)
    return send(request, found, headers)
