"""What the fleet is to have: the hot set's facts. Durable, and apart from the cache.

A *hold* says that a package is wanted, by whom, and since when: its clients asked for it, hosts have it installed, a
rule's dependencies need it, or a newer version of a wanted package does. A *wish* is a rule that the operator wrote, by
names, patterns or whole pockets; what it matches is decided anew whenever indices change (`holding/hot_set.py`), so
that tomorrow's packages count too.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

USED_MAX = 50_000
"""Packages remembered because clients asked for them; those asked for least lately go first."""
WISHES_MAX = 1_000
REPORTED_MAX = 200_000
"""Packages that hosts have; those on the fewest hosts go first."""
UPGRADES_MAX = 20_000
"""Packages that newer versions were found to need; those found least lately go first."""
PROBLEMS_MAX = 100
"""Of one author; more of them say nothing new."""


class Origin(StrEnum):
    """Who says that a package is wanted."""

    CLIENTS = "clients"
    RULE = "rule"
    NEED = "need"
    INVENTORY = "inventory"
    UPGRADE = "upgrade"


FADING = frozenset({Origin.CLIENTS, Origin.INVENTORY, Origin.UPGRADE})
"""Who has to say it again and again. Rules, and what they need, stand until they are taken back."""


class PackageKey(NamedTuple):
    """A package, whatever its version. An empty suite or component means: wherever the archive lists it; an empty
    archive: whichever does."""

    archive: str
    suite: str
    component: str
    architecture: str
    name: str


class Reported(NamedTuple):
    """A package that hosts have installed. Hosts know their release rather than an archive: `PackageKey("", "bookworm",
    "", "amd64", "nginx")` speaks for all suites of that codename, in every archive; what comes from a vendor's own
    repository is named by that archive and suite. `architecture` as dpkg has it: `amd64`, `all`."""

    key: PackageKey
    hosts: int
    """How many have it."""
    last_reported_at: int
    """When the last of them said so (epoch seconds)."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A package that is wanted. Moments are epoch seconds; `last_used_at` is when that was last said.

    `uses` counts the minutes in which clients asked for it, or the hosts that have it.
    """

    archive: str
    suite: str
    component: str
    architecture: str
    name: str
    origin: Origin
    by: str
    """The rule (RULE and NEED), or the package whose newer version needs it (UPGRADE); else empty."""
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
        match self.origin:
            case Origin.CLIENTS:
                return "asked for by clients"
            case Origin.RULE:
                return wanted_by(self.by)
            case Origin.NEED:
                return f"needed by {self.by}"
            case Origin.INVENTORY:
                hosts = "1 host has" if self.uses == 1 else f"{self.uses:,} hosts have"
                return f"{hosts} it installed, last reported {_utc(self.last_used_at)}"
            case Origin.UPGRADE:
                return f"needed by an upgrade of {self.by}"


def wanted_by(rule: str) -> str:
    """A rule as a reason in words."""
    return f"wanted by {rule}"


def _utc(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


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

    def reported(self, packages: Iterable[Reported], now: int) -> None:
        """This is what all hosts together have, and nothing else; all or nothing. What they had before keeps its
        `since`. Of one key the last counts; without hosts it is none."""
        ...

    def note_upgrade(self, by: str, keys: Iterable[PackageKey], now: int) -> None:
        """A newer version of the package `by` needs these as well, beside what others of its versions needed."""
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
        """Drop what is FADING and was last said before then; returns how many."""
        ...

    def forget_named(self, name: str) -> int:
        """Drop what clients asked for of this name, or an upgrade needs, until they do again; returns how many."""
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


def most_reported(packages: Iterable[Reported]) -> dict[PackageKey, Reported]:
    """What `reported` takes in of these."""
    found = {one.key: one for one in packages}
    wanted = sorted((one for one in found.values() if one.hosts > 0), key=lambda one: (-one.hosts, one.key))
    return {one.key: one for one in wanted[:REPORTED_MAX]}


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
        self._keep_latest(Origin.CLIENTS, USED_MAX)

    def reported(self, packages: Iterable[Reported], now: int) -> None:
        wanted = most_reported(packages)
        self._drop(self._of(Origin.INVENTORY), keep=wanted.keys())
        for key, one in wanted.items():
            known = self._holds.get((key, Origin.INVENTORY, ""))
            since = now if known is None else known.since
            hold = Hold(*key, Origin.INVENTORY, "", since, one.last_reported_at, one.hosts)
            self._holds[key, Origin.INVENTORY, ""] = hold

    def note_upgrade(self, by: str, keys: Iterable[PackageKey], now: int) -> None:
        for key in set(keys):
            known = self._holds.get((key, Origin.UPGRADE, by))
            since, last = (now, now) if known is None else (known.since, max(known.last_used_at, now))
            self._holds[key, Origin.UPGRADE, by] = Hold(*key, Origin.UPGRADE, by, since, last)
        self._keep_latest(Origin.UPGRADE, UPGRADES_MAX)

    def _of(self, *origins: Origin) -> list[Hold]:
        return [one for one in self._holds.values() if one.origin in origins]

    def _keep_latest(self, origin: Origin, count: int) -> None:
        for one in sorted(self._of(origin), key=lambda one: (-one.last_used_at, _order(one)))[count:]:
            del self._holds[one.key, one.origin, one.by]

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
        return self._drop([one for one in self._of(*FADING) if one.last_used_at < before])

    def forget_named(self, name: str) -> int:
        return self._drop([one for one in self._of(Origin.CLIENTS, Origin.UPGRADE) if one.name == name])

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
