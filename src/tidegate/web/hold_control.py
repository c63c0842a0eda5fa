"""The hot set through the control socket: list it, ask why, add and remove rules."""

from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.web.hold_report import (
    HoldAddReport,
    HoldRemoveReport,
    HoldsReport,
    HoldWhyReport,
    WishRequest,
)

BODY_BYTES_MAX = 1 << 20


class HoldView(Protocol):
    """What may be asked of a running gateway about its hot set."""

    async def hold_list(self) -> HoldsReport:
        """All of it."""
        ...

    async def hold_why(self, package: str) -> HoldWhyReport:
        """One package."""
        ...

    async def hold_add(self, asked: WishRequest) -> HoldAddReport:
        """Take a rule in. Raises ValueError, with a sentence, for one that cannot be; OSError."""
        ...

    async def hold_remove(self, names: tuple[str, ...]) -> HoldRemoveReport:
        """Remove rules, or forget what clients used. Raises OSError."""
        ...


def hold_routes(view: HoldView) -> list[Route]:
    """To be served by the control socket alone."""

    async def listed(_: Request) -> Response:
        return _json(await view.hold_list())

    async def why(request: Request) -> Response:
        return _json(await view.hold_why(request.query_params.get("package", "")))

    async def add(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await _body(request), type=WishRequest)
            return _json(await view.hold_add(asked))
        except (ValueError, msgspec.MsgspecError) as error:
            return _json({"error": str(error)}, 404)

    async def remove(request: Request) -> Response:
        return _json(await view.hold_remove(tuple(request.query_params.getlist("name"))))

    return [
        Route("/hold/list", listed, methods=["GET"]),
        Route("/hold/why", why, methods=["GET"]),
        Route("/hold/add", add, methods=["POST"]),
        Route("/hold/remove", remove, methods=["POST"]),
    ]


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"a rule of more than {BODY_BYTES_MAX:,} bytes")
    return body


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
