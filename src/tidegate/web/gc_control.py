"""Keeping house through the control socket."""

from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.web.gc_report import GcReport


class GcView(Protocol):
    """What may be asked of a running gateway about keeping house."""

    async def gc(self, *, dry_run: bool) -> GcReport:
        """Remove what may go, or say what would. Raises OSError, sqlite3.Error."""
        ...


def gc_routes(view: GcView) -> list[Route]:
    """To be served by the control socket alone."""

    async def gc(request: Request) -> Response:
        report = await view.gc(dry_run=request.query_params.get("dry_run") == "yes")
        return Response(msgspec.json.encode(report), media_type="application/json")

    return [Route("/gc", gc, methods=["POST"])]
