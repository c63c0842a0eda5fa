"""`Hosts` in dictionaries: what the port means, in the fewest words."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from tidegate.fleet.composition import Composition, Piece, Setting, pieces_of, setting_of
from tidegate.fleet.hosts import HOSTS_MAX, SILENCE_S, TAGS_MAX, HostEntry, TooManyHostsError
from tidegate.fleet.inventory import Inventory


@dataclass
class _Span:
    inventory: Inventory
    reported: bytes
    since: int
    until: int | None = None
    seen: list[int] = field(default_factory=list)

    def holds(self, as_of: int | None) -> bool:
        if as_of is None:
            return self.until is None
        return self.since <= as_of and (self.until is None or as_of < self.until)

    def seen_at(self, as_of: int | None) -> int:
        """The last report; within pauses of SILENCE_S, whatever is asked for."""
        if as_of is None or as_of >= self.seen[-1]:
            return self.seen[-1]
        before = max(at for at in self.seen if at <= as_of)
        after = min(at for at in self.seen if at > as_of)
        return as_of if after - before <= SILENCE_S else before


@dataclass
class _Known:
    number: int
    tags: frozenset[str] = frozenset()
    spans: list[_Span] = field(default_factory=list)

    def at(self, as_of: int | None) -> _Span | None:
        return next((span for span in reversed(self.spans) if span.holds(as_of)), None)


class MemoryHosts:
    """For tests, and for a fleet that is asked about once."""

    def __init__(self, *, hosts_max: int = HOSTS_MAX) -> None:
        self._hosts_max = hosts_max
        self._known: dict[str, _Known] = {}
        self._settings: dict[Setting, int] = {}
        self._pieces: dict[Piece, int] = {}

    def report(self, inventory: Inventory, reported: bytes, tags: Collection[str] | None = None) -> bool:
        _check(tags)
        identity, at = inventory.host.id, inventory.taken_at
        known = self._known.get(identity)
        if known is None:
            if len(self._known) >= self._hosts_max:
                raise TooManyHostsError(f"more than {self._hosts_max:,} hosts")
            known = self._known[identity] = _Known(len(self._known) + 1)
        if tags is not None:
            known.tags = frozenset(tags)
        last = known.at(None)
        if known.spans and at < max(known.spans[-1].seen[-1], known.spans[-1].until or 0):
            return False
        if last is not None and replace(last.inventory, taken_at=0) == replace(inventory, taken_at=0):
            last.seen.append(at)
            last.reported = reported
            return False
        if last is not None:
            last.until = at
            known.spans = [span for span in known.spans if span.until != span.since]
        known.spans.append(_Span(inventory, reported, at, seen=[at]))
        return True

    def confirm(self, host: str, reported: bytes, at: int) -> bool:
        known = self._known.get(host)
        last = known.at(None) if known else None
        if last is None or last.reported != reported:
            return False
        last.seen.append(max(at, last.seen[-1]))
        return True

    def tag(self, host: str, tags: Collection[str]) -> bool:
        _check(tags)
        known = self._known.get(host)
        if known is None or known.at(None) is None:
            return False
        known.tags = frozenset(tags)
        return True

    def remove(self, host: str, at: int) -> bool:
        known = self._known.get(host)
        last = known.at(None) if known else None
        if known is None or last is None:
            return False
        last.until = max(at, last.since)
        known.spans = [span for span in known.spans if span.until != span.since]
        return True

    def entry(self, host: str, as_of: int | None = None) -> HostEntry | None:
        known = self._known.get(host)
        span = known.at(as_of) if known else None
        return None if known is None or span is None else _entry(known, span, as_of)

    def named(self, name: str, as_of: int | None = None) -> tuple[HostEntry, ...]:
        found = [one for one in self.entries(as_of) if name in (one.host.id, one.host.name)]
        return tuple(sorted(found, key=lambda one: one.host.id))

    def numbered(self, numbers: Collection[int], as_of: int | None = None) -> tuple[HostEntry, ...]:
        return tuple(one for one in self.entries(as_of) if one.number in numbers)

    def entries(self, as_of: int | None = None) -> Iterator[HostEntry]:
        for known in sorted(self._known.values(), key=lambda one: one.number):
            span = known.at(as_of)
            if span is not None:
                yield _entry(known, span, as_of)

    def inventory(self, host: str, as_of: int | None = None) -> Inventory | None:
        known = self._known.get(host)
        span = known.at(as_of) if known else None
        return None if span is None else replace(span.inventory, taken_at=span.seen_at(as_of))

    def composition(self, host: str) -> Composition | None:
        known = self._known.get(host)
        span = known.at(None) if known else None
        return None if known is None or span is None else self._composed(known, span)

    def compositions(self, as_of: int | None = None) -> Iterator[tuple[Composition, int]]:
        for known in self._known.values():
            span = known.at(as_of)
            if span is not None:
                yield self._composed(known, span), span.seen_at(as_of)

    def settings(self, numbers: Collection[int]) -> dict[int, Setting]:
        by_number = {number: setting for setting, number in self._settings.items()}
        return {number: by_number[number] for number in numbers}

    def pieces(self, numbers: Collection[int]) -> dict[int, Piece]:
        by_number = {number: piece for piece, number in self._pieces.items()}
        return {number: by_number[number] for number in numbers}

    def _composed(self, known: _Known, span: _Span) -> Composition:
        setting = self._settings.setdefault(setting_of(span.inventory), len(self._settings) + 1)
        pieces = pieces_of(span.inventory.packages)
        return Composition(
            known.number, setting, sorted(self._pieces.setdefault(one, len(self._pieces) + 1) for one in pieces)
        )


def _check(tags: Collection[str] | None) -> None:
    if tags is not None and len(set(tags)) > TAGS_MAX:
        raise ValueError(f"more than {TAGS_MAX} tags")


def _entry(known: _Known, span: _Span, as_of: int | None) -> HostEntry:
    found = span.inventory
    return HostEntry(
        known.number, found.host, found.form, span.seen_at(as_of), span.since, len(found.packages), span.reported,
        known.tags,
    )  # fmt: skip
