"""What the desk answers with: the stores of advisories and hosts, watched over."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from pyroaring import BitMap

from tidegate.answers.age import Age, age_of
from tidegate.answers.metrics import exposure_metrics, feed_metrics, report_metrics
from tidegate.answers.openvex import Judged
from tidegate.fleet.freshness import AgeLimits
from tidegate.fleet.lookout import Lookout
from tidegate.fleet.watched_hosts import WatchedHosts
from tidegate.web.exposure_report import (
    CveExposureReport,
    FleetExposureReport,
    HostExposuresReport,
    cve_report,
    fleet_report,
    hosts_report,
)
from tidegate.web.watch_metrics import watch_metrics
from tidegate.wiring.fleet_stores import FleetStores

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from tidegate.web.watch_report import WatchesReport

PAST_AT_ONCE = 1
"""Moments of the past that are looked at beside each other: each is a whole index."""

T = TypeVar("T")


class DeskView:
    """Of one desk; for its event loop. What reads runs in threads."""

    def __init__(self, stores: FleetStores, alone: Callable[[], Collection[str]], limits: AgeLimits) -> None:
        self.stores = stores
        self.limits = limits
        self._alone = alone
        self.lookout = stores.lookout(alone, limits)
        self.hosts = WatchedHosts(stores.hosts, self.lookout)
        self.report_answers: Mapping[int, int] = {}
        """How hosts that report were answered, by status; whoever lets them in counts."""
        self.watches: Callable[[], WatchesReport] | None = None
        """How watched pages stand; whoever asks them says."""
        self._past = asyncio.Semaphore(PAST_AT_ONCE)

    async def fleet_exposure(
        self, *, at: int | None, limit: int, by_hosts: bool, tags: tuple[str, ...]
    ) -> FleetExposureReport:
        return await self._asked(
            lambda lookout, now: fleet_report(lookout, now, as_of=at, limit=limit, by_hosts=by_hosts, tags=tags), at
        )

    async def cve_exposure(self, about: str, *, at: int | None) -> CveExposureReport:
        return await self._asked(lambda lookout, now: cve_report(lookout, about, now, as_of=at), at)

    async def host_exposure(self, name: str, *, at: int | None) -> HostExposuresReport:
        return await self._asked(lambda lookout, now: hosts_report(lookout, name, now, as_of=at), at)

    def now(self) -> int:
        return int(time.time())

    def every_host(self, now: int) -> Iterator[Judged]:
        for entry, verdict in self.lookout.each(now):
            host = entry.host
            yield Judged(verdict, host.distribution, host.release, host.name)

    def age(self, now: int) -> Age:
        return age_of(self.lookout.feeds(), now, self.limits)

    def metrics(self, now: int) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(_Collected(self._metrics(now)))
        return generate_latest(registry)

    def _metrics(self, now: int) -> "list[Metric]":
        lookout = self.lookout
        classes, everybody = lookout.classes(now), lookout.everybody
        clean = everybody - BitMap.union(lookout.not_judged(), *classes.values())
        told = exposure_metrics(
            lookout.pairs(now),
            {exposure: len(hosts) for exposure, hosts in classes.items()},
            silent=len(lookout.stale(now)),
            clean=0 if any(lookout.gaps().values()) else len(clean),
        )
        reports = report_metrics(dict(self.report_answers), len(everybody))
        watched = watch_metrics(self.watches()) if self.watches is not None else []
        return [*watched, *feed_metrics(self.stores.history.feeds(), now, self.limits), *told, *reports]

    async def _asked(self, question: Callable[[Lookout, int], T], at: int | None) -> T:
        if at is None:
            return await asyncio.to_thread(question, self.lookout, int(time.time()))
        async with self._past:
            past = self.stores.lookout(self._alone, self.limits, as_of=at)
            return await asyncio.to_thread(question, past, at)


class _Collected:
    """Metrics that were made already, as prometheus_client asks for them."""

    def __init__(self, metrics: "list[Metric]") -> None:
        self._metrics = metrics

    def collect(self) -> "list[Metric]":
        return self._metrics
