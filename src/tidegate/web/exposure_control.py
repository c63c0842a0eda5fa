"""The fleet's exposure through the desk's socket."""

from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.web.exposure_report import CveExposureReport, FleetExposureReport, HostExposuresReport

CVES_SHOWN = 100


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


def exposure_routes(view: ExposureView) -> list[Route]:
    """To be served by the desk's socket; `GET /exposure.json` also by the admin port."""

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

    return [Route("/exposure.json", exposure, methods=["GET"])]


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
