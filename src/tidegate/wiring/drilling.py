"""A drill inside the running gateway: begun, renewed, and over when it ends, when it is stopped, or by itself.

The faults live in the gateway's processes and not in the command that asks for them. They lie on a board that is good
for as long as the lease: when the command is killed nobody renews it, and when this worker is killed nobody does.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tidegate.advisories.subscription import subscriptions_of
from tidegate.config.keyrings import keyring_at
from tidegate.drill.board import Board
from tidegate.drill.playing import DISK, DNS, FEED, NOTHING, Playing
from tidegate.holding.readiness import Readiness
from tidegate.web.drill_control import VERDICTS, DrillOrder, DrillRefusedError, DrillState
from tidegate.wiring.news import News
from tidegate.wiring.tallies import Tally
from tidegate.wiring.worker import Worker


@dataclass(slots=True)
class Leading:
    """Where what is played is written up, and whom it has to be sent to, until when it is good."""

    board: Board
    send: Callable[[Playing, float], None]

    def __post_init__(self) -> None:
        self.board.clear()  # by whoever was this worker before

    def play(self, playing: Playing, until: float) -> None:
        """To everybody."""
        self.board.put(playing, until)
        self.send(playing, until)


@dataclass(slots=True)
class _Running:
    order: DrillOrder
    before: Tally
    lease: asyncio.TimerHandle
    feeds: tuple[str, ...]


class Drilling:
    """Belongs to the event loop of the worker that keeps the store fresh."""

    def __init__(
        self,
        worker: Worker,
        leading: Leading,
        counted: Callable[[], Tally],
        judged: Callable[[], Readiness | None],
        note_served: Callable[[], None],
    ) -> None:
        """`note_served`: write down what was served up to now, so that what is served in a drill is counted apart."""
        self._worker = worker
        self._leading = leading
        self._counted = counted
        self._judged = judged
        self._note_served = note_served
        self._running: _Running | None = None
        self._last = DrillState(name="", state="none", reason="no drill was begun")
        worker.drill.turned.append(self._turned)

    def play(self, order: DrillOrder) -> DrillState:
        """Begin, or renew. Raises DrillRefusedError."""
        running = self._running
        if running is not None and running.order.name != order.name:
            raise DrillRefusedError(f"another drill is running: {running.order.name}")
        feeds = running.feeds if running is not None else self._feeds()
        self._refuse_unknown(order, feeds)
        lease = asyncio.get_running_loop().call_later
        if running is None:
            self._refuse(order)
            self._note_served()
            before = self._counted()
            running = self._running = _Running(order, before, lease(order.lease_s, self._run_out), feeds)
            self._lead(order)
            self._worker.journal.note("drill-begun", order.name, scenario=order.scenario, by=order.by)
            text = f"the drill {order.name} begins; `tidegate drill --stop` ends it"
            self._worker.tell(News("warning", "drill", text))
            return self.state()
        running.order = order
        running.lease.cancel()
        running.lease = lease(order.lease_s, self._run_out)
        self._lead(order)
        return self.state()

    def end(self, verdict: str, because: str) -> DrillState:
        """Every fault off, at once. `verdict`: passed, failed or stopped."""
        assert verdict in VERDICTS, verdict
        running = self._running
        if running is None:
            return self._last
        running.lease.cancel()
        self._leading.play(NOTHING, 0.0)
        self._worker.drill.look()
        self._note_served()
        self._last = self._told(running, "stopped", because)
        self._running = None
        journal, name = self._worker.journal, running.order.name
        journal.note("drill-ended", name, verdict=verdict)
        self._worker.tell(News("warning", "drill", f"the drill {name} is over: {because or verdict}"))
        return self._last

    def state(self) -> DrillState:
        """As of now."""
        if self._running is None:
            return self._last
        return self._told(self._running, "running")

    def _refuse(self, order: DrillOrder) -> None:
        """Raises DrillRefusedError where it may not begin."""
        if self._last.state == "stopped" and self._last.name == order.name:
            raise DrillRefusedError(f"it was stopped: {self._last.reason}")
        if order.rehearsal:
            return
        judged = self._judged()
        if judged is None:
            raise DrillRefusedError("readiness was not counted yet: try again in a minute")
        if judged.verdict != "ok":
            worst = judged.findings[0].what if judged.findings else "tidegate readiness says what"
            raise DrillRefusedError(f"clients would suffer, readiness is {judged.verdict}: {worst}")

    def _feeds(self) -> tuple[str, ...]:
        """What the desk keeps, in the order of the settings."""
        return tuple(subscriptions_of(self._worker.settings.advisories, keyring_at)[0])

    def _refuse_unknown(self, order: DrillOrder, feeds: tuple[str, ...]) -> None:
        known = {source.url for one in self._worker.archives.values() for source in one.sources}
        known |= {DNS, DISK, *(f"{FEED}{name}" for name in feeds)}
        for fault in order.faults:
            if fault.on not in known:
                raise DrillRefusedError(f"there is no {fault.on}")

    def _lead(self, order: DrillOrder) -> None:
        """To every process, good for a lease from now."""
        self._leading.play(Playing(order.name, order.faults), time.monotonic() + order.lease_s)
        self._worker.drill.look()

    def _run_out(self) -> None:
        self.end("stopped", "nobody renewed it")

    def _turned(self, before: Playing, now: Playing) -> None:
        """Sources that a fault has just come upon are probed soon, so that it is noticed though no client asks."""
        fresh = {one.on for one in now.faults} - {one.on for one in before.faults}
        if self._worker.prober is not None:
            everybody = {url for one in self._worker.archives.values() for url in (each.url for each in one.sources)}
            self._worker.prober.probe_soon(everybody if DNS in fresh else fresh & everybody)

    def _told(self, running: _Running, state: Literal["running", "stopped"], reason: str = "") -> DrillState:
        now, before = self._counted(), running.before
        return DrillState(
            name=running.order.name,
            state=state,
            reason=reason,
            requests=sum(now.by_status.values()) - sum(before.by_status.values()),
            lacking=now.lacking - before.lacking,
            bytes=now.bytes - before.bytes,
            feeds=running.feeds,
        )


def now_named(scenario: str) -> str:
    """A drill's own name: which scenario, and when."""
    return f"{scenario}-{time.strftime('%Y%m%dt%H%M%S', time.gmtime())}"
