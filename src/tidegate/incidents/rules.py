"""Which events begin and end a condition, what groups with what, and how an incident opens and closes. Pure.

docs/incidents.md shows these tables with a picture, and a test holds the two together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Event


class Severity(IntEnum):
    """How bad it is; 1 is the worst."""

    SEV1 = 1
    SEV2 = 2
    SEV3 = 3
    SEV4 = 4


SEVERITIES: Mapping[Severity, str] = {
    Severity.SEV1: "hosts are refused what they ask for, now",
    Severity.SEV2: "hosts are served, but nothing new reaches them, or apt refuses what is served",
    Severity.SEV3: "a margin is gone: the next fault would be felt; somebody should look today",
    Severity.SEV4: "it took care of itself; somebody should know",
}


class About(StrEnum):
    """What an incident is about: events about the same thing are one incident."""

    ARCHIVE = "archive"
    SOURCE = "source"
    FEED = "feed"
    READINESS = "readiness"
    STORE = "store"
    SERVICE = "service"
    WATCH = "watch"


class Group(NamedTuple):
    """What an incident is about, by name, in what really happens or in a drill."""

    about: About
    name: str
    drill: str = ""


def archive_of(event: Event) -> str:
    """The archive in the subject of an event about an archive or a suite."""
    return event.subject.partition(" ")[0]


def _subject(event: Event) -> str:
    return event.subject


def _nothing(_: Event) -> str:
    return ""


def _always(_: Event, _rules: IncidentSettings) -> bool:
    return True


def _violates(event: Event, _: IncidentSettings) -> bool:
    return event.data.get("after") == "open" and event.data.get("cause") == "violation"


def _well(event: Event, _: IncidentSettings) -> bool:
    return event.data.get("after") == "closed"


def _critical(event: Event, _: IncidentSettings) -> bool:
    return event.data.get("after") == "critical"


def _not_critical(event: Event, rules: IncidentSettings) -> bool:
    return not _critical(event, rules)


def _refuses(event: Event, rules: IncidentSettings) -> bool:
    requests, lacking = event.data.get("requests"), event.data.get("lacking")
    if not isinstance(requests, int) or not isinstance(lacking, int):
        return False
    return lacking >= rules.lacking_min and lacking >= rules.lacking_share_max * requests


def _serves(event: Event, rules: IncidentSettings) -> bool:
    return not _refuses(event, rules)


def _by_itself(event: Event, _: IncidentSettings) -> bool:
    return event.data.get("incident") is True


class Sign(NamedTuple):
    """A kind of event that begins or ends a condition, under what, and in the documentation's words."""

    kind: str
    when: Callable[[Event, IncidentSettings], bool] = _always
    words: str = ""

    def __str__(self) -> str:
        return f"`{self.kind}`{f' {self.words}' if self.words else ''}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition: what begins it, what ends it, whose incident it is, how bad that is, and what to do.

    Without `ends` it is over as soon as it has begun: what is left of it is that it happened.
    """

    name: str
    begins: tuple[Sign, ...]
    ends: tuple[Sign, ...]
    about: About
    key: Callable[[Event], str]
    severity: Severity
    what: str
    todo: str


_ADOPTED = Sign("adopted")

RULES = (
    Rule(
        "refusing",
        (Sign("served", _refuses, "with many refused for lack"),),
        (Sign("served", _serves, "without"),),
        About.SERVICE,
        _nothing,
        Severity.SEV1,
        "hosts are refused what they ask for",
        "See what is lacking: `tidegate readiness`, `tidegate sources`.",
    ),
    Rule(
        "alone",
        (Sign("alone-begun"),),
        (Sign("alone-ended"),),
        About.ARCHIVE,
        _subject,
        Severity.SEV2,
        "none of its sources answers",
        "Add a source of another operator, or carry updates in: docs/alone.md, docs/air-gap.md.",
    ),
    Rule(
        "expired",
        (Sign("suite-expired"),),
        (_ADOPTED,),
        About.ARCHIVE,
        archive_of,
        Severity.SEV2,
        "a suite is past its Valid-Until, and apt refuses it",
        "What the hosts' owner may decide until there is a newer one: docs/alone.md.",
    ),
    Rule(
        "split-view",
        (Sign("split-view"),),
        (_ADOPTED,),
        About.ARCHIVE,
        archive_of,
        Severity.SEV2,
        "two validly signed Releases of one Date differ",
        "Ask the archive's operator which is theirs; keep both: the journal has their digests.",
    ),
    Rule(
        "last-operator",
        (Sign("last-operator-begun"),),
        (Sign("last-operator-ended"),),
        About.ARCHIVE,
        _subject,
        Severity.SEV3,
        "of its operators one is left that answers, at most",
        "See why the others are out: `tidegate sources`. Add a source of another operator.",
    ),
    Rule(
        "stale",
        (Sign("freshness-lost"),),
        (Sign("freshness-confirmed"), _ADOPTED),
        About.ARCHIVE,
        archive_of,
        Severity.SEV3,
        "nobody shows what is served to be the newest",
        "See what is in the way: `tidegate refresh`, `tidegate sources`.",
    ),
    Rule(
        "frozen",
        (Sign("possible-freeze"),),
        (_ADOPTED,),
        About.ARCHIVE,
        archive_of,
        Severity.SEV3,
        "a suite has been silent beyond its own rhythm",
        "Compare with another operator: add a source, then `tidegate sources probe`.",
    ),
    Rule(
        "wrong-bytes",
        (Sign("violation"), Sign("source-state", _violates, "to open, for wrong bytes")),
        (Sign("source-state", _well, "to closed"),),
        About.SOURCE,
        _subject,
        Severity.SEV3,
        "it gave wrong bytes, which nobody got",
        "Tell its operator, and take it out of the settings if it does not stop.",
    ),
    Rule(
        "feed-stale",
        (Sign("feed-stale"),),
        (Sign("feed-fresh"),),
        About.FEED,
        _subject,
        Severity.SEV3,
        "what it says about vulnerabilities is too old to be believed",
        "Take what it does not list for unknown, not for safe.",
    ),
    Rule(
        "watch-down",
        (Sign("watch-down", _by_itself, "of a watch with `incident`"),),
        (Sign("watch-up"), Sign("watch-not-asked")),
        About.WATCH,
        _subject,
        Severity.SEV3,
        "a page that you depend on is down",
        "Read its last good copy meanwhile: `tidegate watch list`, then `tidegate watch show NAME`.",
    ),
    Rule(
        "not-ready",
        (Sign("readiness", _critical, "to critical"),),
        (Sign("readiness", _not_critical, "to anything else"),),
        About.READINESS,
        _nothing,
        Severity.SEV3,
        "without its sources much of what hosts need could not be served",
        "See what is lacking, and what to do about each line: `tidegate readiness`.",
    ),
    Rule(
        "store-full",
        (Sign("store-full"),),
        (Sign("store-has-room"),),
        About.STORE,
        _nothing,
        Severity.SEV3,
        "the store is full of what is needed",
        "Give it another disk or a larger quota, or hold less: docs/housekeeping.md.",
    ),
    Rule(
        "bit-rot",
        (Sign("bit-rot"),),
        (),
        About.STORE,
        _nothing,
        Severity.SEV4,
        "a file had changed on the disk, and was removed",
        "Look at the disk (smartctl, the kernel's log); a second one is no accident.",
    ),
)
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}


def _by_kind() -> Mapping[str, tuple[Rule, ...]]:
    kinds = {sign.kind for rule in RULES for sign in (*rule.begins, *rule.ends)}
    return {
        kind: tuple(rule for rule in RULES if any(sign.kind == kind for sign in (*rule.begins, *rule.ends)))
        for kind in kinds
    }


BY_KIND = _by_kind()
"""The rules that an event of a kind may begin or end; of most kinds there are none."""


class State(StrEnum):
    """How far an incident is."""

    OPEN = "open"
    """At least one condition holds."""
    MITIGATED = "mitigated"
    """None holds any more; it is watched for a while."""
    CLOSED = "closed"
    """For good: what comes later is another incident."""


class Cause(StrEnum):
    """What an incident hears of, in the words of the documentation."""

    BEGINS = "a condition begins"
    SOME_END = "a condition ends, others hold"
    LAST_ENDS = "its last condition ends"
    CALM = "`calm_s` without a condition"
    BY_HAND = "somebody closes it"


class Row(NamedTuple):
    """From a state, at something, to a state."""

    before: State
    cause: Cause
    after: State
    note: str


TABLE = (
    Row(
        State.OPEN,
        Cause.BEGINS,
        State.OPEN,
        "it may be worse now: its severity is that of its worst condition",
    ),
    Row(State.OPEN, Cause.SOME_END, State.OPEN, ""),
    Row(State.OPEN, Cause.LAST_ENDS, State.MITIGATED, "hosts are safe again: this is its end, if it stays so"),
    Row(
        State.OPEN,
        Cause.BY_HAND,
        State.CLOSED,
        "its conditions count as ended; one that begins anew is another incident",
    ),
    Row(State.MITIGATED, Cause.BEGINS, State.OPEN, "the same incident, not another one"),
    Row(State.MITIGATED, Cause.CALM, State.CLOSED, ""),
    Row(State.MITIGATED, Cause.BY_HAND, State.CLOSED, ""),
)
"""An incident begins open, with the first condition of its group."""


def next_state(before: State, cause: Cause) -> State:
    """Where that leads; where the table says nothing, nothing changes."""
    return next((row.after for row in TABLE if (row.before, row.cause) == (before, cause)), before)
