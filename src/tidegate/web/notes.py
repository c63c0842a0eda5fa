"""What people write down about incidents over HTTP: who has a token for just that, from our own page or a program.

POST /incidents/ID    kind=note|action|claim|revise|close, text=… and more (`incidents/writing.py`),
                      and token=… or `Authorization: Bearer …`
"""

from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tidegate.incidents.writing import UnfitError, Writing
from tidegate.store.tokens import Token, UnusableTokensError
from tidegate.web.incident_report import WrittenReport

PATH = "/incidents/{incident}"
BODY_BYTES_MAX = 16_384
FIELDS_MAX = 12
FORM = "application/x-www-form-urlencoded"


class NotesView(Protocol):
    """Where notes go."""

    def writer(self, secret: str) -> Token | None:
        """The token that lets somebody write, None where this is none. Raises UnusableTokensError."""
        ...

    async def write(self, incident: str, writing: Writing, *, by: str) -> WrittenReport:
        """Write it into the journal. Raises KeyError where there is no such incident, UnfitError, OSError."""
        ...


def is_ours(headers: Headers) -> bool:
    """Whether a request that changes something is from a page of ours, or from no page at all.

    A browser says where a page is from that posts: in Origin, and where it can in Sec-Fetch-Site. A program says
    neither, and has to have a token like anybody.
    """
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""


def note_routes(view: NotesView) -> list[Route]:
    """To be served by the desk's socket. Who forwards to it asks `is_ours` before, and bounds the body."""

    async def write(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return PlainTextResponse(f"send {FORM}\n", 415)
        body = await request.body()
        try:
            fields = parse_qs(body.decode(), max_num_fields=FIELDS_MAX, strict_parsing=True, errors="strict")
        except ValueError:
            return PlainTextResponse("this is no form\n", 400)
        given = {"kind": "note", **{name: text for name, values in fields.items() if (text := values[0].strip())}}
        secret = _secret(request, given)
        try:
            writing = msgspec.convert(given, Writing, strict=False)
        except msgspec.ValidationError as error:
            return PlainTextResponse(f"it cannot be written down: {error}\n", 400)
        try:
            token = view.writer(secret)
        except UnusableTokensError as error:
            return PlainTextResponse(f"nobody can be let in: {error}\n", 503)
        if token is None:
            todo = "`tidegate fleet token add NAME --for note` makes one"
            return PlainTextResponse(f"this token does not allow to write notes; {todo}\n", 401)
        return await _written(request, view, writing, by=token.name)

    return [Route(PATH, write, methods=["POST"])]


async def _written(request: Request, view: NotesView, writing: Writing, *, by: str) -> Response:
    try:
        written = await view.write(str(request.path_params["incident"]), writing, by=by)
    except UnfitError as error:
        return PlainTextResponse(f"{error}\n", 409)
    except KeyError:
        return PlainTextResponse("there is no such incident\n", 404)
    except OSError as error:
        return PlainTextResponse(f"it cannot be written down now: {error}\n", 503)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/", 303)
    return Response(msgspec.json.encode(written), media_type="application/json")


def _secret(request: Request, given: dict[str, str]) -> str:
    """Whose word it is; taken out of what is to be written."""
    posted = given.pop("token", "")
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else posted
