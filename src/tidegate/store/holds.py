"""What the fleet is to have: the hot set's facts. Durable, and apart from the cache.

A *hold* says that a package is wanted, by whom, and since when: its clients asked for it, a host has it installed, a
rule's dependencies need it. A *wish* is a rule that the operator wrote, by names, patterns or whole pockets; what it
matches is decided anew whenever indices change (`holding/hot_set.py`), so that tomorrow's packages count too.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Protocol

USED_MAX = 50_000
"""Packages remembered because clients asked for them; those asked for least lately go first."""
WISHES_MAX = 1_000
PROBLEMS_MAX = 100
"""Of one author; more of them say nothing new."""


class Origin(StrEnum):
    """Who says that a package is wanted."""

    CLIENTS = "clients"
    RULE = "rule"
    NEED = "need"
    INVENTORY = "inventory"


class PackageKey(NamedTuple):
    """A package, whatever its version. An empty suite or component means: wherever the archive lists it."""

    archive: str
    suite: str
    component: str
    architecture: str
    name: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A package that is wanted. Moments are epoch seconds; `uses` counts the minutes in which it was asked for."""

    archive: str
    suite: str
    component: str
    architecture: str
    name: str
    origin: Origin
    by: str
    """The rule (origins RULE and NEED) or the host (INVENTORY); empty for clients."""
    since: int
    last_used_at: int
    uses: int = 1

    @property
    def key(self) -> PackageKey:
        """The package."""
        return PackageKey(self.archive, self.suite, self.component, self.architecture, self.name)

    @property
    def why(self) -> str:
        """The reason in words."""
        return why_of(self.origin, self.by)


def why_of(origin: Origin, by: str) -> str:
    """A reason in words."""
    match origin:
        case Origin.CLIENTS:
            return "asked for by clients"
        case Origin.RULE:
            return f"wanted by {by}"
        case Origin.NEED:
            return f"needed by {by}"
        case Origin.INVENTORY:
            return f"inventory of {by}"


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule of the operator's. Empty fields narrow nothing down; without patterns everything there is wanted."""

    name: str
    patterns: tuple[str, ...] = ()
    """Names of packages; `*`, `?` and `[…]` as in a shell; `NAME^` is a task."""
    archive: str = ""
    suite: str = ""
    component: str = ""
    architecture: str = ""
    closure: bool = False
    """What they depend on, too."""
    recommends: bool = False
    """And what all of these recommend."""
    since: int = 0


class Holds(Protocol):
    """Every implementation passes tests/store/holds_contract.py. Whatever writes raises OSError where it cannot."""

    def note_used(self, keys: Iterable[PackageKey], now: int) -> None:
        """Clients asked for these. `last_used_at` never falls, whatever the clock does."""
        ...

    def replace(
        self, origin: Origin, by: str, keys: Iterable[PackageKey], now: int, problems: Sequence[str] = ()
    ) -> None:
        """From now on this author wants these and no others; all or nothing. What it wanted before keeps its `since`.

        `problems`: what the author wants and cannot have, in sentences.
        """
        ...

    def problems(self, origin: Origin, by: str) -> tuple[str, ...]:
        """What was said with the author's last `replace`."""
        ...

    def all(self) -> tuple[Hold, ...]:
        """Every hold, by name, then by the other fields. Not for an event loop."""
        ...

    def named(self, name: str) -> tuple[Hold, ...]:
        """Those of one package, in the order of `all`."""
        ...

    def forget(self, before: int) -> int:
        """Drop what clients last asked for before then; returns how many."""
        ...

    def forget_named(self, name: str) -> int:
        """Drop what clients asked for of this name, until they ask again; returns how many."""
        ...

    def wish(self, wish: Wish) -> None:
        """Add a rule, or put it in the place of the one of its name. Raises OSError when there are WISHES_MAX."""
        ...

    def unwish(self, name: str) -> bool:
        """Drop a rule and all it needed; false when there is none of this name."""
        ...

    def wishes(self) -> tuple[Wish, ...]:
        """Every rule, by name."""
        ...


def too_many_wishes() -> OSError:
    """What `wish` raises."""
    return OSError(f"there are {WISHES_MAX} rules already; remove some first")


@dataclass(slots=True)
class MemoryHolds:
    """`Holds` in dictionaries."""

    _holds: dict[tuple[PackageKey, Origin, str], Hold] = field(default_factory=dict)
    _wishes: dict[str, Wish] = field(default_factory=dict)
    _problems: dict[tuple[Origin, str], tuple[str, ...]] = field(default_factory=dict)

    def note_used(self, keys: Iterable[PackageKey], now: int) -> None:
        for key in set(keys):
            known = self._holds.get((key, Origin.CLIENTS, ""))
            if known is None:
                self._holds[key, Origin.CLIENTS, ""] = Hold(*key, Origin.CLIENTS, "", now, now)
            else:
                later = max(known.last_used_at, now)
                self._holds[key, Origin.CLIENTS, ""] = replace(known, last_used_at=later, uses=known.uses + 1)
        for one in sorted(self._used(), key=lambda one: (-one.last_used_at, _order(one)))[USED_MAX:]:
            del self._holds[one.key, one.origin, one.by]

    def _used(self) -> list[Hold]:
        return [one for one in self._holds.values() if one.origin is Origin.CLIENTS]

    def replace(
        self, origin: Origin, by: str, keys: Iterable[PackageKey], now: int, problems: Sequence[str] = ()
    ) -> None:
        wanted = set(keys)
        self._drop([one for one in self._holds.values() if (one.origin, one.by) == (origin, by)], keep=wanted)
        for key in wanted:
            known = self._holds.get((key, origin, by))
            since = now if known is None else known.since
            self._holds[key, origin, by] = Hold(*key, origin, by, since, now)
        self._problems[origin, by] = tuple(problems)[:PROBLEMS_MAX]

    def problems(self, origin: Origin, by: str) -> tuple[str, ...]:
        return self._problems.get((origin, by), ())

    def all(self) -> tuple[Hold, ...]:
        return tuple(sorted(self._holds.values(), key=_order))

    def named(self, name: str) -> tuple[Hold, ...]:
        return tuple(one for one in self.all() if one.name == name)

    def forget(self, before: int) -> int:
        return self._drop([one for one in self._used() if one.last_used_at < before])

    def forget_named(self, name: str) -> int:
        return self._drop([one for one in self._used() if one.name == name])

    def _drop(self, holds: Sequence[Hold], keep: Collection[PackageKey] = ()) -> int:
        gone = [one for one in holds if one.key not in keep]
        for one in gone:
            del self._holds[one.key, one.origin, one.by]
        return len(gone)

    def wish(self, wish: Wish) -> None:
        if wish.name not in self._wishes and len(self._wishes) >= WISHES_MAX:
            raise too_many_wishes()
        self._wishes[wish.name] = wish

    def unwish(self, name: str) -> bool:
        self._drop([one for one in self._holds.values() if one.by == name and one.origin in (Origin.RULE, Origin.NEED)])
        for origin in (Origin.RULE, Origin.NEED):
            self._problems.pop((origin, name), None)
        return self._wishes.pop(name, None) is not None

    def wishes(self) -> tuple[Wish, ...]:
        return tuple(self._wishes[name] for name in sorted(self._wishes))


def _order(hold: Hold) -> tuple[str, ...]:
    return (hold.name, hold.archive, hold.suite, hold.component, hold.architecture, hold.origin, hold.by)
