"""One host's choices: greedily, as apt makes them, without what cannot be installed. Pure; see `holding/closure.py`."""

import contextlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping

from tidegate.archive.dependencies import Alternatives, Relation, allows, written
from tidegate.archive.errors import FormatError
from tidegate.archive.versions import version_key
from tidegate.holding.hot_set import TASK
from tidegate.holding.universe import Candidate, Slot, Universe

REASON_CHARS_MAX = 600
"""One thing rests on another, and that on a third; who reads so far has seen enough."""
LISTED_MAX = 5
"""Names or versions in one sentence."""


class Installed:
    """What hosts have before anything is installed."""

    def __init__(self, universe: Universe, versions: Mapping[str, str]) -> None:
        self._native = universe.architectures[0]
        self.keys: dict[Slot, bytes] = {}
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
        return any(one.name != relation.name and one.slot in self.keys for one in solvers)


class Resolution:
    """One host's choices, in one pass: what is chosen, by whom first, and what was wanted and is not listed."""

    def __init__(self, universe: Universe, installed: Installed, struck: dict[Candidate, str]) -> None:
        """`struck`: what cannot be installed, with the reason; `strike` adds to it."""
        self._universe = universe
        self._installed = installed
        self._struck = struck
        self.chosen: dict[Slot, Candidate] = {}
        self.by: dict[Slot, str] = {}
        self.missing: dict[str, None] = {}
        self._wanted: list[Candidate] = []
        self._new: list[Candidate] = []
        self._choices: deque[tuple[Candidate, Alternatives]] = deque()
        self._recommended: deque[tuple[Candidate, Alternatives]] = deque()
        self._present: dict[str, list[tuple[bytes | None, Candidate]]] = {}
        self._excluded: dict[str, list[tuple[Relation, Candidate]]] = {}

    def run(self, names: Iterable[str], *, recommends: bool) -> None:
        """Choose what is wanted, and all that it needs."""
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
            if any(self.chosen.get(one.slot) is one for one in solvers):
                return True
            if self._installed.keys and self._installed.meets(relation, solvers):
                return True
        return False

    # Choosing

    def _add(self, candidate: Candidate, by: str) -> None:
        key = candidate.slot
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


class AnyHost(Resolution):
    """Of each choice the first solver, whatever else is chosen: what a host takes that has none of them."""

    def _met(self, candidate: Candidate, alternatives: Alternatives) -> bool:
        if self._installed.keys and self._met_by_installed(candidate, alternatives):
            return True
        solvers = self._solvers(candidate, alternatives)
        return bool(solvers) and self.chosen.get(solvers[0].slot) is solvers[0]

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


def _names(candidate: Candidate) -> Iterator[tuple[str, bytes | None]]:
    """Under which names a package is there, each with the version's key it has under it."""
    yield candidate.name, candidate.key
    for provided in candidate.provides:
        if provided.name != candidate.name:
            yield provided.name, provided.key if provided.operator else None


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
