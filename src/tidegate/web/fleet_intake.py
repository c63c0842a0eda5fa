"""Where hosts report: `POST /fleet/report`, with a token that lets them report and read nothing.

An unchanged host sends no body: `?host=ID&sha256=HEX` is answered with 204 where that is what is known of it, else with
409, and it sends the report whole. Everything that comes in is bounded, and a no is a sentence for whoever runs curl.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tidegate.archive.errors import FormatError, excerpt
from tidegate.fleet.forms import Beside, beside, form_named
from tidegate.fleet.hosts import TooManyHostsError
from tidegate.fleet.intake import ENCODINGS, NotYoursError, Sent, Taken
from tidegate.fleet.inventory import Form
from tidegate.fleet.settings import FleetSettings
from tidegate.fleet.tags import tags
from tidegate.store.tokens import Token, UnusableTokensError

PATH = "/fleet/report"
BODIES_PER_CLIENT_MAX = 4
"""Reports of one client address that are on their way in at once."""
CLIENTS_MAX = 100_000
"""Client addresses that are counted in one minute; beyond, all the others share one count."""
QUERY_FIELDS_MAX = 64
RETRY_AFTER_S = 30
WINDOW_S = 60.0

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FORMS = {"application/vnd.cyclonedx+json": Form.CYCLONEDX}


class RefusedError(Exception):
    """A no: its status, and a sentence that says what, where, and what to do."""

    def __init__(self, status: int, sentence: str, *, retry_after_s: int | None = None) -> None:
        self.status = status
        self.sentence = sentence
        self.retry_after_s = retry_after_s
        super().__init__(sentence)

    def response(self) -> Response:
        """For the client; a sentence in one line."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="tidegate"'
        return PlainTextResponse(f"{self.sentence}\n", self.status, headers)


