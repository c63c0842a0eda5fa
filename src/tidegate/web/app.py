"""The admin port: health, readiness, status and metrics to read; and the control socket, which may also ask for work.

The port is for monitoring and changes nothing, but for notes on incidents, by whoever has a token for them. What
changes something else comes through `control.sock` in the state
directory, so whoever may open that file is who may ask.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tidegate.holding.readiness import Readiness
from tidegate.web.drill_control import DrillView, drill_routes
from tidegate.web.gc_control import GcView, gc_routes
from tidegate.web.hold_control import HoldView, hold_routes
from tidegate.web.host_check import HostCheck
from tidegate.web.notes import PATH as NOTES_PATH
from tidegate.web.probe_report import ProbeReport, ProbeRound
from tidegate.web.report import LookReport, StatusReport
from tidegate.web.source_report import SourceState

RequestEnd = Callable[[Request], Awaitable[Response]]
LINES = "application/jsonl"
"""One JSON value a line, each sent when it is there."""


class View(HoldView, GcView, DrillView, Protocol):
    """What the admin port sees of a running gateway, and what it may ask for."""

    def status(self) -> StatusReport:
        """As of now."""
        ...

    def readiness(self) -> Readiness | None:
        """As it was last counted; None before the first time."""
        ...

    async def refresh(self, archive: str, suite: str, *, wait: bool) -> tuple[bool, str]:
        """Look at a suite now; say how that ended, or `begun`. Raises KeyError for an archive that is not served."""
        ...

    def probe(self, archive: str | None) -> AsyncIterator[ProbeRound | ProbeReport]:
        """Probe every source, or those of one archive; how many there are, then each as it ends. Raises KeyError."""
        ...


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def make_app(view: View, hosts: tuple[str, ...], desk: RequestEnd, note: RequestEnd) -> Starlette:
    """The admin port's application. `hosts`: names that a request's Host may have besides addresses (threat 41).

    `desk` answers whatever else is asked for, `note` takes what people write down about incidents.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        status = view.status()
        waiting = [one for one in status.suites if one.state == "waiting" and one.configured]
        lines = [f"{one.archive} {one.suite}: {one.trouble or 'being fetched'}" for one in waiting]
        return PlainTextResponse("ready\n") if status.ready else PlainTextResponse("\n".join(lines) + "\n", 503)

    async def status(_: Request) -> Response:
        return _json(view.status())

    async def readiness(_: Request) -> Response:
        counted = view.readiness()
        return PlainTextResponse("not counted yet\n", 503) if counted is None else _json(counted)

    async def metrics(request: Request) -> Response:
        registry = CollectorRegistry()
        registry.register(_Collector(view.status()))
        own, kept = generate_latest(registry), await desk(request)
        beside = b"" if kept.status_code != 200 else await _whole(kept)
        return Response(own + beside, media_type="text/plain; version=0.0.4")

    routes: list[tuple[str, RequestEnd]] = [
        ("/healthz", healthz),
        ("/readyz", readyz),
        ("/status.json", status),
        ("/metrics", metrics),
    ]
    routes += [("/readiness.json", readiness), ("/{path:path}", desk)]
    return Starlette(
        routes=[
            Route(NOTES_PATH, note, methods=["POST"]),
            *(Route(path, end, methods=["GET"]) for path, end in routes),
        ],
        middleware=[Middleware(HostCheck, hosts=hosts, setting="admin.hosts")],
    )


def make_control(view: View) -> Starlette:
    """The control socket's application."""

    async def status(_: Request) -> Response:
        return _json(view.status())

    async def refresh(request: Request) -> Response:
        archive, suite = request.query_params.get("archive", ""), request.query_params.get("suite", "")
        try:
            ok, outcome = await view.refresh(archive, suite, wait=request.query_params.get("wait") != "no")
        except KeyError:
            return _no_archive(archive)
        return _json(LookReport(archive=archive, suite=suite, ok=ok, outcome=outcome))

    async def probe(request: Request) -> Response:
        archive = request.query_params.get("archive")
        try:
            lines = view.probe(archive)
        except KeyError:
            return _no_archive(archive)
        return StreamingResponse((msgspec.json.encode(line) + b"\n" async for line in lines), media_type=LINES)

    return Starlette(
        routes=[
            Route("/status", status, methods=["GET"]),
            Route("/refresh", refresh, methods=["POST"]),
            Route("/probe", probe, methods=["POST"]),
            *hold_routes(view),
            *gc_routes(view),
            *drill_routes(view),
        ]
    )


async def _whole(answer: Response) -> bytes:
    """The body of an answer that comes in pieces."""
    if not isinstance(answer, StreamingResponse):
        return bytes(answer.body)
    return b"".join([piece if isinstance(piece, bytes) else bytes(piece) async for piece in answer.body_iterator])  # type: ignore[arg-type]  # ours are bytes


def _no_archive(name: str | None) -> Response:
    return _json({"error": f"no archive {name!r} is served here"}, 404)


_STATES: Mapping[SourceState, int] = {
    "good": 0,
    "unused": 0,
    "behind": 0,
    "on trial": 1,
    "out": 2,
    "wrong bytes": 3,
}


