"""Watched pages through the desk's socket: how they stand, ask now, what is in a copy."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tidegate.watch.warc import CopiedPage
from tidegate.web.watch_report import CheckReport, WatchesReport, WatchReport

NAMES_MAX = 64
LINES = "application/jsonl"


class WatchesView(Protocol):
    """What may be asked of the desk about watched pages."""

    def watches(self) -> WatchesReport:
        """All of them."""
        ...

    def watch(self, name: str) -> WatchReport:
        """One. Raises KeyError."""
        ...

    async def copied(self, name: str, *, before: bool = False) -> CopiedPage:
        """What is in its copy. Raises KeyError, FileNotFoundError where there is none, OSError."""
        ...

    def copy_path(self, name: str, *, before: bool = False) -> Path:
        """Its WARC. Raises KeyError, FileNotFoundError where there is none."""
        ...

    def check(self, names: tuple[str, ...]) -> AsyncIterator[CheckReport]:
        """Ask these now, or all; each as it ends. Raises KeyError at once for one that there is not."""
        ...


def watch_control_routes(view: WatchesView) -> list[Route]:
    """To be served by the desk's socket; the admin port passes on what is read."""

    async def watches(_: Request) -> Response:
        return _json(view.watches())

    async def check(request: Request) -> Response:
        try:
            lines = view.check(tuple(request.query_params.getlist("name")[:NAMES_MAX]))
        except KeyError as error:
            return _json({"error": str(error.args[0])}, 404)
        return StreamingResponse((msgspec.json.encode(line) + b"\n" async for line in lines), media_type=LINES)

    return [
        Route("/watches.json", watches, methods=["GET"]),
        Route("/watches/check", check, methods=["POST"]),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
