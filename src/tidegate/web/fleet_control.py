"""The fleet through the desk's control socket: add, list and show hosts, tag and remove them."""

from collections.abc import Awaitable, Callable, Iterator
from functools import wraps
from itertools import islice
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tidegate.archive.errors import FormatError
from tidegate.fleet.hosts import TooManyHostsError
from tidegate.fleet.intake import ENCODINGS, Sent
from tidegate.fleet.inventory import INVENTORY_BYTES_MAX
from tidegate.fleet.tags import tags
from tidegate.web.fleet_intake import form_said, said_of
from tidegate.web.fleet_report import (
    FleetAddReport,
    FleetRemoveReport,
    FleetTagReport,
    HostReport,
    HostsEnd,
    HostShowReport,
)

LINES_AT_ONCE = 1000


class FleetView(Protocol):
    """What may be asked of the desk about hosts. All raise LookupError, with a sentence, for a host that is not known,
    and OSError."""

    async def fleet_add(self, sent: Sent) -> FleetAddReport:
        """Take an inventory in. Raises FormatError, TooManyHostsError."""
        ...

    def fleet_list(self, tag: str, *, only_silent: bool) -> Iterator[HostReport | HostsEnd]:
        """All hosts, those with a tag, or those that are unknown; one by one, then what ends the list. Blocks."""
        ...

    async def fleet_show(self, host: str, at: int | None) -> HostShowReport:
        """One host, now or at a moment."""
        ...

    async def fleet_tag(self, hosts: tuple[str, ...], add: frozenset[str], remove: frozenset[str]) -> FleetTagReport:
        """Give hosts tags, and take some from them. Raises FormatError."""
        ...

    async def fleet_remove(self, hosts: tuple[str, ...]) -> FleetRemoveReport:
        """Forget hosts: all that are named, or none where one is not known."""
        ...


def fleet_routes(view: FleetView) -> list[Route]:
    """To be served by the control socket alone."""

    async def add(request: Request) -> Response:
        query = request.query_params
        encoding = request.headers.get("content-encoding", "")
        if encoding not in ENCODINGS:
            raise FormatError(f"compressed by {encoding!r}")
        data = await _body(request)
        sent = Sent(data, encoding, form_said(request), said_of(query), tags(query.getlist("tag")))
        return _json(await view.fleet_add(sent))

    async def listed(request: Request) -> Response:
        query = request.query_params
        hosts = view.fleet_list(query.get("tag", ""), only_silent=query.get("silent") == "yes")
        return StreamingResponse(_lines(hosts), media_type="application/jsonl")

    async def show(request: Request) -> Response:
        at = request.query_params.get("at")
        return _json(await view.fleet_show(request.query_params.get("host", ""), None if at is None else int(at)))

    async def tag(request: Request) -> Response:
        query = request.query_params
        add, remove = tags(query.getlist("add")), tags(query.getlist("remove"))
        return _json(await view.fleet_tag(tuple(query.getlist("host")), add, remove))

    async def remove(request: Request) -> Response:
        return _json(await view.fleet_remove(tuple(request.query_params.getlist("host"))))

    return [
        Route("/fleet/add", _saying_no(add), methods=["POST"]),
        Route("/fleet/list", _saying_no(listed), methods=["GET"]),
        Route("/fleet/show", _saying_no(show), methods=["GET"]),
        Route("/fleet/tag", _saying_no(tag), methods=["POST"]),
        Route("/fleet/remove", _saying_no(remove), methods=["POST"]),
    ]


def _saying_no(end: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A no becomes a 404 with its sentence, which the command tells."""

    @wraps(end)
    async def answered(request: Request) -> Response:
        try:
            return await end(request)
        except (FormatError, TooManyHostsError) as error:
            return _json({"error": str(error)}, 404)
        except LookupError as error:
            return _json({"error": str(error.args[0])}, 404)
        except OSError as error:
            return _json({"error": f"it cannot be written down: {error.strerror or error}"}, 404)

    return answered


def _lines(values: Iterator[HostReport | HostsEnd]) -> Iterator[bytes]:
    """A value a line, many lines at once: a million hosts are never in memory together."""
    while some := list(islice(values, LINES_AT_ONCE)):
        yield b"".join(msgspec.json.encode(one) + b"\n" for one in some)


async def _body(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > INVENTORY_BYTES_MAX:
            raise FormatError(f"more than {INVENTORY_BYTES_MAX:,} bytes")
    return b"".join(pieces)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
