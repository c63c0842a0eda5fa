"""The laboratory: a vendor, its mirrors, a fleet and the real gateway on loopback, and a scenario played on them."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import msgspec

from tidegate.drill.clients import Fleet
from tidegate.drill.crowd import Crowd
from tidegate.drill.playing import DISK, DNS, Staged
from tidegate.drill.process import ALIAS, LOOK_IN_VAIN_S, LabError, LabGateway, settings_toml
from tidegate.drill.record import Record, Staging
from tidegate.drill.scenario import Claim, Fault, Publish, Scenario, Tempo, span_s
from tidegate.drill.slowloris import Slowloris
from tidegate.drill.watching import Watching
from tidegate.drill.world import SUITE, World
from tidegate.store.journal import Happening, Value
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.drill_control import DrillOrder
from tidegate.web.report import StatusReport
from tidegate.wiring.ask import NotRunningError, ask_at

LEASE_S = 30.0
RENEW_S = 5.0
SAMPLE_S = 0.5
CALM_S_MAX = 20.0
"""After the story, for the last incident to close."""
REFRESH_S_MIN = 1.0
PAUSE_S_MAX = 2.0
"""Where the story runs almost as fast as the clock, clients ask more often than they would in it."""
ASK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Progress:
    """For whoever waits."""

    clock_s: float
    lasts_s: float
    story: str
    requests: int
    served: int
    said: str = ""
    """Something that was staged just now."""


class Lab:
    """Made, then `run`, then `end`ed and `close`d. `root` is a folder of its own."""

    def __init__(
        self,
        scenario: Scenario,
        root: Path,
        *,
        name: str,
        by: str,
        tell: Callable[[Progress], None],
        is_over: Callable[[Path], bool],
        at_worst: Callable[[Path, StatusReport], bool],
        incident_in: Callable[[Path], str | None],
        stop: threading.Event,
    ) -> None:
        """`is_over`: whether each incident in the journal of a state directory is closed. `at_worst`: told while
        nobody is left to ask, until it has heard enough. `incident_in`: the newest incident of the drill in such a
        journal. `stop`: set, it ends.
        """
        self.scenario, self.name, self.by = scenario, name, by
        self._tell, self._is_over, self._incident_in, self._stop = tell, is_over, incident_in, stop
        self._at_worst: Callable[[Path, StatusReport], bool] | None = at_worst
        self.tempo = Tempo(scenario)
        self._orders: dict[int, Staged] = {}
        self._slowloris: dict[int, Slowloris] = {}
        self.refresh_s = max(REFRESH_S_MIN, span_s(scenario.refresh) / self.tempo.usual_factor)
        self.world = World(scenario, root)
        self.seen = Watching(self.world, self.tempo)
        settings = settings_toml(
            self.world.mirrors.values(),
            self.world.keyring,
            SUITE,
            refresh_s=self.refresh_s,
            feeds=self.world.feed_urls,
        )
        self.gateway = LabGateway(root / "gateway", settings)
        uses, published = scenario.clients.uses, self.world.published
        fleet = Fleet(self.gateway.port, ALIAS, SUITE, uses, published, self.seen.asked, self.seen.was_shown)
        self.crowd = Crowd(scenario.clients, fleet, root, self.world.keyring, every_s=self._every_s)

    def _every_s(self) -> float:
        """How often each client asks now."""
        return min(PAUSE_S_MAX, span_s(self.scenario.clients.every) / self.tempo.factor_at(self.seen.clock_s))

    # The drill

    def run(self) -> Record:
        """Play it. Raises LabError, OSError."""
        record = self.seen.record
        record.uncompressed_s = self.gateway.start() + LOOK_IN_VAIN_S
        self._control("/hold/add", {"patterns": list(self.scenario.clients.uses)})
        if not self.crowd.warm_up(self._is_served, ASK_TIMEOUT_S):
            raise LabError(f"the fleet cannot be served before anything is wrong:\n{self.gateway.log}")
        self._order()
        self.seen.begin()
        self.crowd.start(self.seen.ran)
        try:
            self._play()
            self._calm_down()
        finally:
            self.crowd.end()
            self._let_go()
        record.ended_at = time.time()
        record.given = self.world.given()
        return record

    def status(self) -> StatusReport:
        """The gateway's own word. Raises OSError."""
        return msgspec.json.decode(self.gateway.status(), type=StatusReport)

    def end(self, verdict: str, because: str = "") -> None:
        """Write the verdict down, and end the gateway."""
        with contextlib.suppress(NotRunningError):
            self._control("/drill/end?" + urlencode({"verdict": verdict, "because": because}), None)
        self.gateway.stop()

    def close(self) -> None:
        """End whatever runs."""
        self._stop.set()
        self.crowd.tell_end()
        self._let_go()
        self.gateway.kill()
        self.world.close()

    def _is_served(self) -> bool:
        last = self.seen.record.requests[-3:]
        return bool(last) and all(one.is_right for one in last)

    def _let_go(self) -> None:
        while self._slowloris:
            self._slowloris.popitem()[1].close()

    def _play(self) -> None:
        steps = sorted(self._steps(), key=lambda step: step[0])
        sampled = ordered = 0.0
        while (clock_s := self.seen.clock_s) < self.tempo.lasts_s and not self._stop.is_set():
            while steps and steps[0][0] <= clock_s:
                steps.pop(0)[1]()
            if clock_s - sampled >= SAMPLE_S:
                sampled = clock_s
                self._sample()
            if clock_s - ordered >= RENEW_S:
                ordered = clock_s
                self._order()
            following = min([clock_s + SAMPLE_S / 2, self.tempo.lasts_s, *(step[0] for step in steps[:1])])
            self._stop.wait(max(0.005, following - self.seen.clock_s))
        for _, step in steps:
            if not self._stop.is_set():
                step()

    def _calm_down(self) -> None:
        """Until each incident is closed, for a while."""
        deadline = time.monotonic() + CALM_S_MAX
        while time.monotonic() < deadline and not self._stop.is_set():
            self._sample()
            self._order()
            if self._is_over(self.gateway.state):
                return
            self._stop.wait(SAMPLE_S)

    def _steps(self) -> "list[tuple[float, Callable[[], None]]]":
        scenario, clock_s = self.scenario, self.tempo.clock_s
        steps: list[tuple[float, Callable[[], None]]] = []
        moment = scenario.moment
        # What is over at a moment is over before something else begins then: the order counts (`sorted` keeps it).
        steps += [(clock_s(moment(one.until)), partial(self._heal, one)) for one in scenario.fault]
        steps += [(clock_s(moment(one.at)), partial(self._publish, one)) for one in scenario.publish]
        steps += [(clock_s(moment(one.at)), partial(self._fault, one)) for one in scenario.fault]
        steps += [(clock_s(moment(one.at)), partial(self._say, "note", one.text)) for one in scenario.note]
        steps += [(clock_s(moment(one.at)), partial(self._claim, one)) for one in scenario.claim]
        return steps

    # Steps

    def _publish(self, one: Publish) -> None:
        self.world.publish(one, self.tempo.factor_at(self.seen.clock_s))
        self._say("publish", one.note or f"{one.package} {one.version} is published")

    def _fault(self, fault: Fault) -> None:
        record = self.seen.record
        if record.first_fault_at is None:
            record.first_fault_at = time.time()
        self.world.begin(fault)
        for target in self.scenario.targets(fault):
            match target:
                case "dns":
                    self._orders[id(fault)] = Staged(on=DNS, kind="unresolved")
                case "disk":
                    self._orders[id(fault)] = Staged(on=DISK, kind="full")
                case "clock":
                    self.gateway.set_clock(fault.by_s)
                case "gateway":
                    self._slowloris[id(fault)] = Slowloris(self.gateway.port, fault.connections)
                case _:
                    pass  # the world's
        self._order()
        self._say("fault", fault.note or f"{', '.join(fault.on)}: {fault.kind}")

    def _heal(self, fault: Fault) -> None:
        self.world.end(fault)
        self._orders.pop(id(fault), None)
        if id(fault) in self._slowloris:
            self._slowloris.pop(id(fault)).close()
        if "clock" in self.scenario.targets(fault):
            self.gateway.set_clock(0.0)
        self._order()
        self._say("healed", f"{', '.join(fault.on)}: {fault.kind} is over")

    def _claim(self, claim: Claim) -> None:
        """Written down as `tidegate incident claim` does, about the incident that there is."""
        state = self.gateway.state
        incident = self._incident_in(state)
        if incident is not None:
            told: dict[str, Value] = {"claim": "C1", "said_by": claim.by, "url": "", "said_at": "", "text": claim.text}
            told |= {"attributes_to": claim.attributes_to, "confidence": claim.confidence, "status": "pending"}
            with contextlib.closing(SqliteJournal(state / "journal.db")) as journal:
                journal.append([Happening("claim", incident, {**told, "by": self.by}, self.name)])
        self._say("note", f"a claim by {claim.by}, no fact: {claim.text}")

    def _order(self) -> None:
        """Renew what the gateway plays itself."""
        order = DrillOrder(
            name=self.name,
            scenario=self.scenario.title,
            by=self.by,
            lease_s=LEASE_S,
            rehearsal=True,
            faults=tuple(self._orders.values()),
        )
        self._control("/drill", order)

    def _control(self, target: str, body: object) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        try:
            return ask_at(self.gateway.state / "control.sock", "POST", target, timeout_s=ASK_TIMEOUT_S, body=data)
        except KeyError as error:
            raise LabError(str(error)) from None

    def _say(self, what: Literal["fault", "healed", "publish", "note"], text: str) -> None:
        clock_s = self.seen.clock_s
        self.seen.staged(Staging(clock_s, self.tempo.story_s(clock_s), what, text))
        self._progress(text)

    def _progress(self, said: str = "") -> None:
        requests, served = self.seen.counts()
        story = self.scenario.shown(self.seen.story_s)
        self._tell(Progress(self.seen.clock_s, self.tempo.lasts_s, story, requests, served, said))

    def _sample(self) -> None:
        states: tuple[str, ...] = ()
        with contextlib.suppress(OSError):
            status = self.status()
            found = {one.url: one.state for one in status.sources}
            states = tuple(found.get(one.url, "unused") for one in self.world.mirrors.values())
            if status.alone and self._at_worst is not None:
                self._at_worst = None if self._at_worst(self.gateway.state, status) else self._at_worst
        self.seen.sample(states)
        self._progress()
