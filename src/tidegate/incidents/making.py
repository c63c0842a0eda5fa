"""One incident while events make it. `Folding` feeds it; `made` gives the value."""

import time
from collections.abc import Mapping

from msgspec.structs import replace

from tidegate.incidents.claims import claim_of, judgement_of
from tidegate.incidents.incident import Claim, Count, Impact, Incident, Line, Remark, Span
from tidegate.incidents.rules import BY_NAME, Cause, Group, Rule, State, next_state
from tidegate.incidents.telling import told
from tidegate.store.journal import Event

LINES_MAX = 400
LINES_OF_A_KIND_MAX = 40
"""In a timeline, but for the events that begin and end conditions."""
REMARKS_MAX = 500
CLAIMS_MAX = 100


class Making:
    """Mutable, and nobody's but the fold's."""

    def __init__(self, group: Group, opened: Event, calm_s: float) -> None:
        self.id = f"{time.strftime('%Y%m%d', time.gmtime(opened.at))}-{opened.seq}"
        self.group = group
        self.first_seq = opened.seq
        self.earlier_served: tuple[Event, ...] = ()
        self._calm_s = calm_s
        self._opened = opened
        self._state = State.OPEN
        self._spans: list[Span] = []
        self._mitigated: tuple[float, int] | None = None
        self._closed_at: float | None = None
        self._closed_by = ""
        self._reopened = 0
        self._impact = Impact()
        self._in_calm = Impact()
        """What was served since it was mitigated: counts if it is opened again."""
        self._counts: dict[str, Count] = {}
        self._lines: list[Line] = []
        self._left_out = 0
        self._notes: list[Remark] = []
        self._actions: list[Remark] = []
        self._claims: dict[str, Claim] = {}

    @property
    def is_closed(self) -> bool:
        """For good."""
        return self._state is State.CLOSED

    def holds(self, rule: Rule) -> bool:
        """Whether a condition of this rule holds."""
        return any(span.rule == rule.name and span.ended is None for span in self._spans)

    # Conditions

    def begin(self, rule: Rule, event: Event, now: float) -> bool:
        """A condition begins; whether that is news."""
        if any((span.rule, span.subject, span.ended) == (rule.name, event.subject, None) for span in self._spans):
            return False
        if self._state is State.MITIGATED:
            self._reopened += 1
            self._impact, self._in_calm, self._mitigated = _sum(self._impact, self._in_calm), Impact(), None
        self._state = next_state(self._state, Cause.BEGINS)
        is_over = not rule.ends
        span = Span(rule=rule.name, subject=event.subject, since=_since(event), begun=event.seq)
        self._spans.append(replace(span, until=now, ended=event.seq) if is_over else span)
        for served in self.earlier_served:
            self.count_served(served)
        self.earlier_served = ()
        if is_over:
            self._ended(event, now)
        return True

    def end(self, rule: Rule, event: Event, now: float) -> bool:
        """A condition ends; whether it held. An `adopted` ends those of its suite only."""
        for place, span in enumerate(self._spans):
            if (span.rule, span.subject, span.ended) == (rule.name, event.subject, None):
                self._spans[place] = replace(span, until=now, ended=event.seq)
                self._ended(event, now)
                return True
        return False

    def _ended(self, event: Event, now: float) -> None:
        if all(span.ended is not None for span in self._spans):
            self._state = next_state(self._state, Cause.LAST_ENDS)
            self._mitigated = now, event.seq

    def pass_to(self, now: float) -> None:
        """Time goes on."""
        if self._state is State.MITIGATED and self._mitigated and now >= self._mitigated[0] + self._calm_s:
            self._state = next_state(self._state, Cause.CALM)
            self._closed_at = self._mitigated[0] + self._calm_s

    # What happens meanwhile

    def count_served(self, event: Event) -> None:
        """Take a `served` event into the impact, if its span and the incident's overlap."""
        since, until = event.data.get("since"), event.data.get("until")
        if not isinstance(since, int | float) or not isinstance(until, int | float) or until <= self._started_at:
            return
        one = Impact(
            requests=_int(event.data, "requests"),
            lacking=_int(event.data, "lacking"),
            bytes=_int(event.data, "bytes"),
            since=since,
            until=until,
            first=event.seq,
            last=event.seq,
            events=1,
        )
        if self._mitigated is not None and since >= self._mitigated[0]:
            self._in_calm = _sum(self._in_calm, one)
        else:
            self._impact = _sum(self._impact, one)

    def tell(self, event: Event, *, is_turn: bool) -> None:
        """A line of the timeline; of what comes by the hundred, only some."""
        self.first_seq = min(self.first_seq, event.seq)
        before = self._counts.get(event.kind, Count(events=0, first=event.seq, last=event.seq))
        count = Count(events=before.events + 1, first=before.first, last=event.seq)
        self._counts[event.kind] = count
        if len(self._lines) >= LINES_MAX or (not is_turn and count.events > LINES_OF_A_KIND_MAX):
            self._left_out += 1
        else:
            self._lines.append(Line(seq=event.seq, at=event.at, kind=event.kind, text=told(event)))

    def remark(self, event: Event, now: float) -> None:
        """What somebody wrote down, did, said, or ended."""
        self.tell(event, is_turn=True)
        remark = Remark(seq=event.seq, at=event.at, by=_text(event.data, "by"), text=_text(event.data, "text"))
        match event.kind:
            case "incident-note" if len(self._notes) < REMARKS_MAX:
                self._notes.append(remark)
            case "incident-action" if len(self._actions) < REMARKS_MAX:
                self._actions.append(remark)
            case "incident-closed" if not self.is_closed:
                self._close(event, now, remark.by)
            case "claim" if len(self._claims) < CLAIMS_MAX and _text(event.data, "claim") not in self._claims:
                claim = claim_of(event)
                self._claims[claim.name] = claim
            case "claim-revised" if (known := self._claims.get(_text(event.data, "claim"))) is not None:
                judgements = (*known.judgements, judgement_of(event))
                self._claims[known.name] = replace(known, judgements=judgements)

    def _close(self, event: Event, now: float, by: str) -> None:
        if self._mitigated is None:
            self._spans = [one if one.ended else replace(one, until=now, ended=event.seq) for one in self._spans]
            self._mitigated = now, event.seq
        self._state = next_state(self._state, Cause.BY_HAND)
        self._closed_at, self._closed_by = now, by

    # The value

    def _named(self, span: Span) -> str:
        """Its subject, if that says which archive it is; refusals are the gateway's, whatever they come of."""
        return span.subject if span.subject.startswith(self.group.name) else self.group.name

    @property
    def _started_at(self) -> float:
        return min((span.since for span in self._spans), default=self._opened.at)

    def made(self) -> Incident:
        """As it is now."""
        worst = min(self._spans, key=lambda span: BY_NAME[span.rule].severity)
        holding = [BY_NAME[span.rule].severity for span in self._spans if span.ended is None]
        what = BY_NAME[worst.rule].what
        return Incident(
            id=self.id,
            drill=self.group.drill,
            about=self.group.about.value,
            name=self.group.name,
            title=f"{self._named(worst)}: {what}" if self.group.name else what,
            state=self._state.value,
            severity=BY_NAME[worst.rule].severity,
            severity_now=min(holding, default=None),
            started_at=self._started_at,
            detected_at=self._opened.at,
            mitigated_at=self._mitigated and self._mitigated[0],
            closed_at=self._closed_at,
            closed_by=self._closed_by,
            opened=self._opened.seq,
            mitigated=self._mitigated and self._mitigated[1],
            reopened=self._reopened,
            conditions=tuple(self._spans),
            impact=self._impact,
            counts=dict(self._counts),
            timeline=tuple(sorted(self._lines, key=lambda line: line.seq)),
            left_out=self._left_out,
            notes=tuple(self._notes),
            actions=tuple(self._actions),
            claims=tuple(self._claims.values()),
        )


def _since(event: Event) -> float:
    """When a condition began, as far as its event knows: before it was written down, mostly."""
    data = event.data
    match event.kind, data.get("since"), data.get("valid_until"), data.get("confirmed_at"), data.get("limit_s"):
        case "alone-begun" | "last-operator-begun" | "served" | "watch-down", int() | float() as at, _, _, _:
            pass
        case "suite-expired", _, int() | float() as at, _, _:
            pass
        case "freshness-lost", _, _, int() as confirmed_at, int() | float() as limit_s:
            at = confirmed_at + limit_s
        case _:
            at = event.at
    return min(float(at), event.at) if at > 0 else event.at


def _sum(one: Impact, other: Impact) -> Impact:
    if not other.events:
        return one
    if not one.events:
        return other
    assert one.since is not None
    assert other.until is not None
    return Impact(
        requests=one.requests + other.requests,
        lacking=one.lacking + other.lacking,
        bytes=one.bytes + other.bytes,
        since=min(one.since, other.since or one.since),
        until=max(other.until, one.until or other.until),
        first=one.first,
        last=other.last,
        events=one.events + other.events,
    )


def _int(data: Mapping[str, object], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0


def _text(data: Mapping[str, object], name: str) -> str:
    return str(data.get(name, ""))
