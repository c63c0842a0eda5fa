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

from tidegate.drill.clients import Apt, Fleet, Host, Published
from tidegate.drill.mirror import Mirror
from tidegate.drill.process import LabError, LabGateway, settings_toml
from tidegate.drill.record import Record, Request, Run, Sample, Staging
from tidegate.drill.scenario import Claim, Fault, Publish, Scenario, Tempo, span_s
from tidegate.drill.simulator import faults as simulated
from tidegate.drill.simulator.archive import SimulatedArchive
from tidegate.drill.simulator.server import SourceServer
from tidegate.drill.simulator.signing import DrillKeys
from tidegate.drill.slowloris import Slowloris
from tidegate.store.journal import Happening, Value
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.drill_control import DrillFault, DrillOrder
from tidegate.web.report import StatusReport
from tidegate.wiring.ask import NotRunningError, ask_at

SUITE = "noble-security"
ALIAS = "http://archive.drill/ubuntu"
PACKAGE_BYTES = 200_000
FIRST_AGE_S = 17 * 86_400
LEASE_S = 30.0
RENEW_S = 5.0
SAMPLE_S = 0.5
CALM_S_MAX = 20.0
"""After the story, for the last incident to close."""
JOIN_S = 90.0
REFRESH_S_MIN = 1.0
HOST_PAUSE_S_MIN = 0.05
APT_PAUSE_S_MIN = 0.5
PAUSE_S_MAX = 2.0
"""Where the story runs almost as fast as the clock, clients ask more often than they would in it."""
ANEW_EVERY = 5
"""Each so many updates a host has lost what it had."""
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
        self.scenario, self.root, self.name, self.by = scenario, root, name, by
        self._tell, self._is_over, self._incident_in, self._stop = tell, is_over, incident_in, stop
        self._at_worst: Callable[[Path, StatusReport], bool] | None = at_worst
        self.record = Record(lanes=tuple(f"{one.name} ({one.operator})" for one in scenario.source))
        self._begun = time.monotonic()
        self.tempo = Tempo(self.scenario)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._shown = 0
        self._orders: dict[int, DrillFault] = {}
        self._undo: dict[int, Callable[[], None]] = {}
        self._clients: list[threading.Thread] = []
        self.apts: list[Apt] = []
        self.refresh_s = max(REFRESH_S_MIN, span_s(self.scenario.refresh) / self._usual_factor())
        self._build()

    # What there is

    def _build(self) -> None:
        keys = DrillKeys()
        vendor, forger = keys.generate("vendor"), keys.generate("forger")
        self.keyring = self.root / "vendor.gpg"
        self.root.mkdir(parents=True, exist_ok=True)
        self.keyring.write_bytes(keys.public(vendor))
        self.archive = SimulatedArchive(self.root / "vendor", keys, vendor)
        self.archive.suite(SUITE, components=("main",), compressions=("xz",), translations=(), sources=False)
        self.published = Published()
        now = int(time.time())
        for version, age_s in (("0.9", FIRST_AGE_S), ("1.0", 3_600)):
            for package in self.scenario.clients.uses:
                self.archive.update_package(package, version, suite=SUITE, filling_bytes=PACKAGE_BYTES)
            self._publish_at(now - age_s)
        self.mirrors = {
            one.name: Mirror(
                self.root / "mirrors" / one.name, one.name, one.operator, self.archive, SUITE, forger, "127.0.0.1"
            )
            for one in self.scenario.source
        }
        self.feeds = {one.name: self._feed(one.name) for one in self.scenario.feed}
        settings = settings_toml(
            self.mirrors.values(),
            self.keyring,
            SUITE,
            refresh_s=self.refresh_s,
            feeds=[(name, f"{server.url}/{name}.json") for name, server in self.feeds.items()],
        )
        self.gateway = LabGateway(self.root / "gateway", settings)
        self.fleet = Fleet(
            self.gateway.port, ALIAS, SUITE, self.scenario.clients.uses, self.published, self._asked, self._was_shown
        )

    def _feed(self, name: str) -> SourceServer:
        folder = self.root / "feeds" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.json").write_bytes(msgspec.json.encode({"notices": [], "at": int(time.time())}))
        return SourceServer(folder)

    def _publish_at(self, date: int) -> int:
        generation = self.archive.publish(SUITE, date=date)
        self.published.add(self.archive.generation(generation), generation, f"dists/{SUITE}/InRelease")
        return generation

    def _usual_factor(self) -> float:
        """The pace that most of the drill runs at."""
        tempo, count = self.tempo, 400
        factors = [tempo.factor_at(tempo.lasts_s * i / count) for i in range(count)]
        return max(set(factors), key=factors.count)

    # The drill

    def run(self) -> Record:
        """Play it. Raises LabError, OSError."""
        self.record.adopting_s = self.gateway.start()
        self._control("/hold/add", {"patterns": list(self.scenario.clients.uses)})
        self._warm_up()
        self._order()
        self.record.began_at = time.time()
        self._begun = time.monotonic()
        self._start_clients()
        try:
            self._play()
            self._calm_down()
        finally:
            self._done.set()
            for thread in self._clients:
                thread.join(JOIN_S)
            for undo in self._undo.values():
                undo()
        self.record.ended_at = time.time()
        return self.record

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
        self._done.set()
        self.gateway.kill()
        for mirror in self.mirrors.values():
            mirror.close()
        for feed in self.feeds.values():
            feed.close()

    def _warm_up(self) -> None:
        """The fleet as it was before: one host has all it uses."""
        host = Host(self.fleet)
        deadline = time.monotonic() + ASK_TIMEOUT_S
        while not self.record.requests or not all(one.is_right for one in self.record.requests[-3:]):
            host.fetch_all_again()
            host.update()
            if time.monotonic() > deadline:
                raise LabError(f"the fleet cannot be served before anything is wrong:\n{self.gateway.log}")
        self.record.requests.clear()

    def _start_clients(self) -> None:
        clients = self.scenario.clients
        self._clients = [threading.Thread(target=self._hosts, daemon=True)]
        if clients.apt and Apt.is_there():
            self.apts = [Apt(self.root / f"apt-{i}", self.fleet, self.keyring) for i in range(clients.apt)]
            self._clients += [threading.Thread(target=self._apt, args=(one,), daemon=True) for one in self.apts]
        for thread in self._clients:
            thread.start()

    def _play(self) -> None:
        steps = sorted(self._steps(), key=lambda step: step[0])
        sampled = ordered = 0.0
        while (clock_s := self._clock_s()) < self.tempo.lasts_s and not self._stop.is_set():
            while steps and steps[0][0] <= clock_s:
                steps.pop(0)[1]()
            if clock_s - sampled >= SAMPLE_S:
                sampled = clock_s
                self._sample()
            if clock_s - ordered >= RENEW_S:
                ordered = clock_s
                self._order()
            following = min([clock_s + SAMPLE_S / 2, self.tempo.lasts_s, *(step[0] for step in steps[:1])])
            self._stop.wait(max(0.005, following - self._clock_s()))
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
        self.archive.update_package(one.package, one.version, suite=SUITE, filling_bytes=PACKAGE_BYTES)
        generation = self._publish_at(int(time.time()))
        for source in self.scenario.source:
            mirror = self.mirrors[source.name]
            behind_s = span_s(source.behind) / self.tempo.factor_at(self._clock_s())
            if behind_s < 0.01:
                mirror.sync(generation)
            else:
                timer = threading.Timer(behind_s, mirror.sync, (generation,))
                timer.daemon = True
                timer.start()
        self._say("publish", one.note or f"{one.package} {one.version} is published")

    def _fault(self, fault: Fault) -> None:
        if self.record.first_fault_at is None:
            self.record.first_fault_at = time.time()
        for target in self.scenario.targets(fault):
            match target:
                case "dns":
                    self._orders[id(fault)] = DrillFault(on="dns", kind="unresolved")
                case "disk":
                    self._orders[id(fault)] = DrillFault(on="disk", kind="full")
                case "clock":
                    self.gateway.set_clock(fault.by_s)
                case "gateway":
                    self._undo[id(fault)] = Slowloris(self.gateway.port, fault.connections).close
                case _ if target.startswith("feed:"):
                    self._undo[id(fault)] = _on_feed(self.feeds[target.removeprefix("feed:")], fault)
                case _:
                    self.mirrors[target].begin(fault)
        self._order()
        self._say("fault", fault.note or f"{', '.join(fault.on)}: {fault.kind}")

    def _heal(self, fault: Fault) -> None:
        self._orders.pop(id(fault), None)
        self._undo.pop(id(fault), lambda: None)()
        for target in self.scenario.targets(fault):
            if target == "clock":
                self.gateway.set_clock(0.0)
            elif target in self.mirrors:
                self.mirrors[target].end(fault)
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
        clock_s = self._clock_s()
        self.record.steps.append(Staging(clock_s, self.tempo.story_s(clock_s), what, text))
        self._progress(text)

    def _progress(self, said: str = "") -> None:
        clock_s, requests = self._clock_s(), self.record.requests
        served = sum(one.is_right for one in requests)
        story = self.scenario.shown(self.tempo.story_s(clock_s))
        self._tell(Progress(clock_s, self.tempo.lasts_s, story, len(requests), served, said))

    # What is seen

    def _clock_s(self) -> float:
        return time.monotonic() - self._begun

    def _asked(self, request: Request) -> None:
        with self._lock:
            self.record.requests.append(request)

    def _was_shown(self, generation: int) -> None:
        now = time.time()
        with self._lock:
            self._shown = max(self._shown, generation)
            newer = [since for one in self.mirrors.values() if (since := one.newer_since(generation)) is not None]
            if newer and generation:
                self.record.behind_s = max(self.record.behind_s, now - min(newer))

    def _ran(self, run: Run) -> None:
        with self._lock:
            self.record.runs.append(run)

    def _sample(self) -> None:
        clock_s = self._clock_s()
        states: tuple[str, ...] = ()
        with contextlib.suppress(OSError):
            status = self.status()
            found = {one.url: one.state for one in status.sources}
            states = tuple(found.get(one.url, "unused") for one in self.mirrors.values())
            if status.alone and self._at_worst is not None:
                self._at_worst = None if self._at_worst(self.gateway.state, status) else self._at_worst
        best = max((one.held for one in self.mirrors.values() if one.works), default=0)
        with self._lock:
            requests = self.record.requests
            served = sum(one.is_right for one in requests)
            story_s = self.tempo.story_s(clock_s)
            self.record.samples.append(Sample(clock_s, story_s, len(requests), served, self._shown, best, states))
        self._progress()

    # Clients

    def _hosts(self) -> None:
        hosts = [Host(self.fleet) for _ in range(self.scenario.clients.hosts)]
        turn = 0
        while not self._done.is_set():
            host = hosts[turn % len(hosts)]
            turn += 1
            if turn // len(hosts) % ANEW_EVERY == 0:
                host.fetch_all_again()
            host.update()
            self._done.wait(max(HOST_PAUSE_S_MIN, self._every_s() / len(hosts)))

    def _apt(self, apt: Apt) -> None:
        while not self._done.is_set():
            apt.run(self._ran, threading.Event())
            self._done.wait(max(APT_PAUSE_S_MIN, self._every_s()))

    def _every_s(self) -> float:
        return min(PAUSE_S_MAX, span_s(self.scenario.clients.every) / self.tempo.factor_at(self._clock_s()))


def _on_feed(server: SourceServer, fault: Fault) -> Callable[[], None]:
    match fault.kind:
        case "refuse":
            server.refuse()
            return server.accept
        case "blackhole":
            server.blackhole()
            return server.accept
        case "silence":
            active = server.fault(simulated.Silence())
        case "html":
            active = server.fault(simulated.HtmlPage())
        case _:
            active = server.fault(simulated.Status(fault.status))
    return lambda: server.heal(active)
