"""One advisory, from the history: what each feed says of it at a moment, and how old that is."""

from collections.abc import Iterable

from tidegate.advisories.age import Age, Limits, age_of
from tidegate.advisories.fields import common_id
from tidegate.advisories.history import Edition, FeedState, History, Said
from tidegate.advisories.statement import Kind
from tidegate.fleet.knowledge import AUTHORITIES, last_whole
from tidegate.web.advisories_report import (
    AdvisoryReport,
    BasisReport,
    Judgement,
    RecordReport,
    ScoreReport,
    StatementReport,
    UnreadableReport,
)


def advisory_report(history: History, identity: str, *, now: int, as_of: int | None, limits: Limits) -> AdvisoryReport:
    """What is known of a CVE or a notice. Raises sqlite3.Error."""
    moment = now if as_of is None else as_of
    about = common_id(identity)
    states = history.feeds(as_of)
    own = [edition for state in states for edition in _own(history, state.provenance.feed, about, as_of)]
    mentions = history.mentions(about, as_of)
    own += [edition for edition in mentions if edition.record.about == about and edition not in own]
    notices = [edition for edition in mentions if edition.record.kind is Kind.NOTICE and edition not in own]
    exploited = next((one for one in own if one.record.kind is Kind.EXPLOITED), None)
    records = [one for one in own if one.record.kind is not Kind.EXPLOITED]
    said, score = history.said(about, as_of), history.score(about, as_of)
    whole = [last_whole(history, state.provenance.feed, as_of) or state for state in states]
    basis = tuple(_basis(state, moment, limits) for state in whole)
    unreadable = tuple(
        UnreadableReport(feed=one.feed, record=one.problem.record, what=str(one.problem), since=one.since)
        for one in history.unreadable(as_of)
        if common_id(one.problem.record.rpartition("/")[2]) == about
    )
    return AdvisoryReport(
        id=about,
        at=now,
        as_of=moment,
        state=_state(basis),
        found=bool(own or said or notices or unreadable),
        records=tuple(map(_record, records)),
        statements=tuple(map(_statement, said)),
        notices=tuple(map(_record, notices)),
        exploited=_record(exploited) if exploited else None,
        epss=ScoreReport(probability=score.probability, percentile=score.percentile) if score else None,
        severities=tuple(_judgements([*own, *notices])),
        unreadable=unreadable,
        basis=basis,
    )


def _own(history: History, feed: str, about: str, as_of: int | None) -> list[Edition]:
    """The record that bears this very name."""
    found = history.record(feed, about, as_of)
    return [found] if found else []


def _state(basis: tuple[BasisReport, ...]) -> str:
    """Of each distribution that we follow, some feed that says of every CVE where it is has to be young enough: a young
    KEV makes no old tracker an all-clear."""
    known = {one.feed: one.state for one in basis}
    followed = [[known[feed] for feed in feeds if feed in known] for feeds in AUTHORITIES.values()]
    if not any(followed):
        return Age.MISSING.value
    return (Age.CURRENT if all(Age.CURRENT in states for states in followed if states) else Age.OLD).value


def _basis(state: FeedState, moment: int, limits: Limits) -> BasisReport:
    current_at = max(state.confirmed_at, state.provenance.fetched_at)
    age_s = max(0, moment - current_at)
    return BasisReport(
        feed=state.provenance.feed,
        current_at=current_at,
        age_s=age_s,
        published_at=state.provenance.published,
        state=age_of(current_at, state.provenance.published, moment, limits).value,
        verified=state.provenance.verified.value,
        unreadable=state.unreadable,
    )


def _record(edition: Edition) -> RecordReport:
    record = edition.record
    return RecordReport(
        feed=edition.feed,
        id=record.id,
        kind=record.kind.value,
        title=record.title,
        description=record.description,
        published=record.published,
        modified=record.modified,
        withdrawn=record.withdrawn,
        cves=record.cves,
        upstream=record.upstream,
        related=record.related,
        references=record.references,
        facts=dict(record.facts),
        since=edition.since,
    )


def _statement(said: Said) -> StatementReport:
    statement = said.statement
    return StatementReport(
        feed=said.feed,
        record=said.record,
        about=statement.about,
        package=statement.package,
        distribution=statement.place.distribution,
        release=statement.place.release,
        pocket=statement.place.pocket,
        status=statement.status.value,
        fixed=statement.fixed,
        introduced=statement.introduced,
        urgency=statement.urgency,
        note=statement.note,
        since=said.since,
    )


def _judgements(editions: Iterable[Edition]) -> Iterable[Judgement]:
    found = {
        (edition.feed, one.scheme, one.value): Judgement(feed=edition.feed, scheme=one.scheme, value=one.value)
        for edition in editions
        for one in edition.record.severities
    }
    return found.values()
