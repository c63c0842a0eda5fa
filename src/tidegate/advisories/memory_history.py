"""`History` in memory, for tests and small tools."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from tidegate.advisories.history import (
    Edition,
    FeedState,
    Known,
    Naming,
    Provenance,
    Said,
    Unreadable,
    changes,
    moved,
    problem_changes,
    sort_key,
)
from tidegate.advisories.listing import (
    PRIORITIES,
    By,
    Listed,
    Listing,
    Page,
    found_in,
    phrases,
    priority_of,
    wording,
)
from tidegate.advisories.statement import Kind, Parsed, Place, Problem, Record, Score, Statement

K = TypeVar("K")
V = TypeVar("V")

Subject = tuple[str, str, tuple[str, str, Place]]


@dataclass(frozen=True, slots=True)
class _Span(Generic[V]):
    value: V
    since: int
    until: int | None = None

    def holds(self, at: int | None) -> bool:
        if at is None:
            return self.until is None
        return self.since <= at and (self.until is None or self.until > at)


class _Spans(Generic[K, V]):
    """For each key, what was so and when, oldest first."""

    def __init__(self, spans: Mapping[K, list[_Span[V]]] | None = None) -> None:
        self._spans = {key: list(of_key) for key, of_key in (spans or {}).items()}

    def copy(self) -> "_Spans[K, V]":
        return _Spans(self._spans)

    def begin(self, key: K, value: V, at: int) -> None:
        self.end(key, at)
        self._spans.setdefault(key, []).append(_Span(value, at))

    def end(self, key: K, at: int) -> None:
        spans = self._spans.get(key)
        if spans and spans[-1].until is None:
            last = spans.pop()
            if last.since < at:  # what began at this very moment was never seen by anybody
                spans.append(replace(last, until=at))

    def revise(self, key: K, value: V) -> None:
        """Another value for the span that is open, as if it had been so from its beginning."""
        spans = self._spans[key]
        spans[-1] = replace(spans[-1], value=value)

    def current(self, key: K) -> _Span[V] | None:
        spans = self._spans.get(key)
        return spans[-1] if spans and spans[-1].until is None else None

    def at(self, moment: int | None) -> Iterator[tuple[K, _Span[V]]]:
        for key, spans in self._spans.items():
            for span in spans:
                if span.holds(moment):
                    yield key, span

    def all(self) -> Iterator[tuple[K, _Span[V]]]:
        for key, spans in self._spans.items():
            for span in spans:
                yield key, span


@dataclass
class _State:
    states: list[FeedState] = field(default_factory=list)
    editions: _Spans[tuple[str, str], tuple[Record, bytes]] = field(default_factory=_Spans)
    statements: _Spans[Subject, Statement] = field(default_factory=_Spans)
    unreadable: _Spans[tuple[str, Problem], Problem] = field(default_factory=_Spans)
    scores: _Spans[str, tuple[Score, Score]] = field(default_factory=_Spans)
    """As the span began, and as it is now."""
    verbatim: dict[bytes, bytes] = field(default_factory=dict)
    wordings: dict[tuple[str, str, bytes], str] = field(default_factory=dict)

    def copy(self) -> "_State":
        return _State(
            list(self.states),
            self.editions.copy(),
            self.statements.copy(),
            self.unreadable.copy(),
            self.scores.copy(),
            dict(self.verbatim),
            dict(self.wordings),
        )


class _Session:
    def __init__(self, state: _State, provenance: Provenance, reader: int) -> None:
        self._state = state
        self._feed = provenance.feed
        self._now = provenance.fetched_at
        self._provenance = provenance
        self._reader = reader
        self._scores = 0
        self.known: Mapping[str, Known] = {
            record: Known(span.value[1], span.value[0].modified)
            for (feed, record), span in state.editions.at(None)
            if feed == self._feed
        }

    def put(self, parsed: Parsed, data: bytes, digest: bytes) -> int:
        record = parsed.record
        self._state.verbatim[digest] = data
        self._state.wordings[self._feed, record.id, digest] = wording(parsed)
        span = self._state.editions.current((self._feed, record.id))
        if span is None or span.value != (record, digest):
            self._state.editions.begin((self._feed, record.id), (record, digest), self._now)
        return self._change(record.id, {one.subject: one for one in parsed.statements})

    def retract(self, records: Iterable[str]) -> int:
        ended = 0
        for record in records:
            self._state.editions.end((self._feed, record), self._now)
            ended += self._change(record, {})
        return ended

    def _change(self, record: str, after: Mapping[tuple[str, str, Place], Statement]) -> int:
        before = {
            key[2]: span.value
            for key, span in self._state.statements.at(None)
            if key[0] == self._feed and key[1] == record
        }
        ended, begun = changes(before, after)
        for subject in ended:
            self._state.statements.end((self._feed, record, subject), self._now)
        for subject, statement in begun:
            self._state.statements.begin((self._feed, record, subject), statement, self._now)
        return len(set(ended).union(subject for subject, _ in begun))

    def rate(self, scores: Iterable[Score]) -> int:
        changed = 0
        standing = {cve for cve, _ in self._state.scores.at(None)}
        for score in scores:
            self._scores += 1
            standing.discard(score.cve)
            span = self._state.scores.current(score.cve)
            if span is None or moved(span.value[0], score):
                self._state.scores.begin(score.cve, (score, score), self._now)
                changed += 1
            else:
                self._state.scores.revise(score.cve, (span.value[0], score))
        for cve in standing:
            self._state.scores.end(cve, self._now)
        return changed + len(standing)

    def close(
        self, problems: Sequence[Problem], *, read: Collection[str], whole: bool, published: int | None = None
    ) -> None:
        if published is not None:
            self._provenance = replace(self._provenance, published=published)
        before = [span.value for (feed, _), span in self._state.unreadable.at(None) if feed == self._feed]
        over, new = problem_changes(before, problems, read, whole=whole)
        for problem in over:
            self._state.unreadable.end((self._feed, problem), self._now)
        for problem in new:
            self._state.unreadable.begin((self._feed, problem), problem, self._now)
        records = sum(1 for (feed, _), _ in self._state.editions.at(None) if feed == self._feed) + self._scores
        unreadable = sum(1 for (feed, _), _ in self._state.unreadable.at(None) if feed == self._feed)
        self._state.states.append(FeedState(self._provenance, self._now, whole, self._reader, records, unreadable))


class MemoryHistory:
    """`History` in dictionaries."""

    def __init__(self) -> None:
        self._state = _State()

    @contextmanager
    def importing(self, provenance: Provenance, *, reader: int) -> Iterator[_Session]:
        state = self._state.copy()
        yield _Session(state, provenance, reader)
        self._state = state

    def confirm(self, provenance: Provenance) -> None:
        last = next(one for one in reversed(self._state.states) if one.provenance.feed == provenance.feed)
        place = self._state.states.index(last)
        self._state.states[place] = replace(last, confirmed_at=max(last.confirmed_at, provenance.fetched_at))

    def feed(self, name: str, as_of: int | None = None) -> FeedState | None:
        for state in reversed(self._state.states):
            if state.provenance.feed == name and (as_of is None or state.provenance.fetched_at <= as_of):
                return state if as_of is None else replace(state, confirmed_at=min(state.confirmed_at, as_of))
        return None

    def feeds(self, as_of: int | None = None) -> tuple[FeedState, ...]:
        names = sorted({state.provenance.feed for state in self._state.states})
        return tuple(state for name in names if (state := self.feed(name, as_of)) is not None)

    def said(self, about: str, as_of: int | None = None) -> tuple[Said, ...]:
        return tuple(sorted((one for one in self._said(as_of) if one.statement.about == about), key=sort_key))

    def said_of(self, package: str, as_of: int | None = None) -> tuple[Said, ...]:
        return tuple(sorted((one for one in self._said(as_of) if one.statement.package == package), key=sort_key))

    def all_said(self, release: str, as_of: int | None = None) -> Iterator[Said]:
        return (one for one in self._said(as_of) if one.statement.place.release == release)

    def spans(self, about: str) -> tuple[Said, ...]:
        found = (_said(key, span) for key, span in self._state.statements.all())
        return tuple(sorted((one for one in found if one.statement.about == about), key=sort_key))

    def _said(self, as_of: int | None) -> Iterator[Said]:
        return (_said(key, span) for key, span in self._state.statements.at(as_of))

    def record(self, feed: str, identity: str, as_of: int | None = None) -> Edition | None:
        for key, span in self._state.editions.at(as_of):
            if key == (feed, identity):
                return Edition(feed, span.value[0], span.value[1], span.since, span.until)
        return None

    def mentions(self, cve: str, as_of: int | None = None) -> tuple[Edition, ...]:
        found = [
            Edition(feed, span.value[0], span.value[1], span.since, span.until)
            for (feed, _), span in self._state.editions.at(as_of)
            if cve in span.value[0].cves
        ]
        return tuple(sorted(found, key=lambda edition: (edition.feed, edition.record.id)))

    def naming(self, cves: Collection[str], kind: Kind, as_of: int | None = None) -> tuple[Naming, ...]:
        found = {
            Naming(cve, one.record.about, one.feed, one.record.published)
            for one in self._editions(as_of)
            if one.record.kind is kind
            for cve in set(cves).intersection(one.record.cves)
        }
        return tuple(sorted(found, key=lambda one: (one.cve, one.about, one.feed)))

    def about(self, name: str, as_of: int | None = None) -> tuple[Edition, ...]:
        found = (one for one in self._editions(as_of) if one.record.about == name)
        return tuple(sorted(found, key=lambda edition: (edition.feed, edition.record.id)))

    def editions(self, feed: str, as_of: int | None = None) -> Iterator[Edition]:
        return (one for one in self._editions(as_of) if one.feed == feed)

    def listed(self, listing: Listing, as_of: int | None = None) -> Page:
        stated = {
            one.statement.about
            for one in self._said(as_of)
            if listing.package in one.statement.package
            and (not listing.releases or one.statement.place.release in listing.releases)
            and (not listing.statuses or one.statement.status in listing.statuses)
        }
        found: dict[str, Listed] = {}
        ranks: dict[str, int] = {}
        for one in self._editions(as_of):
            record = one.record
            if not self._fits(listing, one) or (listing.of_statements and record.about not in stated):
                continue
            earlier = found.get(record.about, Listed(record.about, None, None))
            found[record.about] = Listed(
                record.about, _later(earlier.published, record.published), _later(earlier.modified, record.modified)
            )
            priority = priority_of(record)
            rank = PRIORITIES.index(priority) if priority in PRIORITIES else len(PRIORITIES)
            ranks[record.about] = min(ranks.get(record.about, rank), rank)
        return Page(len(found), _in_order(listing, found, ranks))

    def _fits(self, listing: Listing, edition: Edition) -> bool:
        record = edition.record
        text = self._state.wordings[edition.feed, record.id, edition.digest]
        looked_for = phrases(listing.words)
        return (
            record.kind is listing.kind
            and (not listing.feeds or edition.feed in listing.feeds)
            and (not listing.priorities or priority_of(record) in listing.priorities)
            and (not listing.cves or not set(listing.cves).isdisjoint(record.cves))
            and (not listing.words or (bool(looked_for) and all(found_in(text, phrase) for phrase in looked_for)))
        )

    def _editions(self, as_of: int | None) -> Iterator[Edition]:
        for (feed, _), span in self._state.editions.at(as_of):
            yield Edition(feed, span.value[0], span.value[1], span.since, span.until)

    def verbatim(self, digest: bytes) -> bytes | None:
        return self._state.verbatim.get(digest)

    def unreadable(self, as_of: int | None = None) -> tuple[Unreadable, ...]:
        found = [
            Unreadable(feed, span.value, span.since, span.until) for (feed, _), span in self._state.unreadable.at(as_of)
        ]
        return tuple(sorted(found, key=lambda one: (one.feed, one.problem.record, one.problem.where)))

    def score(self, cve: str, as_of: int | None = None) -> Score | None:
        for key, span in self._state.scores.at(as_of):
            if key == cve:
                return span.value[1] if as_of is None else span.value[0]
        return None


def _said(key: Subject, span: _Span[Statement]) -> Said:
    return Said(key[0], key[1], span.value, span.since, span.until)


def _later(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _in_order(listing: Listing, found: Mapping[str, Listed], ranks: Mapping[str, int]) -> tuple[Listed, ...]:
    def when(one: Listed) -> int | None:
        return one.modified if listing.by is By.MODIFIED else one.published

    named = sorted(found.values(), key=lambda one: one.about, reverse=not listing.oldest_first)
    dated = sorted(named, key=lambda one: when(one) or 0, reverse=not listing.oldest_first)
    placed = sorted(dated, key=lambda one: when(one) is None)
    if listing.by is By.PRIORITY:
        placed.sort(key=lambda one: ranks[one.about])
    return tuple(placed[listing.offset : listing.offset + listing.limit])
