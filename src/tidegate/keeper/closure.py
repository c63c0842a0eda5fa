"""What has to be held so that the wanted packages can be installed from what is held. Pure.

Theory. What apt does on one host is done here greedily: what is asked for first; what has one solver next, as far as
that goes; then of each choice the first solver that agrees with what is chosen, unless one is chosen already. What
turns out to have no solver is struck off, and the whole is done again without it, until nothing is struck off. There
is no search beyond that: where the first choice that agrees leads to a conflict later on, the conflict is told. The
judge is the real apt (`keeper/apt_judge.py`).

A fleet is many hosts. One wants all that is wanted, another a single package of it; and what meets a dependency on the
first may not be there on the second. So the closure holds what each wanted package needs by itself, and of each choice
also the solver that a host takes which has none of them: a hundredth more for a server, a twentieth for a desktop.
"""

import contextlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tidegate.archive.dependencies import Alternatives, Relation, allows, written
from tidegate.archive.errors import FormatError
from tidegate.archive.packages import Package
from tidegate.archive.versions import version_key
from tidegate.keeper.hot_set import TASK, Place
from tidegate.keeper.universe import Candidate, Universe

APART_MAX = 200
"""Wanted packages that are looked at each by itself; of more, only what each choice would take first."""
ROUNDS_MAX = 100
"""Times that a resolution is done again; each strikes off at least one package, with all that rests on it."""
PROBLEMS_MAX = 1_000
"""Sentences about one closure; what is beyond is counted."""
REASON_CHARS_MAX = 600
"""One thing rests on another, and that on a third; who reads so far has seen enough."""
LISTED_MAX = 5
"""Names or versions in one sentence."""

_Key = tuple[str, str]
"""Name and architecture: one version of it is chosen."""


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
    hosts = [_resolved(universe, names, installed, recommends, _Resolution)]
    if 1 < len(names) <= APART_MAX:
        hosts += [_resolved(universe, (name,), installed, recommends, _Resolution) for name in names]
    hosts.append(_resolved(universe, names, installed, recommends, _AnyHost))
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
    found = _resolved(universe, wanted, installed, recommends, _Resolution)
    return Closure(found.packages, _told(found.unmet), _told(found.conflicts))


def _resolved(
    universe: Universe,
    wanted: Iterable[str],
    installed: Mapping[str, str] | None,
    recommends: bool,
    kind: type["_Resolution"],
) -> Closure:
    """One host, with every sentence there is."""
    has = _Installed(universe, installed or {})
    names = tuple(_with_tasks(universe, wanted))
    struck: dict[Candidate, str] = {}
    for _ in range(ROUNDS_MAX):
        done = kind(universe, has, struck)
        done.run(names, recommends=recommends)
        if not done.strike():
            break
    packages = sorted(done.chosen.values(), key=lambda one: (one.package.name, one.architecture))
    needed = tuple(Needed(one.place, one.package, done.by[_key(one)]) for one in packages)
    return Closure(needed, (*done.missing, *done.reasons()), tuple(done.conflicts()))


class _Installed:
    """What hosts have before anything is installed."""

    def __init__(self, universe: Universe, versions: Mapping[str, str]) -> None:
        self._native = universe.architectures[0]
        self.keys: dict[_Key, bytes] = {}
        for name, version in versions.items():
            own, _, architecture = name.partition(":")
            with contextlib.suppress(FormatError):  # no version of dpkg's: it meets nothing
                self.keys[own, architecture or self._native] = version_key(version)

    def meets(self, relation: Relation, solvers: Iterable[Candidate]) -> bool:
        """Itself, or as a package whose candidate meets it by what it provides."""
        architecture = relation.qualifier if relation.qualifier not in ("", "any", "native") else self._native
        key = self.keys.get((relation.name, architecture))
        if key is not None and allows(relation, key):
            return True
        return any(one.name != relation.name and _key(one) in self.keys for one in solvers)


