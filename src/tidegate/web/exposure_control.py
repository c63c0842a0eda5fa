"""The fleet's exposure through the desk's socket: what commands ask, a table, an OpenVEX document, metrics."""

from collections.abc import Iterator
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tidegate.answers.age import Age
from tidegate.answers.exposure_table import exposure_lines
from tidegate.answers.openvex import Judged, document
from tidegate.answers.table import MEDIA_TYPE
from tidegate.web.exposure_report import CveExposureReport, FleetExposureReport, HostExposuresReport

CVES_SHOWN = 100
AUTHOR = "Tidegate, on behalf of whoever runs it"
"""Of the OpenVEX document: its statements are about this fleet, and nobody else's."""


class ExposureView(Protocol):
    """What may be asked about exposure. `at` is a moment of the past, None for now."""

    async def fleet_exposure(
        self, *, at: int | None, limit: int, by_hosts: bool, tags: tuple[str, ...]
    ) -> FleetExposureReport:
        """All hosts, or those with these tags."""
        ...

    async def cve_exposure(self, about: str, *, at: int | None) -> CveExposureReport:
        """One CVE."""
        ...

    async def host_exposure(self, name: str, *, at: int | None) -> HostExposuresReport:
        """The hosts of one id or name."""
        ...

    def every_host(self, now: int) -> Iterator[Judged]:
        """Each host's verdict. Waits for the disk."""
        ...

    def age(self, now: int) -> Age:
        """How old what is told is. Waits for the disk."""
        ...

    def metrics(self, now: int) -> bytes:
        """What Prometheus reads. Waits for the disk."""
        ...

    def now(self) -> int:
        """Seconds since 1970."""
        ...


def exposure_routes(view: ExposureView) -> list[Route]:
    """To be served by the desk's socket, and through it by the admin port."""

    async def exposure(request: Request) -> Response:
        query = request.query_params
        try:
            at = int(query["at"]) if "at" in query else None
            limit = int(query.get("limit", CVES_SHOWN))
        except ValueError:
            return _json({"error": "at and limit are whole numbers"}, 400)
        if "cve" in query:
            return _json(await view.cve_exposure(query["cve"], at=at))
        if "host" in query:
            return _json(await view.host_exposure(query["host"], at=at))
        tags = tuple(query.getlist("tag"))
        return _json(
            await view.fleet_exposure(at=at, limit=max(0, limit), by_hosts=query.get("by") == "hosts", tags=tags)
        )

    def table(_: Request) -> Response:
        now = view.now()
        headers = {**view.age(now).headers(), "Content-Disposition": 'attachment; filename="exposure.csv"'}
        return StreamingResponse(exposure_lines(view.every_host(now)), headers=headers, media_type=MEDIA_TYPE)

    def openvex(_: Request) -> Response:
        now = view.now()
        age = view.age(now)
        pieces = document(view.every_host(now), age, identity=f"urn:tidegate:exposure:{now}", author=AUTHOR)
        if pieces is None:
            return _json({"error": "there is nothing to state: no host reported, or nothing was found"}, 404)
        return StreamingResponse(pieces, headers=age.headers(), media_type="application/json")

    def metrics(_: Request) -> Response:
        return Response(view.metrics(view.now()), media_type="text/plain; version=0.0.4")

    return [
        Route("/exposure.json", exposure, methods=["GET"]),
        Route("/exposure.csv", table, methods=["GET"]),
        Route("/exposure.openvex.json", openvex, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
