"""A drill inside the running gateway: begun, renewed, and over when it ends, when it is stopped, or by itself.

The faults live here and not in the command that asks for them: when that is killed nobody renews the lease, and the
gateway is as it was. What was learned of sources while a fault was on them is forgotten again.
"""

import asyncio
import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tidegate.drill.staged import Staged
from tidegate.holding.readiness import Readiness
from tidegate.sources.archive import Source
from tidegate.sources.health import Standing
from tidegate.web.drill_control import VERDICTS, DrillOrder, DrillRefusedError, DrillState
from tidegate.wiring.news import News
from tidegate.wiring.tallies import Tally
from tidegate.wiring.worker import Worker

SETTLING_S = 2.0
"""What the gateway writes down so long after a drill still comes of it."""


@dataclass(slots=True)
class _Running:
    order: DrillOrder
    before: Tally
    lease: asyncio.TimerHandle
    known: dict[str, Standing] = field(default_factory=dict)
    """What was known of the sources before a fault was on them."""


class Drilling:
    """Belongs to the event loop of the worker that keeps the store fresh."""

    def __init__(
        self,
        worker: Worker,
        counted: Callable[[], Tally],
        judged: Callable[[], Readiness | None],
        note_served: Callable[[], None],
    ) -> None:
        """`note_served`: write down what was served up to now, so that what is served in a drill is counted apart."""
        self._worker = worker
        self._counted = counted
        self._judged = judged
        self._note_served = note_served
        self._running: _Running | None = None
        self._last = DrillState(name="", state="none", reason="no drill was begun")

    def play(self, order: DrillOrder) -> DrillState:
        """Begin, or renew. Raises DrillRefusedError."""
        if self._running is None:
            self._refuse(order)
            self._begin(order)
        running = self._running
        assert running is not None
        if running.order.name != order.name:
            raise DrillRefusedError(f"another drill is running: {running.order.name}")
        faults = self._resolved(order)
        running.order = order
        running.lease.cancel()
        running.lease = asyncio.get_running_loop().call_later(order.lease_s, self._run_out)
        for source in faults:
            if source.url not in running.known:
                running.known[source.url] = copy.deepcopy(self._worker.fetching.health.of(source.url))
        kinds = {fault.on for fault in order.faults}
        self._worker.staged.play(faults, unresolved="dns" in kinds)
        self._worker.disk.is_full = "disk" in kinds
        self._forget(running, {source.url for source in faults} if "dns" not in kinds else set(running.known))
        return self.state()

    def end(self, verdict: str, because: str) -> DrillState:
        """Every fault off, at once. `verdict`: passed, failed or stopped."""
        assert verdict in VERDICTS, verdict
        running = self._running
        if running is None:
            return self._last
        running.lease.cancel()
        self._worker.staged.play({}, unresolved=False)
        self._worker.disk.is_full = False
        self._forget(running, set())
        self._note_served()
        self._last = DrillState(name=running.order.name, state="stopped", reason=because, **self._since(running.before))
        self._running = None
        journal, name = self._worker.journal, running.order.name
        journal.note("drill-ended", name, verdict=verdict)
        self._worker.tell(News("warning", "drill", f"the drill {name} is over: {because or verdict}"))
        asyncio.get_running_loop().call_later(SETTLING_S, self._unmark, name)
        return self._last

    def state(self) -> DrillState:
        """As of now."""
        if self._running is None:
            return self._last
        running = self._running
        return DrillState(name=running.order.name, state="running", reason="", **self._since(running.before))

    def _refuse(self, order: DrillOrder) -> None:
        """Raises DrillRefusedError where it may not begin."""
        if self._last.state == "stopped" and self._last.name == order.name:
            raise DrillRefusedError(f"it was stopped: {self._last.reason}")
        if self._worker.settings.gateway.workers > 1:
            raise DrillRefusedError("several workers serve, and a drill reaches one: set gateway.workers to 1 for it")
        if order.rehearsal:
            return
        judged = self._judged()
        if judged is None:
            raise DrillRefusedError("readiness was not counted yet: try again in a minute")
        if judged.verdict != "ok":
            worst = judged.findings[0].what if judged.findings else "tidegate readiness says what"
            raise DrillRefusedError(f"clients would suffer, readiness is {judged.verdict}: {worst}")

    def _begin(self, order: DrillOrder) -> None:
        self._note_served()
        worker = self._worker
        worker.journal.drill = order.name
        worker.memory.paused = True
        worker.journal.note("drill-begun", order.name, scenario=order.scenario, by=order.by)
        worker.tell(News("warning", "drill", f"the drill {order.name} begins; `tidegate drill --stop` ends it"))
        lease = asyncio.get_running_loop().call_later(order.lease_s, self._run_out)
        self._running = _Running(order, self._counted(), lease)

    def _run_out(self) -> None:
        self.end("stopped", "nobody renewed it")

    def _resolved(self, order: DrillOrder) -> Mapping[Source, Staged]:
        by_url = {source.url: source for one in self._worker.archives.values() for source in one.sources}
        faults: dict[Source, Staged] = {}
        for fault in order.faults:
            if fault.on in ("dns", "disk"):
                continue
            if fault.on not in by_url:
                raise DrillRefusedError(f"there is no source {fault.on}")
            faults[by_url[fault.on]] = Staged(fault.on, fault.kind, fault.status, fault.after_bytes)
        return faults

    def _forget(self, running: _Running, still: set[str]) -> None:
        """What was learned of sources that no fault is on any more was about the fault."""
        for url in set(running.known) - still:
            self._worker.fetching.health.restore(url, running.known.pop(url))

    def _since(self, before: Tally) -> dict[str, int]:
        now = self._counted()
        requests = sum(now.by_status.values()) - sum(before.by_status.values())
        return {"requests": requests, "lacking": now.lacking - before.lacking, "bytes": now.bytes - before.bytes}

    def _unmark(self, name: str) -> None:
        if self._running is None and self._worker.journal.drill == name:
            self._note_served()
            self._worker.journal.drill = ""
            self._worker.memory.paused = False


def now_named(scenario: str) -> str:
    """A drill's own name: which scenario, and when."""
    return f"{scenario}-{time.strftime('%Y%m%dt%H%M%S', time.gmtime())}"
