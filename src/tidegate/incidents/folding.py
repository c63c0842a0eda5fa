"""The fold: events in, incidents out. The same events give the same incidents, with the same ids. Pure.

An incident's id is the day and the number of the event that opened it. Time is that of the events, and never goes
back: a stepped clock makes an incident longer or shorter, but tears none apart.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from tidegate.incidents.incident import Incident
from tidegate.incidents.making import Making
from tidegate.incidents.rules import BY_KIND, About, Group, Rule, Sign, archive_of
from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Event

RECENT_MAX = 256
"""Events that may become an incident's prelude."""
LEAD_S = 600.0
"""What happened so shortly before it, to the same archive or source, belongs to an incident's timeline."""
SERVED_MAX = 16
"""`served` events that may overlap with an incident that began before it was detected."""
PAGES_MAX = 256
"""Watched pages of which it is remembered that they are down."""
PAGES_LEAD_S = 86_400.0
"""A page that went down so shortly before an incident, and is down still, belongs to its timeline."""
BY_PEOPLE = ("incident-note", "incident-action", "incident-closed", "claim", "claim-revised")
_OF_PAGES = ("watch-down", "watch-up", "watch-not-asked")
_MEANWHILE = (About.ARCHIVE, About.FEED, About.SERVICE)
"""What is told of pages that are down meanwhile: as something that was seen, never as a cause."""
_OF_ARCHIVES = (
    *("alone-begun", "alone-ended", "last-operator-begun", "last-operator-ended"),
    *("adopted", "refused", "source-failed", "held-back", "incomplete", "failed", "behind", "alarm", "split-view"),
    *("possible-freeze", "suite-expired", "freshness-lost", "freshness-confirmed"),
    *("adopted-incomplete", "prefetch-complete", "prefetch-failed"),
)


def fold(events: Iterable[Event], rules: IncidentSettings, now: float) -> tuple[Incident, ...]:
    """All incidents, the oldest first."""
    folding = Folding(rules)
    for event in events:
        folding.take(event)
    return folding.incidents(now)


def groups_of(event: Event) -> Iterator[Group]:
    """What an event is about."""
    kind, drill = event.kind, event.drill
    if kind in _OF_ARCHIVES:
        yield Group(About.ARCHIVE, archive_of(event), drill)
    if kind in ("source-state", "failover"):
        for archive in str(event.data.get("archives", "")).split(","):
            yield Group(About.ARCHIVE, archive, drill)
    if kind in ("source-state", "failover", "violation"):
        yield Group(About.SOURCE, event.subject, drill)
    if kind in ("refused", "source-failed"):
        yield Group(About.SOURCE, str(event.data.get("source", "")), drill)
    if kind in ("store-full", "store-has-room", "bit-rot"):
        yield Group(About.STORE, "", drill)
    if kind == "readiness":
        yield Group(About.READINESS, "", drill)
    if kind in ("feed-stale", "feed-fresh"):
        yield Group(About.FEED, event.subject, drill)
    if kind in _OF_PAGES:
        yield Group(About.WATCH, event.subject, drill)


def is_meanwhile(event: Event, group: Group) -> bool:
    """Whether a page's going down or coming back is told with what this is about."""
    archive = event.data.get("archive", "")
    ours = group.about in _MEANWHILE and archive in ("", group.name)
    return event.kind in _OF_PAGES and event.drill == group.drill and ours


