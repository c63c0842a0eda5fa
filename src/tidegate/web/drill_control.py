"""A drill in a running gateway, through the control socket: faults for as long as somebody renews them."""

import asyncio
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.drill.playing import Staged
from tidegate.drill.taking_part import LOOK_S

ORDER_BYTES_MAX = 1 << 20
LEASE_S_MAX = 60.0
FAULTS_MAX = 256
VERDICTS = ("passed", "failed", "stopped")


class DrillOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be played from now on, all of it; and for how long, unless it is renewed."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+-]{0,99}$", title="a name of a-z, 0-9, dot, plus, minus")]
    scenario: Annotated[str, Meta(max_length=200)]
    by: Annotated[str, Meta(max_length=200)]
    lease_s: Annotated[float, Meta(gt=0, le=LEASE_S_MAX)]
    rehearsal: Annotated[bool, Meta(description="of a laboratory: readiness is not asked for")] = False
    faults: Annotated[tuple[Staged, ...], Meta(max_length=FAULTS_MAX)] = ()


class DrillState(Struct, frozen=True, kw_only=True):
    """How a drill stands."""

    name: str
    state: Literal["running", "stopped", "none"]
    reason: Annotated[str, Meta(description="why it does not run")]
    requests: Annotated[int, Meta(description="answered since it began")] = 0
    lacking: Annotated[int, Meta(description="of them refused: not held, and not to be had")] = 0
    bytes: int = 0
    feeds: Annotated[tuple[str, ...], Meta(description="names of the feeds that a fault can be on")] = ()


class DrillRefusedError(Exception):
    """It may not begin: a sentence saying why."""


class DrillView(Protocol):
    """What may be asked of a running gateway about drills."""

    def drill(self, order: DrillOrder) -> DrillState:
        """Begin it, or renew it. Raises DrillRefusedError."""
        ...

    def drill_end(self, verdict: str, *, because: str) -> DrillState:
        """Every fault off, at once; `verdict`: passed, failed or stopped."""
        ...

    def drill_state(self) -> DrillState:
        """As of now."""
        ...


def drill_routes(view: DrillView) -> list[Route]:
    """To be served by the control socket alone."""

    async def play(request: Request) -> Response:
        try:
            return _json(view.drill(msgspec.json.decode(await _body(request), type=DrillOrder)))
        except (DrillRefusedError, ValueError, msgspec.MsgspecError) as error:
            return _json({"error": str(error)}, 404)

    async def end(request: Request) -> Response:
        asked = request.query_params
        verdict = asked.get("verdict", "stopped")
        if verdict not in VERDICTS:
            return _json({"error": f"no verdict {verdict!r}"}, 404)
        state = view.drill_end(verdict, because=asked.get("because", ""))
        await asyncio.sleep(2 * LOOK_S)  # whoever hears of the end finds it so in every process
        return _json(state)

    async def state(_: Request) -> Response:
        return _json(view.drill_state())

    return [
        Route("/drill", play, methods=["POST"]),
        Route("/drill", state, methods=["GET"]),
        Route("/drill/end", end, methods=["POST"]),
    ]


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > ORDER_BYTES_MAX:
            raise ValueError(f"an order of more than {ORDER_BYTES_MAX:,} bytes")
    return body


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
