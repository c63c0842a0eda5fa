"""A feed comes in: only what changed is read, what is unreadable spoils nothing, what vanished is retracted."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tidegate.advisories import epss
from tidegate.advisories.feeds import EPSS, Feed
from tidegate.advisories.history import FeedState, History, Provenance, Session
from tidegate.advisories.statement import Parsed, Piece, Problem, Score
from tidegate.archive.errors import FormatError

VANISHED_SHARE_MAX = 0.1
VANISHED_ALWAYS = 100
"""A feed may lose so many records at once; more, and more than the share of all, is a torn feed and no retraction."""
PROBLEMS_MAX = 10_000
"""Unreadable records in one import; more is another format, or no feed at all."""
EPSS_READER = 1
CLOCK_SKEW_MAX_S = 24 * 3600
"""By so much a publisher's clock, or the zone it forgot to write, may be before ours."""
NAME_CHARS_MAX = 256
"""Of a piece's name, where it is shown."""

_NAMED = re.compile(r"[A-Z]+-[0-9A-Z-]+")


class NotTakenInError(Exception):
    """A feed that is not taken in as a whole; what was known before stands. The message says why."""


class OlderFeedError(NotTakenInError):
    """It is older than what is known: its source is behind, which is no lie."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What an import did. `unchanged`: the feed is what it was, and nothing was written but that."""

    unchanged: bool = False
    seen: int = 0
    read: int = 0
    retracted: int = 0
    statements_changed: int = 0
    problems: tuple[Problem, ...] = ()


def take_in(
    history: History,
    feed: Feed,
    pieces: Iterable[Piece | Problem],
    provenance: Provenance,
    *,
    whole: bool = True,
    may_vanish: bool = False,
) -> TakenIn:
    """Bring a feed's records into the history, in one transaction.

    `whole`: these are all of the feed's records, so that others are retracted; a record that cannot be read is not.
    `may_vanish` lets any number vanish. Raises NotTakenInError where the feed is older than what is known, torn, or
    has nothing to read; FormatError and OSError from `pieces`; OSError from the history.
    """
    state = history.feed(provenance.feed)
    if _is_known(state, provenance, reader=feed.reader, whole=whole):
        history.confirm(provenance)
        return TakenIn(unchanged=True)
    with history.importing(provenance, reader=feed.reader) as session:
        changed_reader = state is not None and state.reader != feed.reader
        reading = _Reading(feed, session, read_all=changed_reader, latest=provenance.fetched_at + CLOCK_SKEW_MAX_S)
        for piece in pieces:
            reading.take(piece)
        if whole and not reading.seen:
            raise NotTakenInError(f"{provenance.origin}: not one record that can be read{_first(reading.problems)}")
        gone = reading.gone() if whole else ()
        if not may_vanish:
            _refuse_torn(len(gone), len(session.known), provenance)
            _refuse_older(reading.newest, state, provenance, whole=whole)
        changed = reading.changed + session.retract(gone)
        published = reading.newest if provenance.published is None else None
        session.close(reading.unreadable, read=reading.seen.keys(), whole=whole, published=published)
    return TakenIn(
        seen=len(reading.seen),
        read=reading.read,
        retracted=len(gone),
        statements_changed=changed,
        problems=tuple(reading.problems),
    )


def take_in_scores(
    history: History, lines: Iterable[bytes], provenance: Provenance, *, may_vanish: bool = False
) -> TakenIn:
    """Bring EPSS's scores in, all of them. Raises as `take_in` does."""
    state = history.feed(EPSS)
    if _is_known(state, provenance, reader=EPSS_READER, whole=True):
        history.confirm(provenance)
        return TakenIn(unchanged=True)
    problems: list[Problem] = []
    scores: dict[str, Score] = {}
    for found in epss.parse(lines):
        if isinstance(found, Problem):
            _note(problems, found)
        else:
            scores[found.cve] = found
    if not scores:
        raise NotTakenInError(f"{provenance.origin}: not one score that can be read{_first(problems)}")
    if state is not None and not may_vanish:
        _refuse_torn(state.records - len(scores), state.records, provenance)
    with history.importing(provenance, reader=EPSS_READER) as session:
        changed = session.rate(scores.values())
        session.close(problems, read=scores.keys(), whole=True)
    return TakenIn(seen=len(scores), read=len(scores), statements_changed=changed, problems=tuple(problems))


def _is_known(state: FeedState | None, provenance: Provenance, *, reader: int, whole: bool) -> bool:
    """Whether these very bytes were the last that was taken in. Raises NotTakenInError for older ones."""
    if state is None:
        return False
    last = state.provenance
    if provenance.fetched_at < max(last.fetched_at, state.confirmed_at):
        raise OlderFeedError(f"{provenance.origin}: fetched before what is known already")
    if whole and provenance.published and last.published and provenance.published < last.published:
        raise OlderFeedError(f"{provenance.origin}: published before what is known already")
    return whole and state.whole and state.reader == reader and last.digest == provenance.digest


