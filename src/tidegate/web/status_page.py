"""The status page as a value: what is affected, since when, what to do, and until when to believe all that. Pure.

It is for people who only want their updates, and may be read where anybody can read it. So nothing of hosts, sources or
exposure is in it; and what operators wrote down only where the settings say so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidegate.incidents.claims import sentence
from tidegate.incidents.incident import Incident, Remark, Span
from tidegate.incidents.rules import BY_NAME
from tidegate.web.advisories_report import FeedReport
from tidegate.web.days import DAY_S, DAYS, Days, Level, Record, Stretch, days, level_of
from tidegate.web.report import StatusReport, SuiteReport
from tidegate.web.settings import StatusSettings
from tidegate.web.status_words import GATEWAY, WORDS, Words
from tidegate.web.watch_report import WatchReport, WatchState

STATUS_OLD_S = 60
DOWN = "gateway"
"""The id of what is no incident of the journal: nobody was there to write it down."""
PAST_MAX = 50
REMARKS_MAX = 20


@dataclass(frozen=True, slots=True)
class Component:
    """Something that somebody counts on. `words` say how it is, `note` why; `parts` are what it consists of."""

    name: str
    level: Level
    note: str
    days: Days
    parts: "tuple[Component, ...]" = ()


@dataclass(frozen=True, slots=True)
class Told:
    """An incident, told to people outside. `until` is None while it goes on; `words` are those of what is worst."""

    id: str
    title: str
    level: Level
    since: float
    until: float | None
    updated: float
    words: tuple[Words, ...]
    requests: int
    lacking: int
    remarks: tuple[Remark, ...] = ()
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A page of somebody else's that is watched from here, and that its owner lets people know of. `since` may be None.

    How it is says nothing of what is served here, and makes the whole no worse.
    """

    name: str
    url: str
    state: WatchState
    since: int | None


