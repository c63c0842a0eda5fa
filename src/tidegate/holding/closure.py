"""What has to be held so that the wanted packages can be installed from what is held. Pure.

Theory. What apt does on one host is done here greedily: what is asked for first; what has one solver next, as far as
that goes; then of each choice the first solver that agrees with what is chosen, unless one is chosen already. What
turns out to have no solver is struck off, and the whole is done again without it, until nothing is struck off. There
is no search beyond that: where the first choice that agrees leads to a conflict later on, the conflict is told. The
judge is the real apt (`holding/apt_judge.py`).

A fleet is many hosts. One wants all that is wanted, another a single package of it; and what meets a dependency on the
first may not be there on the second. So the closure holds what each wanted package needs by itself, and of each choice
also the solver that a host takes which has none of them: a hundredth more for a server, a twentieth for a desktop.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tidegate.archive.packages import Package
from tidegate.holding.hot_set import TASK, Place
from tidegate.holding.resolution import AnyHost, Installed, Resolution
from tidegate.holding.universe import Candidate, Universe

APART_MAX = 200
"""Wanted packages that are looked at each by itself; of more, only what each choice would take first."""
ROUNDS_MAX = 100
"""Times that a resolution is done again; each strikes off at least one package, with all that rests on it."""
PROBLEMS_MAX = 1_000
"""Sentences about one closure; what is beyond is counted."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A package that is to be held; `by`: the package that needs it first, empty for what was wanted itself."""

    place: Place
    package: Package
    by: str = ""


@dataclass(frozen=True, slots=True)
class Closure:
    """What to hold, by name; and in sentences what cannot be installed, and what cannot be on one host together."""

    packages: tuple[Needed, ...] = ()
    unmet: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything to tell, what cannot be installed first."""
        return (*self.unmet, *self.conflicts)

    @property
    def size(self) -> int:
        """Bytes of all packages."""
        return sum(one.package.size for one in self.packages)


def closure(
    universe: Universe, wanted: Iterable[str], *, installed: Mapping[str, str] | None = None, recommends: bool = False
) -> Closure:
    """What hosts need that install all of the wanted packages, or any one of them.

    `wanted`: names, `NAME:ARCHITECTURE`, or `NAME^` for a task. `installed`: versions, by name or
    `NAME:ARCHITECTURE`, of what every host has already; it meets dependencies without being held, unless it has to be
    replaced by a newer version. With `recommends` also what is recommended, where it can be installed. What cannot be
    installed is left out, and told.
    """
    names = tuple(dict.fromkeys(wanted))
    hosts = [_resolved(universe, names, installed, recommends, Resolution)]
    if 1 < len(names) <= APART_MAX:
        hosts += [_resolved(universe, (name,), installed, recommends, Resolution) for name in names]
    hosts.append(_resolved(universe, names, installed, recommends, AnyHost))
    packages: dict[tuple[str, str, str], Needed] = {}
    for one in hosts:
        for needed in one.packages:
            packages.setdefault((needed.package.name, needed.package.architecture, needed.package.version), needed)
    unmet = dict.fromkeys(sentence for one in hosts for sentence in one.unmet)
    return Closure(tuple(packages[key] for key in sorted(packages)), _told(unmet), _told(hosts[0].conflicts))


def resolve(
    universe: Universe, wanted: Iterable[str], *, installed: Mapping[str, str] | None = None, recommends: bool = False
) -> Closure:
    """What one host needs that installs all of the wanted packages at once; parameters as of `closure`."""
    found = _resolved(universe, wanted, installed, recommends, Resolution)
    return Closure(found.packages, _told(found.unmet), _told(found.conflicts))


def _resolved(
    universe: Universe,
    wanted: Iterable[str],
    installed: Mapping[str, str] | None,
    recommends: bool,
    kind: type[Resolution],
) -> Closure:
    """One host, with every sentence there is."""
    has = Installed(universe, installed or {})
    names = tuple(_with_tasks(universe, wanted))
    struck: dict[Candidate, str] = {}
    for _ in range(ROUNDS_MAX):
        done = kind(universe, has, struck)
        done.run(names, recommends=recommends)
        if not done.strike():
            break
    chosen = [done.chosen[slot] for slot in sorted(done.chosen)]
    needed = tuple(Needed(one.place, one.package, done.by[one.slot]) for one in chosen if one not in struck)
    unmet = [*done.missing, *done.reasons()]
    if len(needed) < len(chosen):
        unmet.append(f"given up after {ROUNDS_MAX} attempts; what is held may not be all that is needed")
    return Closure(needed, tuple(unmet), tuple(done.conflicts()))


def _with_tasks(universe: Universe, wanted: Iterable[str]) -> Iterator[str]:
    for name in wanted:
        if name.endswith(TASK):
            yield from sorted(universe.task(name.removesuffix(TASK))) or (name,)
        else:
            yield name


def _told(sentences: Collection[str]) -> tuple[str, ...]:
    told = tuple(sentences)
    if len(told) <= PROBLEMS_MAX:
        return told
    return (*told[: PROBLEMS_MAX - 1], f"and {len(told) - PROBLEMS_MAX + 1} more of the kind")