class Folding:
    """A fold under way. `take` each event in order; `incidents` may be asked at any time."""

    def __init__(self, rules: IncidentSettings) -> None:
        self._rules = rules
        self._all: dict[str, Making] = {}
        self._live: dict[Group, Making] = {}
        self._recent: deque[Event] = deque(maxlen=RECENT_MAX)
        self._served: deque[Event] = deque(maxlen=SERVED_MAX)
        self._pages: dict[tuple[str, str], Event] = {}
        """The events of pages that are down now."""
        self._now = 0.0
        self.seq = 0
        """The last event that was taken."""

    def take(self, event: Event) -> None:
        """The next event."""
        self.seq = event.seq
        self._pass_to(event.at)
        if event.kind in BY_PEOPLE:
            self._by_people(event)
            return
        served = event.kind == "served"
        if served:
            self._served.append(event)
            if not self._live and not event.data.get("lacking"):
                return  # a quiet minute: most of a year's events
            for making in self._live.values():
                if making.group.drill == event.drill:
                    making.count_served(event)
        changed = [one for rule in BY_KIND.get(event.kind, ()) if (one := self._apply(rule, event)) is not None]
        touched = dict.fromkeys(chain(changed, () if served else self._concerned(event)))
        for making in touched:
            making.tell(event, is_turn=making in changed)
        if event.kind in _OF_PAGES:
            self._remember_page(event)
        if not served:
            self._recent.append(event)
        self._drop_closed()

    def incidents(self, now: float) -> tuple[Incident, ...]:
        """All of them as they are at this moment, the oldest first."""
        self._pass_to(now)
        return tuple(making.made() for making in self._all.values())

    def needed_from(self) -> int | None:
        """The first event that an incident which is not closed is made of; None where there is none."""
        return min((making.first_seq for making in self._live.values()), default=None)

    # Within

    def _pass_to(self, at: float) -> None:
        self._now = max(self._now, at)
        if self._live:
            for making in self._live.values():
                making.pass_to(self._now)
            self._drop_closed()

    def _drop_closed(self) -> None:
        if any(making.is_closed for making in self._live.values()):
            self._live = {group: making for group, making in self._live.items() if not making.is_closed}

    def _concerned(self, event: Event) -> Iterator[Making]:
        if event.kind in ("started", "stopped"):
            yield from (making for making in self._live.values() if making.group.drill == event.drill)
        yield from (self._live[group] for group in groups_of(event) if group in self._live)
        if event.kind in _OF_PAGES:
            yield from (making for group, making in self._live.items() if is_meanwhile(event, group))

    def _remember_page(self, event: Event) -> None:
        self._pages.pop((event.subject, event.drill), None)
        if event.kind == "watch-down" and len(self._pages) < PAGES_MAX:
            self._pages[event.subject, event.drill] = event

    def _apply(self, rule: Rule, event: Event) -> Making | None:
        """Begin or end this rule's condition, if the event says so; whose incident changed."""
        group = self._group(rule, event)
        if self._fits(rule.begins, event):
            begun = self._live.get(group) or self._opened(group, event)
            return begun if begun.begin(rule, event, self._now) else None
        live = self._live.get(group)
        return live if live and self._fits(rule.ends, event) and live.end(rule, event, self._now) else None

    def _fits(self, signs: Iterable[Sign], event: Event) -> bool:
        return any(sign.kind == event.kind and sign.when(event, self._rules) for sign in signs)

    def _group(self, rule: Rule, event: Event) -> Group:
        """Refusals belong to the incident that they come of: that of an archive, while there is one."""
        if rule.about is About.SERVICE:
            for group, making in self._live.items():
                if group.drill == event.drill and (group.about is About.ARCHIVE or making.holds(rule)):
                    return group
        return Group(rule.about, rule.key(event), event.drill)

    def _opened(self, group: Group, event: Event) -> Making:
        making = Making(group, event, self._rules.calm_s)
        self._live[group] = self._all[making.id] = making
        begun_at = event.at
        for earlier in self._recent:
            if earlier.at >= begun_at - LEAD_S and group in groups_of(earlier):
                making.tell(earlier, is_turn=False)
        for page in self._pages.values():
            if page.at >= begun_at - PAGES_LEAD_S and page.seq != event.seq and is_meanwhile(page, group):
                making.tell(page, is_turn=False)
        making.earlier_served = tuple(one for one in self._served if one.drill == event.drill)
        return making

    def _by_people(self, event: Event) -> None:
        making = self._all.get(event.subject)
        if making is not None:
            making.remark(event, self._now)
            self._drop_closed()