def _refuse_torn(gone: int, known: int, provenance: Provenance) -> None:
    if gone > VANISHED_ALWAYS and gone > known * VANISHED_SHARE_MAX:
        raise NotTakenInError(f"{provenance.origin}: {gone} of {known} records are gone; taken for torn")


def _refuse_older(newest: int | None, state: FeedState | None, provenance: Provenance, *, whole: bool) -> None:
    """By its newest record, where its publisher gives the feed itself no date."""
    last = state.provenance.published if state is not None and state.whole else None
    if whole and provenance.published is None and newest is not None and last is not None and newest < last:
        raise OlderFeedError(f"{provenance.origin}: its newest record is older than what is known already")


def _first(problems: list[Problem]) -> str:
    return f"; the first: {problems[0]}" if problems else ""


def _note(problems: list[Problem], problem: Problem) -> None:
    problems.append(problem)
    if len(problems) > PROBLEMS_MAX:
        raise NotTakenInError(f"more than {PROBLEMS_MAX} records that cannot be read{_first(problems)}")


@dataclass
class _Reading:
    """One import, piece by piece."""

    feed: Feed
    session: Session
    read_all: bool
    """The reader changed, so what has not changed is read too."""
    latest: int
    """No record can be younger (epoch seconds)."""
    seen: dict[str, bytes] = field(default_factory=dict)
    """The records that were there, with the digest of their bytes."""
    problems: list[Problem] = field(default_factory=list)
    unreadable: list[Problem] = field(default_factory=list)
    read: int = 0
    changed: int = 0
    newest: int | None = None
    """When the newest of these records was last modified; a date in the future is nobody's."""

    def __post_init__(self) -> None:
        self._modified: dict[str, int | None] = {name: one.modified for name, one in self.session.known.items()}
        self._by_digest = (
            {} if self.feed.named_by_piece else {one.digest: name for name, one in self.session.known.items()}
        )

    def take(self, piece: Piece | Problem) -> None:
        if isinstance(piece, Problem):
            where = _shown(piece.where)
            self._unreadable(Problem(_shown(piece.record) or _named(where), where, piece.what))
            return
        digest = hashlib.sha256(piece.data).digest()
        name = self._same(piece, digest)
        if name is not None:
            self.seen[name] = digest
            self._dated(self._modified.get(name))
            return
        try:
            parsed = self.feed.parse(piece.data, piece.name)
        except FormatError as error:
            name = _shown(piece.name)
            where = f"{name}: {error.where}" if error.where else name
            self._unreadable(Problem(name if self.feed.named_by_piece else _named(name), where, error.what))
            return
        self._put(parsed, piece, digest)

    def gone(self) -> tuple[str, ...]:
        """The records that were known and are not there; none, where one is there whose very name cannot be read."""
        if any(not problem.record for problem in self.unreadable):
            return ()
        unreadable = {problem.record for problem in self.unreadable}
        return tuple(name for name in self.session.known if name not in self.seen and name not in unreadable)

    def _same(self, piece: Piece, digest: bytes) -> str | None:
        """The record that these bytes are already known to be."""
        if self.read_all:
            return None
        if not self.feed.named_by_piece:
            name = self._by_digest.get(digest)
            return None if name in self.seen else name
        known = self.session.known.get(piece.name)
        return piece.name if known and known.digest == digest and piece.name not in self.seen else None

    def _put(self, parsed: Parsed, piece: Piece, digest: bytes) -> None:
        name, modified = parsed.record.id, parsed.record.modified
        earlier, twice = self._modified.get(name), name in self.seen
        if self.seen.get(name) == digest:
            return
        if twice:
            _note(self.problems, Problem(name, _shown(piece.name), "there twice, with different content"))
        older = modified is not None and earlier is not None and modified < earlier
        if older and not twice:
            _note(self.problems, Problem(name, _shown(piece.name), "older than what is known of it"))
        self.seen.setdefault(name, digest)
        self._dated(modified)
        if older:
            return
        self.seen[name] = digest
        self._modified[name] = modified
        self.read += 1
        self.changed += self.session.put(parsed, piece.data, digest)

    def _dated(self, modified: int | None) -> None:
        if modified is not None and modified <= self.latest and (self.newest is None or modified > self.newest):
            self.newest = modified

    def _unreadable(self, problem: Problem) -> None:
        _note(self.problems, problem)
        self.unreadable.append(problem)


def _shown(name: str) -> str:
    """A piece's name for people: such as an honest feed has, unchanged."""
    return ascii(name[:NAME_CHARS_MAX])[1:-1]


def _named(path: str) -> str:
    """The record that a file is named after, empty if it is not named after one."""
    stem = PurePosixPath(path).name.partition(".")[0]
    return stem if _NAMED.fullmatch(stem) else ""


def epss_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of EPSS's file, of which one that is too long is cut, and then refused by its columns."""
    left = b""
    for chunk in chunks:
        *ended, left = (left + chunk).split(b"\n")
        yield from ended
        left = left[: epss.LINE_BYTES_MAX + 1]
    if left:
        yield left