class _Resolution:
    """One host's choices, in one pass, without what was struck off."""

    def __init__(self, universe: Universe, installed: _Installed, struck: dict[Candidate, str]) -> None:
        self._universe = universe
        self._installed = installed
        self._struck = struck
        self.chosen: dict[_Key, Candidate] = {}
        self.by: dict[_Key, str] = {}
        self.missing: dict[str, None] = {}
        self._wanted: list[Candidate] = []
        self._new: list[Candidate] = []
        self._choices: deque[tuple[Candidate, Alternatives]] = deque()
        self._recommended: deque[tuple[Candidate, Alternatives]] = deque()
        self._present: dict[str, list[tuple[bytes | None, Candidate]]] = {}
        self._excluded: dict[str, list[tuple[Relation, Candidate]]] = {}

    def run(self, names: Iterable[str], *, recommends: bool) -> None:
        for name in names:
            self._want(name)
        while True:
            if self._new:
                self._follow(self._new.pop(), recommends=recommends)
            elif self._choices:
                self._choose(*self._choices.popleft())
            elif self._recommended:
                self._take_recommended(*self._recommended.popleft())
            else:
                break

    # What can be chosen

    def _want(self, name: str) -> None:
        own, _, architecture = name.partition(":")
        architectures = (architecture,) if architecture else self._universe.architectures
        found = [one for each in architectures if (one := self._universe.candidate(own, each)) is not None]
        if not found:
            found = self._only_provider(own, architectures[0])
        if not found:
            self.missing[_not_listed(self._universe, own, architectures[0])] = None
            return
        self._wanted.append(found[0])
        if found[0] not in self._struck:
            self._add(found[0], "")

    def _only_provider(self, name: str, architecture: str) -> list[Candidate]:
        """As apt does: one provider is meant, several have to be named."""
        providers = list(self._universe.solvers(Relation(name, "", "", "", b""), architecture))
        return providers if len(providers) == 1 else []

    def _solvers(self, candidate: Candidate, alternatives: Alternatives) -> list[Candidate]:
        """Every package that meets a dependency and can be installed, the preferred one first."""
        found = (one for relation in alternatives for one in self._universe.solvers(relation, candidate.architecture))
        return [one for one in dict.fromkeys(found) if one not in self._struck]

    def _met(self, candidate: Candidate, alternatives: Alternatives) -> bool:
        for relation in alternatives:
            solvers = self._universe.solvers(relation, candidate.architecture)
            if any(self.chosen.get(_key(one)) is one for one in solvers):
                return True
            if self._installed.keys and self._installed.meets(relation, solvers):
                return True
        return False

    # Choosing

    def _add(self, candidate: Candidate, by: str) -> None:
        key = _key(candidate)
        if key in self.chosen:
            return
        self.chosen[key] = candidate
        self.by[key] = by
        self._new.append(candidate)
        for name, version in _names(candidate):
            self._present.setdefault(name, []).append((version, candidate))
        for relation in candidate.conflicts:
            self._excluded.setdefault(relation.name, []).append((relation, candidate))
            self._replace(relation, candidate)

    def _replace(self, relation: Relation, by: Candidate) -> None:
        """An installed version that the newcomer breaks gives way to its candidate, as apt does it."""
        for architecture in self._universe.architectures:
            key = self._installed.keys.get((relation.name, architecture))
            if key is not None and relation.name != by.name and allows(relation, key):
                newer = self._universe.candidate(relation.name, architecture)
                if newer is not None and not allows(relation, newer.key) and newer not in self._struck:
                    self._add(newer, by.name)

    def _follow(self, candidate: Candidate, *, recommends: bool) -> None:
        for alternatives in candidate.depends:
            if self._met(candidate, alternatives):
                continue
            solvers = self._solvers(candidate, alternatives)
            if len(solvers) == 1:
                self._add(solvers[0], candidate.name)
            elif solvers:
                self._choices.append((candidate, alternatives))
        if recommends:
            self._recommended.extend((candidate, alternatives) for alternatives in candidate.recommends)

    def _choose(self, candidate: Candidate, alternatives: Alternatives) -> None:
        if not self._met(candidate, alternatives):
            solvers = self._solvers(candidate, alternatives)
            agreeing = (one for one in solvers if not any(self._against(one)))
            self._add(next(agreeing, solvers[0]), candidate.name)

    def _take_recommended(self, candidate: Candidate, alternatives: Alternatives) -> None:
        if not self._met(candidate, alternatives):
            solvers = self._solvers(candidate, alternatives)
            agreeing = (one for one in solvers if not any(self._against(one)))
            if (one := next(agreeing, None)) is not None:
                self._add(one, candidate.name)

    # Conflicts

    def _against(self, candidate: Candidate) -> Iterator[str]:
        """Who of the chosen cannot be beside it, in sentences."""
        for name, version in _names(candidate):
            for relation, other in self._excluded.get(name, ()):
                if _ruled_out(relation, other, version, candidate):
                    yield _together_no(other, candidate, f"{other.name} rules out {relation}")
        for relation in candidate.conflicts:
            for version, other in self._present.get(relation.name, ()):
                if _ruled_out(relation, candidate, version, other):
                    yield _together_no(candidate, other, f"{candidate.name} rules out {relation}")
        for architecture in self._universe.architectures:
            twin = self.chosen.get((candidate.name, architecture), candidate)
            if twin is not candidate and not _beside(candidate, twin):
                first, second = sorted((candidate, twin), key=lambda one: one.architecture)
                who = f"for {first.architecture} and for {second.architecture}"
                yield _together_no(first, second, f"{who}, which takes one version and Multi-Arch: same in both")

    def conflicts(self) -> dict[str, None]:
        """What was chosen all the same, and cannot be together, in sentences."""
        return {told: None for candidate in self.chosen.values() for told in self._against(candidate)}

    # What cannot be installed

    def strike(self) -> bool:
        """Strike off what cannot be installed, and whatever rests on that alone; whether there was any."""
        before = len(self._struck)
        rest: dict[Candidate, list[Candidate]] = {}
        for candidate in self.chosen.values():
            for alternatives in candidate.depends:
                for solver in self._solvers(candidate, alternatives):
                    rest.setdefault(solver, []).append(candidate)
        doubtful = list(self.chosen.values())
        while doubtful:
            candidate = doubtful.pop()
            if candidate not in self._struck and (reason := self._obstacle(candidate)):
                few = reason[:REASON_CHARS_MAX]
                self._struck[candidate] = reason if few == reason else f"{few}…"
                doubtful += rest.get(candidate, ())
        return len(self._struck) > before

    def _obstacle(self, candidate: Candidate) -> str:
        """Why a package cannot be installed; empty if it can."""
        if candidate.flaw:
            return f"what it says of other packages cannot be read: {candidate.flaw}"
        for alternatives in candidate.depends:
            if not self._solvers(candidate, alternatives) and not self._met_by_installed(candidate, alternatives):
                return f"it depends on {written(alternatives)}, {self._instead(candidate, alternatives)}"
        return ""

    def _met_by_installed(self, candidate: Candidate, alternatives: Alternatives) -> bool:
        return any(
            self._installed.meets(relation, self._universe.solvers(relation, candidate.architecture))
            for relation in alternatives
        )

    def _instead(self, candidate: Candidate, alternatives: Alternatives) -> str:
        """What there is in the place of what is needed."""
        for relation in alternatives:
            for one in self._universe.solvers(relation, candidate.architecture):
                return f"and {one} cannot be installed: {self._struck.get(one, '')}"
        listed = [
            f"{one.name} {one.package.version} ({one.place.suite})"
            for relation in alternatives
            for one in self._universe.versions(relation.name)
        ]
        return f"but there is only {_some(listed)}" if listed else "which nothing listed is or provides"

    def reasons(self) -> Iterator[str]:
        """Why what was wanted is not there."""
        for candidate in self._wanted:
            if (reason := self._struck.get(candidate)) is not None:
                yield f"{candidate} cannot be installed: {reason}"


