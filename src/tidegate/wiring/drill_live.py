"""A scenario played in the running gateway: faults round its ports, renewed as long as this goes on.

The scenario's operators stand for the gateway's own, in the order in which each names them: the first for the first, of
each archive; and so do its feeds. What nobody stands for is left alone, and so are publications: they are others'.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from tidegate.drill.playing import DISK, DNS, FEED, Staged
from tidegate.drill.record import Record, Sample, Staging
from tidegate.drill.scenario import Fault, Scenario, Tempo
from tidegate.web.drill_control import DrillOrder, DrillState
from tidegate.web.report import StatusReport
from tidegate.wiring.ask import NotRunningError, ask_at
from tidegate.wiring.drill_lab import Progress

LEASE_S = 6.0
LOOK_S = 1.0
"""Between two renewals; a sixth of the lease."""
SETTLING_S = 3.0
"""For the gateway to write down that all is well again."""
ASK_TIMEOUT_S = 10.0
_OPTIONS = ("status", "after_bytes", "bytes_s", "on_s", "off_s")


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: `reason` is empty where it came to its end."""

    reason: str
    left_out: tuple[str, ...]
    """What of the scenario has nothing here that it could be on."""
    requests: int
    lacking: int


class Live:
    """`run` it once."""

    def __init__(
        self,
        scenario: Scenario,
        control: Path,
        *,
        name: str,
        by: str,
        lasts_s: float,
        tell: Callable[[Progress], None],
        stop: threading.Event,
    ) -> None:
        self.scenario, self.name, self._by = scenario, name, by
        self.tempo = Tempo(scenario, lasts_s=lasts_s)
        self.record = Record()
        self._control, self._tell, self._stop = control, tell, stop
        self._said: set[str] = set()
        self._last = DrillState(name=name, state="none", reason="")

    def run(self) -> Ending:
        """Play it. Raises KeyError with the gateway's reason where it refuses, NotRunningError, PermissionError."""
        sources = self._status().sources
        self._sources = tuple(one.url for one in sources)
        self.record.lanes = tuple(one.url.partition("://")[2] for one in sources)
        feeds = self._order(()).feeds
        self.record.began_at = time.time()
        try:
            stands_for = standing(self.scenario, [(one.archive, one.url, one.operator) for one in sources], feeds)
            left_out = {what for fault in self.scenario.fault for what in _nowhere(self.scenario, fault, stands_for)}
            reason = self._play(stands_for)
            if not reason:
                self._order(())
                self._stop.wait(SETTLING_S)
        except BaseException:
            self.end("stopped", "the command failed")
            raise
        if reason:
            self.end("stopped", reason)
        self.record.ended_at = time.time()
        return Ending(reason, tuple(sorted(left_out)), self._last.requests, self._last.lacking)

    def end(self, verdict: str, because: str = "") -> None:
        """Every fault off, and that written down."""
        target = "/drill/end?" + urlencode({"verdict": verdict, "because": because})
        with contextlib.suppress(NotRunningError):
            told = ask_at(self._control, "POST", target, timeout_s=ASK_TIMEOUT_S)
            self._last = msgspec.json.decode(told, type=DrillState)

    def _play(self, stands_for: Mapping[str, tuple[str, ...]]) -> str:
        """To the end of the story; else why it cannot go on."""
        begun = time.monotonic()
        while (clock_s := time.monotonic() - begun) < self.tempo.lasts_s:
            try:
                reason = "somebody stopped it" if self._stop.is_set() else self._step(clock_s, stands_for)
            except KeyError as error:
                reason = str(error.args[0])
            if reason:
                return reason
            self._stop.wait(LOOK_S)
        return ""

    def _status(self) -> StatusReport:
        told = ask_at(self._control, "GET", "/status", timeout_s=ASK_TIMEOUT_S)
        return msgspec.json.decode(told, type=StatusReport)

    def _step(self, clock_s: float, stands_for: Mapping[str, tuple[str, ...]]) -> str:
        """Play what is due, and look; why it cannot go on."""
        story_s = self.tempo.story_s(clock_s)
        due = [one for one in self.scenario.fault if self._is_due(one, story_s)]
        if due and self.record.first_fault_at is None:
            self.record.first_fault_at = time.time()
        self._tell_steps(due, clock_s, story_s)
        state = self._order(tuple(each for one in due for each in _staged(self.scenario, one, stands_for)))
        self._sample(clock_s, story_s, state)
        return f"{state.lacking} requests were refused for lack" if state.lacking else ""

    def _is_due(self, fault: Fault, story_s: float) -> bool:
        return self.scenario.moment(fault.at) <= story_s < self.scenario.moment(fault.until)

    def _order(self, faults: tuple[Staged, ...]) -> DrillState:
        order = DrillOrder(name=self.name, scenario=self.scenario.title, by=self._by, lease_s=LEASE_S, faults=faults)
        body = msgspec.json.encode(order)
        told = ask_at(self._control, "POST", "/drill", timeout_s=ASK_TIMEOUT_S, body=body)
        self._last = msgspec.json.decode(told, type=DrillState)
        return self._last

    def _tell_steps(self, due: list[Fault], clock_s: float, story_s: float) -> None:
        now = {one.note or f"{', '.join(one.on)}: {one.kind}" for one in due}
        for text in sorted(now - self._said):
            self.record.steps.append(Staging(clock_s, story_s, "fault", text))
            self._progress(clock_s, text)
        for text in sorted(self._said - now):
            self.record.steps.append(Staging(clock_s, story_s, "healed", f"over: {text}"))
            self._progress(clock_s, f"over: {text}")
        self._said = now

    def _sample(self, clock_s: float, story_s: float, state: DrillState) -> None:
        states = {one.url: one.state for one in self._status().sources}
        found = tuple(states.get(url, "unused") for url in self._sources)
        served = state.requests - state.lacking
        self.record.samples.append(Sample(clock_s, story_s, state.requests, served, 0, 0, found))
        self._progress(clock_s)

    def _progress(self, clock_s: float, said: str = "") -> None:
        shown, state = self.scenario.shown(self.tempo.story_s(clock_s)), self._last
        served = state.requests - state.lacking
        self._tell(Progress(clock_s, self.tempo.lasts_s, shown, state.requests, served, said))