@dataclass(frozen=True, slots=True)
class StatusPage:
    """All of it. Times are epoch seconds."""

    title: str
    contact: str
    url: str
    drill: str
    written_at: int
    next_at: int
    believe_until: int
    level: Level
    headline: str
    affected: tuple[Told, ...]
    components: tuple[Component, ...]
    past: tuple[Told, ...]
    elsewhere: tuple[Elsewhere, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the page is made from. `status` is None where no gateway ever answered."""

    status: StatusReport | None
    incidents: Sequence[Incident]
    feeds: Sequence[FeedReport]
    record: Record
    watches: Sequence[WatchReport] = ()


def status_page(known: Known, settings: StatusSettings, now: float, *, drill: str = "") -> StatusPage:
    """The page as of now; or as it would be if a drill were real, and says that it is not."""
    real = [one for one in known.incidents if one.drill == drill]
    told = [one for incident in real if (one := _told(incident, notes=settings.notes)) is not None]
    going = [*_down(known), *(one for one in told if one.until is None)]
    affected = tuple(sorted(going, key=lambda one: (-one.level, one.since)))
    over = (one for one in reversed(told) if one.until is not None and one.until >= now - DAYS * DAY_S)
    components = _components(known, real, now)
    level = max((one.level for one in components), default=Level.UNKNOWN)
    every_s = settings.update_open_s if affected else settings.update_s
    return StatusPage(
        title=settings.title,
        contact=settings.contact,
        url=settings.url,
        drill=drill,
        written_at=int(now),
        next_at=int(now + every_s),
        believe_until=int(now + 2 * every_s),
        level=level,
        headline=_headline(level, affected, known, now),
        affected=affected,
        components=components,
        past=tuple(over)[:PAST_MAX],
        elsewhere=tuple(
            Elsewhere(one.public_as, one.url, one.state, one.since) for one in known.watches if one.public_as
        ),
    )


def news(page: StatusPage) -> object:
    """What is news when it differs: the page but for its times, and for numbers that grow while nothing happens."""
    return (
        *(page.title, page.contact, page.url, page.drill, page.level, page.headline),
        [replace(one, requests=0, lacking=0) for one in page.affected],
        [(one.name, one.level, one.note, [(part.name, part.level, part.note) for part in one.parts])
         for one in page.components],
        page.past,
        page.elsewhere,
    )  # fmt: skip


def _elsewhere(watches: Iterable[WatchReport]) -> tuple[Elsewhere, ...]:
    return tuple(Elsewhere(one.public_as, one.url, one.state, one.since) for one in watches if one.public_as)


def _headline(level: Level, affected: Sequence[Told], known: Known, now: float) -> str:
    if not (known.status is not None and known.status.running is None) and _old(known, now):
        return "Not known: the gateway does not answer."
    if affected:
        more = f" And {len(affected) - 1} more, below." if len(affected) > 1 else ""
        return f"{affected[0].title}.{more}"
    if level is Level.WORKS:
        return "Everything works."
    return "Not everything is known." if level is Level.UNKNOWN else "Something is not as it should be: see below."


def _old(known: Known, now: float) -> bool:
    return known.status is None or now - known.status.at > STATUS_OLD_S


# Incidents


def _down(known: Known) -> tuple[Told, ...]:
    """The gateway itself, where it is known not to run."""
    if known.status is None or known.status.running is not None:
        return ()
    since = known.record.runs[-1][1] if known.record.runs else float(known.status.at)
    return (Told(DOWN, GATEWAY.title, Level.FAILS, since, None, since, (GATEWAY,), 0, 0),)


def _shown(incident: Incident) -> list[Span]:
    return [span for span in incident.conditions if span.rule in WORDS]


def _told(incident: Incident, *, notes: bool) -> Told | None:
    """None for what only its operators can see or mend."""
    spans = _shown(incident)
    if not spans:
        return None
    holding = [span for span in spans if span.until is None]
    ends = [span.until for span in spans if span.until is not None]
    until = None if holding else max(ends)
    by_badness = sorted(holding or spans, key=lambda span: BY_NAME[span.rule].severity)
    worst = level_of(BY_NAME[by_badness[0].rule].severity)
    # Who is in trouble does not want to hear that there is a risk of it.
    felt = [span for span in by_badness if worst is Level.RISK or level_of(BY_NAME[span.rule].severity) > Level.RISK]
    named = tuple(dict.fromkeys(_words(span, incident.name) for span in felt))
    remarks = (*incident.notes, *incident.actions) if notes else ()
    moments = [*(span.since for span in spans), *ends, *(remark.at for remark in remarks)]
    return Told(
        id=incident.id,
        title=named[0].title,
        level=worst,
        since=min(span.since for span in holding or spans),
        until=until,
        updated=max(moments),
        words=named,
        requests=incident.impact.requests,
        lacking=incident.impact.lacking,
        remarks=tuple(sorted(remarks, key=lambda one: one.at))[-REMARKS_MAX:],
        claims=tuple(sentence(one) for one in incident.claims) if notes else (),
    )


def _words(span: Span, name: str) -> Words:
    words = WORDS[span.rule]
    return replace(words, title=words.title.replace("{name}", name))


# Components


def _components(known: Known, incidents: Sequence[Incident], now: float) -> tuple[Component, ...]:
    suites = () if known.status is None else known.status.suites
    archives = dict.fromkeys(one.archive for one in suites)
    service = [(span, one) for one in incidents for span in _shown(one) if span.rule in ("refusing", "wrong-bytes")]
    packages = _of_gateway(_component("Packages", service, known, now), known, now)
    found = [packages, *(_archive(name, suites, incidents, known, now) for name in archives)]
    if known.feeds:
        found.append(_advisories(incidents, known, now))
    return tuple(found)


def _of_gateway(one: Component, known: Known, now: float) -> Component:
    """What nobody can get from a gateway that is not there, or of which nobody knows."""
    if known.status is not None and known.status.running is None:
        return replace(one, level=Level.FAILS, note=GATEWAY.title)
    return replace(one, level=Level.UNKNOWN, note="the gateway does not answer") if _old(known, now) else one


def _archive(
    name: str, suites: Iterable[SuiteReport], incidents: Sequence[Incident], known: Known, now: float
) -> Component:
    spans = [
        (span, one)
        for one in incidents
        if one.about == "archive" and one.name == name
        for span in _shown(one)
        if span.rule != "refusing"
    ]
    parts = []
    for suite in suites:
        if suite.archive == name:
            subject = f"{name} {suite.suite}"
            ours = [(span, one) for span, one in spans if span.subject in (name, subject)]
            parts.append(_suite(suite, _component(suite.suite, ours, known, now), known, now))
    whole = _component(name, spans, known, now)
    worst = max((whole, *parts), key=lambda one: one.level)
    return replace(whole, level=worst.level, note=worst.note, parts=tuple(parts))


def _suite(suite: SuiteReport, found: Component, known: Known, now: float) -> Component:
    if (instead := _of_gateway(found, known, now)) is not found:
        return instead
    if suite.state == "waiting":
        nothing = days((), Record((), {}), now)
        return replace(found, level=Level.UNKNOWN, note="nothing of it was fetched yet", days=nothing)
    if suite.state == "expired" and found.level < Level.PARTLY:
        return replace(found, level=Level.PARTLY, note=WORDS["expired"].title.replace("{name}", suite.suite))
    return found


def _advisories(incidents: Sequence[Incident], known: Known, now: float) -> Component:
    parts = []
    for feed in known.feeds:
        spans = [
            (span, one) for one in incidents if one.about == "feed" and one.name == feed.name for span in _shown(one)
        ]
        made = _component(feed.title, spans, known, now)
        if feed.state == "missing":
            made = replace(made, level=Level.UNKNOWN, note="nothing of it was fetched yet")
        elif feed.state == "old" and made.level is Level.WORKS:
            made = replace(made, level=Level.RISK, note="too old to be believed")
        parts.append(made)
    spans = [(span, one) for one in incidents if one.about == "feed" for span in _shown(one)]
    worst = max(parts, key=lambda one: one.level)
    return replace(
        _component("News of vulnerabilities", spans, known, now), level=worst.level, note=worst.note, parts=tuple(parts)
    )


def _component(name: str, spans: Sequence[tuple[Span, Incident]], known: Known, now: float) -> Component:
    stretches = [
        Stretch(span.since, now if span.until is None else span.until, level_of(BY_NAME[span.rule].severity))
        for span, _ in spans
    ]
    holding = sorted(
        ((span, one) for span, one in spans if span.until is None), key=lambda one: BY_NAME[one[0].rule].severity
    )
    past = days(stretches, known.record, now)
    if not holding:
        return Component(name, Level.WORKS, "", past)
    worst, incident = holding[0]
    return Component(name, level_of(BY_NAME[worst.rule].severity), _words(worst, incident.name).title, past)
