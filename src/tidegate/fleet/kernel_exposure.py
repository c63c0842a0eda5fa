"""Kernels are judged by what runs: flavour by flavour, by the running one's own source, whatever else is installed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tidegate.advisories.statement import Status
from tidegate.fleet.case import ByClass, Case, Standing, Subject, classed, had, not_readable
from tidegate.fleet.kernels import Image, flavour_of, images, metas, sources_of_images
from tidegate.fleet.ruling import UNTRIAGED, Ruling, at_least, is_open, key
from tidegate.fleet.verdict import Dormant, Exposure, Finding, Found, Untriaged

_NOT_FOLLOWED = "; no meta package brings the next kernel of this flavour"


@dataclass(frozen=True, slots=True)
class _Running:
    """The kernel that runs. `newer`: those of its flavour that a restart may start, each with how it stands.

    A hold on a kernel's own package keeps nothing back, since the next one has another name; one on its metas does.
    """

    image: Image
    standing: Standing
    followed: bool
    held_back: bool
    newer: tuple[tuple[Image, Standing], ...]
    _wanted: dict[str | None, list[tuple[str, bool | None]]] = field(default_factory=dict)

    def wanted(self, case: Case, fixed: str | None) -> list[tuple[str, bool | None]]:
        """What an update to a version would bring; hundreds of CVEs are fixed in one."""
        if fixed not in self._wanted:
            self._wanted[fixed] = _wanted(case, self.image, fixed)
        return self._wanted[fixed]

    def subject(self, about: str) -> Subject:
        """What is judged of it."""
        return Subject(about, self.image.source, self.image.version, (self.image.binary,), self.held_back)


def judged(case: Case) -> Iterator[Finding | Untriaged | Dormant | str]:
    """Everything about a host's kernels; a sentence for what could not be judged."""
    installed, running = _kernels(case)
    yield from _not_judged(case, running)
    standings = {one: case.standing(one.source, one.version) for one in installed}
    told = set().union(*(standing.opened for standing in standings.values()))
    if running is None:
        for about in sorted(told):
            yield _of_unknown(case, about, standings)
        return
    told |= standings[running].untriaged | (standings[running].rulings.keys() & case.knowledge.unreadable.keys())
    runs_now = _running(case, running, standings)
    for about in sorted(told):
        yield from _of_running(case, about, runs_now)
        for image, standing in standings.items():
            if image is not running and about in standing.opened:
                yield Dormant(about, image.source, image.name, image.version)


def outlined(case: Case) -> tuple[ByClass, list[Found]]:
    """The classes of all that `judged` finds, in a tenth of the time; as it finds it, where that is not enough.

    What is open on a kernel that runs is the same whatever else is installed, but for what a restart would close, and
    for what something else mitigates. No other kernel's faults are among it.
    """
    installed, running = _kernels(case)
    if running is None:
        return {}, list(judged(case))
    standing = case.standing(running.source, running.version)
    base = standing.running.get(running.name)
    if base is None:
        base = standing.running[running.name] = _base(case, running)
    newer = _running(case, running, {one: case.standing(one.source, one.version) for one in installed}).newer
    free = frozenset().union(*(one.free & standing.opened for _, one in newer))
    found: dict[Exposure, frozenset[str]] = {}
    for exposure, abouts in base.items():
        closed = frozenset() if exposure is Exposure.UNKNOWN else abouts & free
        found[exposure] = found.get(exposure, frozenset()) | (abouts - closed)
        found[Exposure.NOT_RUNNING] = found.get(Exposure.NOT_RUNNING, frozenset()) | closed
    mitigated = case.knowledge.remedies.keys() & case.knowledge.said.get(running.source, {}).keys()
    narrow = [replace(case, knowledge=case.knowledge.narrowed(about), standings={}) for about in sorted(mitigated)]
    singly = [one for each in narrow for one in judged(each) if isinstance(one, Finding)]
    return {exposure: some for exposure, abouts in found.items() if (some := abouts - mitigated)}, [
        *_not_judged(case, running),
        *singly,
    ]