class _AnyHost(_Resolution):
    """Of each choice the first solver, whatever else is chosen: what a host takes that has none of them."""

    def _met(self, candidate: Candidate, alternatives: Alternatives) -> bool:
        if self._installed.keys and self._met_by_installed(candidate, alternatives):
            return True
        solvers = self._solvers(candidate, alternatives)
        return bool(solvers) and self.chosen.get(_key(solvers[0])) is solvers[0]

    def _choose(self, candidate: Candidate, alternatives: Alternatives) -> None:
        if not self._met(candidate, alternatives):
            self._add(self._solvers(candidate, alternatives)[0], candidate.name)


def _ruled_out(relation: Relation, by: Candidate, version: bytes | None, other: Candidate) -> bool:
    """Whether a Conflicts or Breaks means another package, under a name that it has in this version."""
    if other.name == by.name or not allows(relation, version):
        return False  # nobody rules out itself (policy 7.4), nor itself of another architecture
    return relation.qualifier in ("", "any", "native", other.architecture)


def _beside(one: Candidate, twin: Candidate) -> bool:
    return one.multi_arch == twin.multi_arch == "same" and one.key == twin.key


def _together_no(one: Candidate, other: Candidate, why: str) -> str:
    return f"{one} and {other} cannot be on one host: {why}"


def _key(candidate: Candidate) -> _Key:
    return candidate.name, candidate.architecture


def _names(candidate: Candidate) -> Iterator[tuple[str, bytes | None]]:
    """Under which names a package is there, each with the version's key it has under it."""
    yield candidate.name, candidate.key
    for provided in candidate.provides:
        if provided.name != candidate.name:
            yield provided.name, provided.key if provided.operator else None


def _with_tasks(universe: Universe, wanted: Iterable[str]) -> Iterator[str]:
    for name in wanted:
        if name.endswith(TASK):
            yield from sorted(universe.task(name.removesuffix(TASK))) or (name,)
        else:
            yield name


def _not_listed(universe: Universe, name: str, architecture: str) -> str:
    if name.endswith(TASK):
        return f"{name}: no package that is listed belongs to this task"
    providers = [one.name for one in universe.solvers(Relation(name, "", "", "", b""), architecture)]
    if providers:
        return f"{name}: several packages provide it, one has to be named: {_some(providers)}"
    return f"{name}: not listed for {architecture} in any of {len(universe.indices)} indices"


def _some(names: Collection[str]) -> str:
    few = list(dict.fromkeys(names))
    more = f" and {len(few) - LISTED_MAX} more" if len(few) > LISTED_MAX else ""
    return ", ".join(few[:LISTED_MAX]) + more


def _told(sentences: Collection[str]) -> tuple[str, ...]:
    told = tuple(sentences)
    if len(told) <= PROBLEMS_MAX:
        return told
    return (*told[: PROBLEMS_MAX - 1], f"and {len(told) - PROBLEMS_MAX + 1} more of the kind")
