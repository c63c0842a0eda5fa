"""What Tidegate makes of a fault: on first contact with it, once it is known, and with what it holds.

Each row has two gateways of its own, begun fresh. The cold one has asked nobody before: three clients update, each
from a suite that the gateway has to adopt first. The warm one has adopted a suite from healthy sources and holds one
set of packages; then the source that it likes best is struck, clients install sets that it does not hold, and last
the one that it does: while one source is struck, and while all are.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.gateway_process import GatewayProcess
from tests.lab.faults import REFUSED, Fault
from tests.lab.laboratory import Laboratory
from tests.lab.outcome import Outcome, objections_to, of_install, of_update
from tests.lab.stage import ROLES, Stage
from tests.lab.tap import Tap
from tests.lab.trees import ALIAS, set_package
from tests.lab.ways import gateway_over
from tests.oracle import Oracle
from tests.realapt import PrivateApt

HELD = "held"
HELD_RUNS = 3


@dataclass(slots=True)
class Row:
    """One fault; each list holds what was measured one after the other."""

    fault: str
    first_update: list[Outcome] = field(default_factory=list)
    again_update: list[Outcome] = field(default_factory=list)
    first_install: list[Outcome] = field(default_factory=list)
    again_install: list[Outcome] = field(default_factory=list)
    held_update: list[Outcome] = field(default_factory=list)
    held_install: list[Outcome] = field(default_factory=list)
    all_struck_update: list[Outcome] = field(default_factory=list)
    all_struck_install: list[Outcome] = field(default_factory=list)
    asked_update: int = 0  # requests that the struck source read on first contact
    asked_install: int = 0
    inside: int = 0  # requests that went where no redirect may lead
    checked: int = 0  # complete 2xx bodies
    unaccounted: list[str] = field(default_factory=list)

    @property
    def outcomes(self) -> list[Outcome]:
        """Everything measured with a healthy source left, and with what is held."""
        updates = (*self.first_update, *self.again_update, *self.held_update, *self.all_struck_update)
        installs = (*self.first_install, *self.again_install, *self.held_install, *self.all_struck_install)
        return [*updates, *installs]


def measure(laboratory: Laboratory, fault: Fault | None) -> Row:
    """One row; `None` is the healthy run."""
    row = Row(fault.name if fault else "")
    with laboratory.stage(fault.scheme if fault else "http") as stage:
        _cold(_Scene(laboratory, stage, fault, row))
    with laboratory.stage(fault.scheme if fault else "http") as stage:
        _warm(_Scene(laboratory, stage, fault, row))
    return row


@dataclass(frozen=True, slots=True)
class _Scene:
    """One gateway of a row, and the means to measure it."""

    laboratory: Laboratory
    stage: Stage
    fault: Fault | None
    row: Row

    def update(self, apt: PrivateApt) -> Outcome:
        """An update from nothing."""
        apt.forget_lists()
        return of_update(apt.update(), apt, self.laboratory.trees)

    def install(self, apt: PrivateApt, name: str) -> Outcome:
        """A set, downloaded from nothing."""
        apt.forget_packages()
        return of_install(apt.install(set_package(name)), apt, self.laboratory.trees)

    def strike(self, *roles: str) -> None:
        """Switch the row's fault on."""
        if self.fault is not None:
            self.stage.strike(self.fault, *roles)

    def strike_others(self, struck: str) -> None:
        """Leave no healthy source. Those that speak no TLS cannot fail at it: they refuse instead."""
        if self.fault is not None:
            fault = self.fault if self.fault.scheme == "http" else REFUSED
            self.stage.strike(fault, *(role for role in ROLES if role != struck))

    def preferred(self, apt: PrivateApt) -> str:
        """Whom the gateway asks while all are well (where it matters: only the first one speaks TLS)."""
        found = self.stage.preferred(lambda: apt.install(set_package(HELD)).check())
        return ROLES[0] if self.fault and self.fault.scheme == "https" else found.role

    @contextlib.contextmanager
    def gateway(self, folder: Path) -> Iterator[tuple[GatewayProcess, Tap]]:
        """A fresh gateway with a tap before it, whose record is judged in the end."""
        gateway = gateway_over(self.stage, folder / "gateway")
        try:
            gateway.start(until="/healthz")
            with Tap(gateway.port) as tap:
                yield gateway, tap
                self._judge(tap, self.laboratory.trees.oracle())
        finally:
            gateway.kill9()
            self.row.inside += len(self.stage.inside.asked()) if self.stage.inside else 0

    def _judge(self, tap: Tap, oracle: Oracle) -> None:
        self.row.unaccounted += objections_to(tap.served(), oracle, self.laboratory.trees)
        self.row.checked += oracle.checked

    def requests_at(self, role: str, action: Callable[[], Outcome]) -> tuple[Outcome, int]:
        """What an action came to, and how many requests this source read meanwhile."""
        before = self.stage.asked()[role]
        outcome = action()
        return outcome, self.stage.asked()[role] - before


def _cold(scene: _Scene) -> None:
    laboratory, row = scene.laboratory, scene.row
    first, *again = laboratory.trees.plan.suites
    with laboratory.folder() as folder, scene.gateway(folder) as (gateway, tap):
        clients = {
            suite: laboratory.client(folder / suite, suite).apt(scene.stage, ALIAS, proxy=tap.url)
            for suite in (first, *again)
        }
        if scene.fault and scene.fault.needs_history:
            for apt in clients.values():
                apt.update()
            _lose_cache(gateway)
        scene.strike(ROLES[0])
        outcome, row.asked_update = scene.requests_at(ROLES[0], lambda: scene.update(clients[first]))
        row.first_update.append(outcome)
        row.again_update += [scene.update(clients[suite]) for suite in again]


def _warm(scene: _Scene) -> None:
    laboratory, row = scene.laboratory, scene.row
    first, *others = laboratory.trees.plan.sets
    with laboratory.folder() as folder, scene.gateway(folder) as (_, tap):
        apt = laboratory.client(folder).apt(scene.stage, ALIAS, proxy=tap.url)
        apt.update().check()
        preferred = scene.preferred(apt)
        scene.strike(preferred)
        outcome, row.asked_install = scene.requests_at(preferred, lambda: scene.install(apt, first))
        row.first_install.append(outcome)
        row.again_install += [scene.install(apt, name) for name in others if name != HELD]
        for _ in range(HELD_RUNS):
            row.held_update.append(scene.update(apt))
            row.held_install.append(scene.install(apt, HELD))
        scene.strike_others(preferred)
        for _ in range(HELD_RUNS):
            row.all_struck_update.append(scene.update(apt))
            row.all_struck_install.append(scene.install(apt, HELD))


def _lose_cache(gateway: GatewayProcess) -> None:
    """A restart without what was cached: what had been accepted is all that is left to tell old from new."""
    gateway.stop()
    shutil.rmtree(gateway.state / "cache")
    gateway.start(until="/healthz")