def _base(case: Case, image: Image) -> ByClass:
    alone = _running(case, image, {image: case.standing(image.source, image.version)})
    told = alone.standing.opened | (alone.standing.rulings.keys() & case.knowledge.unreadable.keys())
    found: dict[Exposure, set[str]] = defaultdict(set)
    for about in told:
        for one in _of_running(case, about, alone):
            if isinstance(one, Finding):
                found[one.exposure].add(about)
    return {exposure: frozenset(abouts) for exposure, abouts in found.items()}


def _kernels(case: Case) -> tuple[tuple[Image, ...], Image | None]:
    """Those installed, and the one that runs."""
    installed = images(case.inventory.packages)
    return installed, next((one for one in installed if one.name == case.inventory.host.kernel), None)


def _not_judged(case: Case, running: Image | None) -> Iterator[str]:
    runs = case.inventory.host.kernel
    if running is None and runs:
        yield f"{runs} runs, and no package that is installed brought it"
    if running is not None and running.source not in case.knowledge.said:
        yield f"no feed says anything about {running.source}, whose {runs} runs"


def _running(case: Case, image: Image, standings: Mapping[Image, Standing]) -> _Running:
    brings = metas(image, case.inventory.packages)
    newer = tuple(
        (one, standing)
        for one, standing in standings.items()
        if one.flavour == image.flavour and key(one.version) > key(image.version)
    )
    return _Running(image, standings[image], bool(brings), bool(brings) and all(one.held for one in brings), newer)


def _of_unknown(case: Case, about: str, standings: Mapping[Image, Standing]) -> Finding:
    opened = [image for image, standing in standings.items() if about in standing.opened]
    image = max(opened, key=lambda image: key(image.version))
    subject = _running(case, image, standings).subject(about)
    holds = standings[image].rulings[about]
    found = classed(case, subject, holds, _wanted(case, image, holds.statement.fixed))
    reason = f"{image.name} is installed, and the host does not say that it runs"
    last = found.exposure if found.exposure is not Exposure.UNKNOWN else found.last_known
    return replace(found, exposure=Exposure.UNKNOWN, last_known=last, reason=reason)


def _of_running(case: Case, about: str, running: _Running) -> Iterator[Finding | Untriaged]:
    holds = running.standing.rulings.get(about)
    if holds is None:
        return
    if holds.statement.status in UNTRIAGED:
        yield Untriaged(about, running.image.source, holds.statement.status, holds.said.since)
    elif about in running.standing.opened:
        yield _open(case, about, running, holds)
    elif spoiled := not_readable(case, running.subject(about), holds.statement):
        yield spoiled


def _open(case: Case, about: str, running: _Running, holds: Ruling) -> Finding:
    found = classed(case, running.subject(about), holds, running.wanted(case, holds.statement.fixed))
    better = [image for image, standing in running.newer if _is_free(image, standing.rulings.get(about))]
    if better and found.exposure is not Exposure.UNKNOWN:
        next_one = max(better, key=lambda image: key(image.version))
        reason = f"{next_one.name} is installed, and {running.image.name} runs: restart"
        return replace(found, exposure=Exposure.NOT_RUNNING, reason=reason, fixed=found.fixed or next_one.version)
    if holds.statement.status is Status.RELEASED and not running.followed:
        return replace(found, reason=found.reason + _NOT_FOLLOWED)
    return found


def _is_free(image: Image, holds: Ruling | None) -> bool:
    """Whether it is known that a kernel, of whatever source, has not the fault."""
    if holds is None or holds.statement.status in UNTRIAGED:
        return False
    return not is_open(holds.statement, image.version)


def _wanted(case: Case, image: Image, fixed: str | None) -> list[tuple[str, bool | None]]:
    """An image of the flavour, of whatever ABI: the name of the fixed one is not known beforehand."""
    if fixed is None:
        return []
    offers = case.offers(sources_of_images(image.source))
    fit = [one for one in offers if flavour_of(one.binary) == image.flavour and at_least(one.version, fixed)]
    return [(fit[0].binary if fit else f"linux-image-…-{image.flavour}", had(fit))]