class _Collector:
    """A status report as metrics."""

    def __init__(self, status: StatusReport) -> None:
        self._status = status

    def collect(self) -> "list[Metric]":
        """Gauges for suites, counters for answers and sources."""
        status = self._status
        ready = GaugeMetricFamily("tidegate_ready", "Each configured suite is served", 1.0 if status.ready else 0.0)
        alone = GaugeMetricFamily(
            "tidegate_alone", "All sources of the archive are out, or the gateway is offline", labels=["archive"]
        )
        lost = {one.archive for one in status.alone}
        for name in sorted({one.archive for one in status.sources} | lost):
            alone.add_metric([name], 1.0 if name in lost else 0.0)
        return [ready, alone, *self._readiness(), *self._suites(), *self._sources(), *self._traffic()]

    def _readiness(self) -> "list[Metric]":
        counted = self._status.readiness
        if counted is None:
            return []
        share = GaugeMetricFamily(
            "tidegate_readiness_ratio",
            "Share that could be served if every source vanished: of security updates, updates, a fresh install",
            labels=["kind"],
        )
        for one in counted.shares:
            if one.percent is not None:
                share.add_metric([one.kind.value], one.percent / 100)
        at = GaugeMetricFamily("tidegate_readiness_counted_seconds", "When it was counted", counted.counted_at)
        lacking = GaugeMetricFamily("tidegate_readiness_lacking_bytes", "Wanted and not held", counted.lacking_bytes)
        return [share, at, lacking]

    def _suites(self) -> "list[Metric]":
        labels = ["archive", "suite"]
        served = GaugeMetricFamily("tidegate_suite_served", "The suite is served", labels=labels)
        date = GaugeMetricFamily("tidegate_suite_date_seconds", "Date of the served Release", labels=labels)
        confirmed = GaugeMetricFamily(
            "tidegate_suite_confirmed_seconds", "When it was last seen to be the newest", labels=labels
        )
        by = GaugeMetricFamily(
            "tidegate_suite_confirmed_operators",
            "How many operators showed it when it was last confirmed",
            labels=labels,
        )
        missing = GaugeMetricFamily(
            "tidegate_suite_missing_packages", "Wanted packages that it lists and that are not held", labels=labels
        )
        for one in self._status.suites:
            values = [one.archive, one.suite]
            if one.missing is not None:
                missing.add_metric(values, one.missing)
            served.add_metric(values, 0.0 if one.state == "waiting" else 1.0)
            by.add_metric(values, len(one.confirmed_by))
            if one.date is not None and one.confirmed_at is not None:
                date.add_metric(values, one.date)
                confirmed.add_metric(values, one.confirmed_at)
        return [served, date, confirmed, by, missing]

    def _sources(self) -> "list[Metric]":
        labels = ["archive", "source"]
        fetched = CounterMetricFamily("tidegate_source_fetched", "Objects fetched", labels=labels)
        octets = CounterMetricFamily("tidegate_source_fetched_bytes", "Bytes fetched", labels=labels)
        failed = CounterMetricFamily("tidegate_source_failed", "Fetches that failed", labels=labels)
        for one in self._status.sources:
            fetched.add_metric([one.archive, one.url], one.fetched)
            octets.add_metric([one.archive, one.url], one.fetched_bytes)
            failed.add_metric([one.archive, one.url], one.failed)
        return [fetched, octets, failed, *self._standings()]

    def _standings(self) -> "list[Metric]":
        labels = ["archive", "source", "operator"]
        state = GaugeMetricFamily(
            "tidegate_source_state", "0 asked, 1 on trial, 2 out, 3 out for wrong bytes", labels=labels
        )
        first_byte = GaugeMetricFamily(
            "tidegate_source_first_byte_seconds", "Median time from a request to its answer's head", labels=labels
        )
        rate = GaugeMetricFamily("tidegate_source_rate_bytes", "Bytes a second of large bodies", labels=labels)
        behind = GaugeMetricFamily(
            "tidegate_source_behind_seconds",
            "By how much its Release is older than the newest accepted one",
            labels=[*labels, "suite"],
        )
        for one in self._status.sources:
            values = [one.archive, one.url, one.operator]
            state.add_metric(values, _STATES[one.state])
            if one.first_byte_ms is not None:
                first_byte.add_metric(values, one.first_byte_ms / 1000)
            if one.rate_bytes_s is not None:
                rate.add_metric(values, one.rate_bytes_s)
            for suite, seconds in one.behind.items():
                behind.add_metric([*values, suite], seconds)
        return [state, first_byte, rate, behind]

    def _traffic(self) -> "list[Metric]":
        traffic = self._status.traffic
        if traffic is None:
            return []
        answers = CounterMetricFamily("tidegate_answers", "Answers by how they were come by", labels=["how"])
        for how, count in traffic.by_how.items():
            answers.add_metric([how], count)
        octets = CounterMetricFamily("tidegate_answered_bytes", "Bytes of bodies answered", value=traffic.bytes)
        connections = GaugeMetricFamily("tidegate_connections", "Open client connections", traffic.connections)
        return [answers, octets, connections]
