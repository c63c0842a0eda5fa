"""Journals of things that might happen, with times of their own."""

from collections.abc import Iterable
from itertools import count

from hypothesis import strategies as st

from tidegate.incidents.folding import fold
from tidegate.incidents.incident import Incident
from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Event, Value
from tidegate.store.journal_kinds import objection

NOW = 1_777_566_817.0
"""2026-04-30 16:33:37 UTC."""
RULES = IncidentSettings()
CALM_S = RULES.calm_s
A, B = "http://mirror-a.example/ubuntu", "http://mirror-b.example/ubuntu"


class History:
    """Events, one after the other."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._numbers = count(1)
        self.now = NOW

    def note(self, kind: str, subject: str, *, later: float = 0.0, drill: str = "", **data: Value) -> Event:
        """An event, so many seconds after the last one."""
        assert objection(kind, data) is None, objection(kind, data)
        self.now += later
        event = Event(next(self._numbers), self.now, self.now - NOW, "boot", kind, subject, data, drill)
        self.events.append(event)
        return event

    def incidents(self, *, later: float = 0.0) -> tuple[Incident, ...]:
        """What they come to, so many seconds after the last one."""
        return fold(self.events, RULES, self.now + later)

    # Words

    def source(self, url: str, state: str, cause: str = "unreachable", *, later: float = 0.0) -> Event:
        before = "open" if state == "closed" else "closed"
        return self.note(
            "source-state",
            url,
            archives="ubuntu",
            operator=url,
            before=before,
            after=state,
            cause=cause,
            reason="no answer within 5 s",
            later=later,
        )

    def alone(self, *, later: float = 0.0, drill: str = "", archive: str = "ubuntu") -> Event:
        return self.note("alone-begun", archive, later=later, drill=drill, since=self.now + later - 5, sources=2)

    def answers(self, *, later: float = 0.0, drill: str = "", archive: str = "ubuntu") -> Event:
        return self.note("alone-ended", archive, later=later, drill=drill, since=NOW, duration_s=later)

    def served(self, requests: int, lacking: int = 0, *, later: float = 60.0, lasted: float | None = None) -> Event:
        since = self.now + later - (later if lasted is None else lasted)
        until, octets = self.now + later, 1000 * requests
        return self.note(
            "served",
            "gateway",
            later=later,
            since=since,
            until=until,
            requests=requests,
            bytes=octets,
            lacking=lacking,
        )


def _happening(what: int, number: int, lacking: int, verdict: str) -> tuple[str, str, dict[str, Value]]:
    """One of everything that begins, ends or accompanies a condition; `number` says of which archive and source."""
    archive, source = ("ubuntu", A) if number % 2 else ("debian", B)
    state, cause = ("open", "closed")[number // 2 % 2], ("unreachable", "violation")[number // 4 % 2]
    suite, since = f"{archive} stable", {"since": NOW}
    breaker: dict[str, Value] = {"archives": archive, "operator": "x", "before": "half-open", "after": state}
    served: dict[str, Value] = {"until": NOW + 60, "requests": 20, "bytes": 1, "lacking": lacking}
    page, told = f"page-{number % 2}", {"url": "x", "archive": ("", "ubuntu")[lacking % 2]}
    all_of_them: tuple[tuple[str, str, dict[str, Value]], ...] = (
        ("alone-begun", archive, {**since, "sources": 2}),
        ("alone-ended", archive, {**since, "duration_s": 5.0}),
        ("last-operator-begun", archive, {**since, "operator": "x", "operators": 3}),
        ("last-operator-ended", archive, {**since, "duration_s": 5.0}),
        ("freshness-lost", suite, {"confirmed_at": int(NOW), "limit_s": 60.0}),
        ("freshness-confirmed", suite, {"confirmed_at": int(NOW), "confirmed_by": "x"}),
        ("suite-expired", suite, {"date": int(NOW), "valid_until": int(NOW)}),
        ("adopted", suite, {"source": A, "date": int(NOW), "payload": "", "signers": "", "confirmed_by": ""}),
        ("source-state", source, {**breaker, "cause": cause, "reason": "no answer"}),
        ("violation", source, {"reason": "wrong", "digest": "00"}),
        ("served", "gateway", {**since, **served}),
        ("readiness", "gateway", {"before": "ok", "after": verdict, "lacking": 0, "reason": ""}),
        ("store-full", "store", {"lacking_bytes": 1, "reason": "full"}),
        ("store-has-room", "store", {}),
        ("bit-rot", "00", {"size": 1, "fetched_again": True}),
        ("stopped", "gateway", {}),
        ("watch-down", page, {**told, "reason": "503", "since": NOW, "incident": number % 2 == 0}),
        ("watch-up", page, {**told, "since": NOW, "down_s": 5.0}),
        ("watch-not-asked", page, {"url": "x", "reason": "robots"}),
    )
    return all_of_them[what]


STEPS = st.tuples(
    st.integers(0, 18),
    st.integers(0, 7),
    st.integers(0, 20),
    st.sampled_from(("ok", "warning", "critical")),
    st.sampled_from((0.0, 1.0, 30.0, CALM_S - 1, CALM_S, CALM_S + 1, 86_400.0, -50.0, -7_200.0)),
    st.sampled_from(("", "", "", "torn-mirror")),
)


def _history(steps: Iterable[tuple[int, int, int, str, float, str]]) -> History:
    history = History()
    for what, number, lacking, verdict, later, drill in steps:
        kind, subject, data = _happening(what, number, lacking, verdict)
        history.note(kind, subject, later=later, drill=drill, **data)
    return history


def histories() -> st.SearchStrategy[History]:
    """Anything in any order, at any distance, the wall clock stepped back now and then, drills in between."""
    return st.lists(STEPS, max_size=30).map(_history)
