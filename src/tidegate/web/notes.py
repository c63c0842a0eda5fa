"""Notes and actions on incidents over HTTP: by whoever has a token for just that, from our own page or a program.

POST /incidents/ID    kind=note|action, text=…, and token=… or `Authorization: Bearer …`
"""

from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tidegate.store.tokens import Token, UnusableTokensError
from tidegate.web.incident_report import WrittenReport

PATH = "/incidents/{incident}"
BODY_BYTES_MAX = 16_384
TEXT_CHARS_MAX = 2_000
FIELDS_MAX = 8
FORM = "application/x-www-form-urlencoded"
KINDS = {"note": "incident-note", "action": "incident-action"}


class NotesView(Protocol):
    """Where notes go."""

    def writer(self, secret: str) -> Token | None:
        """The token that lets somebody write, None where this is none. Raises UnusableTokensError."""
        ...

    async def write(self, incident: str, kind: str, *, by: str, text: str) -> int:
        """Write it into the journal; the event's number. Raises KeyError where there is no such incident, OSError."""
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
        given = {name: values[0].strip() for name, values in fields.items()}
        kind, text = KINDS.get(given.get("kind", "note")), given.get("text", "")
        if kind is None or not 0 < len(text) <= TEXT_CHARS_MAX:
            return PlainTextResponse(f"kind is note or action, text has 1 to {TEXT_CHARS_MAX} characters\n", 400)
        try:
            token = view.writer(_secret(request, given))
        except UnusableTokensError as error:
            return PlainTextResponse(f"nobody can be let in: {error}\n", 503)
        if token is None:
            todo = "`tidegate fleet token add NAME --for note` makes one"
            return PlainTextResponse(f"this token does not allow to write notes; {todo}\n", 401)
        return await _written(request, view, kind, by=token.name, text=text)

    return [Route(PATH, write, methods=["POST"])]


async def _written(request: Request, view: NotesView, kind: str, *, by: str, text: str) -> Response:
    incident = str(request.path_params["incident"])
    try:
        seq = await view.write(incident, kind, by=by, text=text)
    except KeyError:
        return PlainTextResponse("there is no such incident\n", 404)
    except OSError as error:
        return PlainTextResponse(f"it cannot be written down now: {error}\n", 503)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/", 303)
    return Response(msgspec.json.encode(WrittenReport(incident=incident, seq=seq)), media_type="application/json")


def _secret(request: Request, given: dict[str, str]) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else given.get("token", "")
