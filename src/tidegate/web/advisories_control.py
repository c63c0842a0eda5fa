"""The advisories through the desk's control socket: how old each feed is, look at them now, one advisory."""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tidegate.web.advisories_report import (
    AdvisoryReport,
    FeedsReport,
    RefreshedReport,
    RefreshRequest,
    StepReport,
)

BODY_BYTES_MAX = 1 << 16
LINES = "application/jsonl"


class AdvisoriesView(Protocol):
    """What may be asked of the desk about advisories."""

    async def advisories_status(self) -> FeedsReport:
        """All feeds. Raises OSError."""
        ...

    async def advisory(self, identity: str, at: int | None) -> AdvisoryReport:
        """A CVE or a notice, now or at a moment. Raises OSError."""
        ...

    def advisories_refresh(self, asked: RefreshRequest) -> AsyncIterator[StepReport | RefreshedReport]:
        """Look at feeds now, one after the other; steps come as they are taken.

        Raises KeyError at once for a feed that is not kept. Ending the iteration ends the looking.
        """
        ...


def advisories_routes(view: AdvisoriesView) -> list[Route]:
    """To be served by the control socket alone."""

    async def status(_: Request) -> Response:
        return _json(await view.advisories_status())

    async def show(request: Request) -> Response:
        query = request.query_params
        try:
            at = int(query["at"]) if "at" in query else None
        except ValueError:
            return _json({"error": "no moment"}, 404)
        return _json(await view.advisory(query.get("id", ""), at))

    async def refresh(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await _body(request), type=RefreshRequest)
            lines = view.advisories_refresh(asked)
        except KeyError as error:
            return _json({"error": f"there is no feed {str(error.args[0])!r} in the settings"}, 404)
        except (ValueError, msgspec.MsgspecError) as error:
            return _json({"error": str(error)}, 404)
        return StreamingResponse((msgspec.json.encode(line) + b"\n" async for line in lines), media_type=LINES)

    return [
        Route("/feeds/status", status, methods=["GET"]),
        Route("/feeds/show", show, methods=["GET"]),
        Route("/feeds/refresh", refresh, methods=["POST"]),
    ]


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"more than {BODY_BYTES_MAX:,} bytes")
    return body


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