class Doorkeeper:
    """What is under way, and how often each client came in this minute. On the event loop alone."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._window_ends = 0.0
        self._requests: Counter[str] = Counter()
        self.under_way = 0
        self.bodies: Counter[str] = Counter()
        self.bytes = 0
        self.answers: Counter[int] = Counter()
        """How many answers there were since the start, by status."""

    def count(self, client: str, settings: FleetSettings) -> None:
        """One more request. Raises RefusedError where the client has to wait."""
        now = self._monotonic()
        if now >= self._window_ends:
            self._requests.clear()
            self._window_ends = now + WINDOW_S
        key = client if client in self._requests or len(self._requests) < CLIENTS_MAX else ""
        self._requests[key] += 1
        if self._requests[key] > settings.requests_per_client_max:
            raise RefusedError(
                429,
                f"more than {settings.requests_per_client_max} requests a minute from this address: come later "
                "(fleet.requests_per_client_max)",
                retry_after_s=max(1, round(self._window_ends - now)),
            )
        if self.under_way >= settings.reports_waiting_max:
            raise _busy()


class IntakeView(Protocol):
    """What the intake needs of the program around it."""

    @property
    def fleet_settings(self) -> FleetSettings:
        """Those in force now."""
        ...

    @property
    def door(self) -> Doorkeeper:
        """Of which there is one, for all that come in."""
        ...

    def reporter(self, secret: str) -> Token | None:
        """The token with this secret, if it allows to report. Raises UnusableTokensError."""
        ...

    async def confirm(self, sha256: bytes, said: Beside, token: Token, words: frozenset[str]) -> bool:
        """As `Intake.confirm`, off the event loop."""
        ...

    async def take(self, sent: Sent) -> Taken:
        """As `Intake.take`, off the event loop."""
        ...


def intake_routes(view: IntakeView) -> list[Route]:
    """To be served towards the fleet."""
    door = view.door

    async def report(request: Request) -> Response:
        client = request.client.host if request.client else ""
        try:
            door.count(client, view.fleet_settings)
            door.under_way += 1
            try:
                response = await _report(request, view, door, client)
            finally:
                door.under_way -= 1
        except RefusedError as refused:
            response = refused.response()
        door.answers[response.status_code] += 1
        return response

    return [Route(PATH, report, methods=["POST"])]


async def _report(request: Request, view: IntakeView, door: Doorkeeper, client: str) -> Response:
    token = _token(request, view)
    try:
        query = request.query_params
        said = said_of(query)
        words = tags([*query.getlist("tag"), *token.tags])
        form = form_said(request)
        probe = query.get("sha256")
        if probe is not None:
            return await _confirmed(probe, said, view, token, words)
        data = await _body(request, view.fleet_settings, door, client)
        try:
            sent = Sent(data, _encoding(request), form, said, words, token.hosts)
            return _answer(await view.take(sent))
        finally:
            door.bytes -= len(data)
    except FormatError as error:
        raise RefusedError(
            400, f"{error}. Nothing was taken in, and what was known of the host stays; docs/fleet.md has the forms."
        ) from None
    except NotYoursError as error:
        raise RefusedError(403, f"{error}: make one for it with `tidegate fleet token add`") from None
    except TooManyHostsError as error:
        raise RefusedError(507, f"{error} (fleet.hosts_max); the hosts that are known may go on reporting") from None
    except OSError as error:
        raise RefusedError(
            503, f"it cannot be written down now: {error.strerror or error}", retry_after_s=RETRY_AFTER_S
        ) from None


def _token(request: Request, view: IntakeView) -> Token:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise RefusedError(401, "no token: send `Authorization: Bearer TOKEN`; `tidegate fleet token add` makes one")
    try:
        token = view.reporter(secret.strip())
    except UnusableTokensError as error:
        raise RefusedError(503, f"nobody can be let in: {error}", retry_after_s=RETRY_AFTER_S) from None
    if token is None:
        raise RefusedError(401, "this token does not allow to report: unknown, expired, or for something else")
    return token


def said_of(query: QueryParams) -> Beside:
    """What a request says beside an inventory. Raises FormatError."""
    if len(query.multi_items()) > QUERY_FIELDS_MAX:
        raise FormatError(f"more than {QUERY_FIELDS_MAX} fields in the query")
    if unknown := sorted(set(query) - {"host", "name", "release", "kernel", "form", "tag", "sha256"}):
        raise FormatError(f"no such field of the query: {excerpt(unknown[0])}")
    return beside(*(query.get(field, "") for field in ("host", "name", "release", "kernel")))


def form_said(request: Request) -> Form | None:
    """The form that a request names; None where it leaves that to the bytes. Raises FormatError."""
    named = request.query_params.get("form")
    if named is not None:
        return form_named(named)
    return _FORMS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())


def _encoding(request: Request) -> str:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise RefusedError(415, f"Content-Encoding {excerpt(encoding)}: send gzip, zstd, or as it is")
    return encoding


async def _confirmed(probe: str, said: Beside, view: IntakeView, token: Token, words: frozenset[str]) -> Response:
    if not _SHA256.fullmatch(probe):
        raise FormatError(f"no SHA-256: {excerpt(probe)}")
    if not said.host:
        raise FormatError("sha256 without host: say whose report it is of, with host=ID")
    if await view.confirm(bytes.fromhex(probe), said, token, words):
        return Response(status_code=204)
    return PlainTextResponse("this is not what is known of the host: send the report whole\n", 409)


async def _body(request: Request, settings: FleetSettings, door: Doorkeeper, client: str) -> bytes:
    """All of it, accounted for in `door.bytes`; whoever gets it gives that back."""
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and int(said[:20]) > settings.report_bytes_max:
        raise _too_large(settings)
    if door.bodies[client] >= BODIES_PER_CLIENT_MAX:
        raise RefusedError(
            429, f"{BODIES_PER_CLIENT_MAX} reports of this address are under way already", retry_after_s=1
        )
    door.bodies[client] += 1
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(settings.report_timeout_s):
            async for piece in request.stream():
                pieces.append(piece)
                size += len(piece)
                door.bytes += len(piece)
                if size > settings.report_bytes_max:
                    raise _too_large(settings)
                if door.bytes > settings.reports_memory_bytes_max:
                    raise _busy()
        if not size:
            raise FormatError("an empty body: send a report, or sha256=HEX of one")
    except BaseException as error:
        door.bytes -= size
        if isinstance(error, TimeoutError):
            late = f"the report did not arrive whole within {settings.report_timeout_s:g} s (fleet.report_timeout_s)"
            raise RefusedError(408, late) from None
        if isinstance(error, ClientDisconnect):
            raise RefusedError(400, "the client went away in the middle of its report") from None
        raise
    finally:
        door.bodies[client] -= 1
        if not door.bodies[client]:
            del door.bodies[client]
    return b"".join(pieces)


def _answer(taken: Taken) -> Response:
    host, count = taken.inventory.host, len(taken.inventory.packages)
    lines = [f"{'taken in' if taken.news else 'nothing new'}: {count} packages of {host.name or host.id}"]
    lines += [f"not read, so nothing is known of it: {one}" for one in taken.inventory.unreadable]
    if taken.double is not None:
        lines.append(
            f"another machine ({taken.double.name or 'without a name'}) reports as the same host {host.id}: of two "
            "machines with one machine-id only the last report counts. Give one of them a new machine-id "
            "(machine-id(5)), or report it with host=ID."
        )
    return PlainTextResponse("\n".join(lines) + "\n")


def _too_large(settings: FleetSettings) -> RefusedError:
    return RefusedError(413, f"a report of more than {settings.report_bytes_max:,} bytes (fleet.report_bytes_max)")


def _busy() -> RefusedError:
    return RefusedError(503, "too many hosts report at once: come later", retry_after_s=RETRY_AFTER_S)