def standing(
    scenario: Scenario, sources: Iterable[tuple[str, str, str]], feeds: Iterable[str] = ()
) -> Mapping[str, tuple[str, ...]]:
    """What here each source and feed of the scenario stands for. `sources`: archive, address, operator. Pure."""
    sources = tuple(sources)
    played = list(dict.fromkeys(one.operator for one in scenario.source))
    real: dict[str, list[str]] = {}
    for archive, _, operator in sources:
        known = real.setdefault(archive, [])
        if operator not in known:
            known.append(operator)
    found: dict[str, tuple[str, ...]] = {}
    for one in scenario.source:
        place = played.index(one.operator)
        found[one.name] = tuple(url for archive, url, operator in sources if real[archive].index(operator) == place)
    theirs = [f"{FEED}{one.name}" for one in scenario.feed]
    return found | {name: (f"{FEED}{mine}",) for name, mine in zip(theirs, feeds, strict=False)}


def _staged(scenario: Scenario, fault: Fault, stands_for: Mapping[str, tuple[str, ...]]) -> Iterator[Staged]:
    options = {name: getattr(fault, name) for name in _OPTIONS}
    for target in scenario.targets(fault):
        for on in (target,) if target in (DNS, DISK) else stands_for.get(target, ()):
            yield msgspec.convert({"on": on, "kind": fault.kind, **options}, Staged)


def _nowhere(scenario: Scenario, fault: Fault, stands_for: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for target in scenario.targets(fault):
        if target not in (DNS, DISK) and not stands_for.get(target):
            yield target
