"""What the dashboard shows, put together from what others found. Pure: it decides what is said first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tidegate.incidents.incident import Incident
from tidegate.incidents.rules import BY_NAME
from tidegate.incidents.telling import told
from tidegate.store.journal import Event
from tidegate.web.exposure_report import FleetExposureReport
from tidegate.web.pictures import Answers, Lane
from tidegate.web.rates import Rates
from tidegate.web.report import StatusReport, SuiteReport
from tidegate.web.source_report import SourceReport
from tidegate.web.watch_report import WatchesReport

Tone = Literal["open", "unknown", "fixed", "clear"]
STATUS_OLD_S = 30
"""A gateway that has said nothing for so long is not told of in the present tense."""

_SOURCES: dict[str, Tone] = {"good": "fixed", "unused": "clear", "behind": "unknown", "on trial": "unknown"}
_BAD = frozenset(
    {"refused", "source-failed", "failed", "incomplete", "violation", "failover", "fetch-failed", "bit-rot", "alarm"}
    | {"split-view", "possible-freeze", "suite-expired", "freshness-lost", "alone-begun", "last-operator-begun"}
    | {"feed-refused", "feed-failed", "feed-stale", "store-full", "scrub-failed", "adopted-incomplete", "watch-down"}
)
_GOOD = frozenset(
    {"adopted", "freshness-confirmed", "alone-ended", "last-operator-ended", "feed-fresh", "feed-back"}
    | {"store-has-room", "prefetch-complete", "watch-up"}
)


@dataclass(frozen=True, slots=True)
class Decision:
    """An event as the stream tells it."""

    seq: int
    at: float
    kind: str
    text: str
    tone: Tone
    drill: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything, as of `at`. `status` is None where the gateway never answered; `exposure` where there are no hosts,
    or none was worked out yet."""

    at: int
    status: StatusReport | None
    rates: Rates | None
    answers: Answers
    incidents: tuple[Incident, ...]
    lanes: tuple[Lane, ...]
    lanes_since: float
    decisions: tuple[Decision, ...]
    exposure: FleetExposureReport | None
    watches: WatchesReport | None = None

    @property
    def open(self) -> tuple[Incident, ...]:
        """What goes on, the worst first; drills are none."""
        going = [one for one in self.incidents if one.state == "open" and not one.drill]
        return tuple(sorted(going, key=lambda one: (one.severity_now or 9, one.started_at)))

    @property
    def status_old(self) -> bool:
        return self.status is None or self.at - self.status.at > STATUS_OLD_S

    @property
    def headline(self) -> tuple[Tone, str]:
        """The one thing to know, in a sentence."""
        if self.status is None:
            return "open", "The gateway does not answer. What follows is from its journal."
        if self.status_old:
            return "open", "The gateway does not answer any more. What follows is what it said last."
        going = self.open
        if going:
            worst = going[0].severity_now or going[0].severity
            others = len(going) - 1
            more = f" {others} more {'incident is' if others == 1 else 'incidents are'} open." if others else ""
            return ("open" if worst <= 2 else "unknown"), f"{going[0].title}.{more}"
        if not self.status.ready:
            return "unknown", "Not every suite is served yet."
        return "fixed", "All is well: every suite is served, and no incident is open."


def to_do(incident: Incident) -> tuple[str, ...]:
    """What there is to do about what holds, the worst first, each once."""
    holding = sorted({span.rule for span in incident.conditions if span.ended is None})
    return tuple(dict.fromkeys(BY_NAME[rule].todo for rule in sorted(holding, key=lambda one: BY_NAME[one].severity)))


def decision(event: Event) -> Decision:
    """An event, told."""
    return Decision(event.seq, event.at, event.kind, told(event), _tone(event), event.drill)


def _tone(event: Event) -> Tone:
    if event.kind == "source-state":
        return "fixed" if event.data.get("after") == "closed" else "open"
    if event.kind == "readiness":
        return {"ok": "fixed", "critical": "open"}.get(str(event.data.get("after")), "unknown")  # type: ignore[return-value]  # mypy takes the dict's values for str
    return "open" if event.kind in _BAD else "fixed" if event.kind in _GOOD else "clear"


def source_tone(source: SourceReport) -> Tone:
    """The look of a source's state; whatever is not known to be harmless is bad."""
    return _SOURCES.get(source.state, "open")


def suite_tone(suite: SuiteReport) -> Tone:
    """The look of a suite's state."""
    if suite.state == "waiting" or suite.state == "expired":
        return "open" if suite.configured or suite.state == "expired" else "unknown"
    return "unknown" if suite.alarm or suite.possible_freeze else "fixed"


def freshness(source: SourceReport, suites: Sequence[SuiteReport]) -> tuple[tuple[str, int | None], ...]:
    """Of each suite of its archive: by how many seconds the source is behind the others; None where it has not shown
    its Release yet."""
    names = [one.suite for one in suites if one.archive == source.archive]
    known = dict.fromkeys([*names, *source.behind, *source.newest])
    return tuple((name, source.behind.get(name, 0 if name in source.newest else None)) for name in known)
