"""`tidegate exposure` asks the running desk, or works on its state itself where none runs."""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from tidegate.config import Gathered
from tidegate.fleet.lookout import Lookout
from tidegate.web.exposure_report import (
    CveExposureReport,
    FleetExposureReport,
    HostExposuresReport,
    cve_report,
    fleet_report,
    hosts_report,
)
from tidegate.wiring.ask import NotRunningError, ask_at, status
from tidegate.wiring.fleet_stores import open_fleet_stores
from tidegate.wiring.store import layout_of

ANSWER_TIMEOUT_S = 600.0
"""A moment of the past of a large fleet is read whole."""

Report = TypeVar("Report")


class NoFleetError(Exception):
    """No host has ever reported here: a sentence."""


class ExposureDoor:
    """The exposure of one gateway's fleet. `at` is a moment of the past. All raise NoFleetError and OSError."""

    def __init__(self, gathered: Gathered, environment: Mapping[str, str]) -> None:
        self._gathered = gathered
        self._environment = environment
        self._layout = layout_of(gathered.settings.store, environment, uid=os.getuid())

    def fleet(self, *, at: int | None, limit: int, by_hosts: bool, tags: Sequence[str]) -> FleetExposureReport:
        """All hosts, or those with these tags."""
        query = [("limit", str(limit)), ("by", "hosts" if by_hosts else "rank"), *(("tag", tag) for tag in tags)]
        return self._ask(
            query,
            at,
            FleetExposureReport,
            lambda lookout, now: fleet_report(lookout, now, as_of=at, limit=limit, by_hosts=by_hosts, tags=tags),
        )

    def cve(self, about: str, *, at: int | None) -> CveExposureReport:
        """One CVE."""
        return self._ask(
            [("cve", about)], at, CveExposureReport, lambda lookout, now: cve_report(lookout, about, now, as_of=at)
        )

    def host(self, name: str, *, at: int | None) -> HostExposuresReport:
        """The hosts of one id or name."""
        return self._ask(
            [("host", name)], at, HostExposuresReport, lambda lookout, now: hosts_report(lookout, name, now, as_of=at)
        )

    def _ask(
        self,
        query: Sequence[tuple[str, str]],
        at: int | None,
        kind: type[Report],
        here: Callable[[Lookout, int], Report],
    ) -> Report:
        target = "/exposure.json?" + urlencode([*query, *([] if at is None else [("at", str(at))])])
        try:
            return msgspec.json.decode(ask_at(self._layout.desk, "GET", target, timeout_s=ANSWER_TIMEOUT_S), type=kind)
        except NotRunningError:
            if not self._layout.fleet.exists():
                raise NoFleetError(f"{self._layout.state}: no host has ever reported here") from None
        try:
            return self._here(at, here)
        except sqlite3.Error as error:
            raise OSError(5, f"the databases cannot be used: {error}", str(self._layout.state)) from None

    def _here(self, at: int | None, question: Callable[[Lookout, int], Report]) -> Report:
        alone = self._alone()
        stores = open_fleet_stores(self._layout)
        try:
            lookout = stores.lookout(lambda: alone, self._gathered.settings.fleet.ages, as_of=at)
            return question(lookout, int(time.time()) if at is None else at)
        finally:
            stores.close()

    def _alone(self) -> frozenset[str]:
        try:
            return frozenset(one.archive for one in status(self._gathered, self._environment).alone)
        except FileNotFoundError:
            return frozenset()
