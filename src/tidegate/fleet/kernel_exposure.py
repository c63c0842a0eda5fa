"""Kernels are judged by what runs: flavour by flavour, by the running one's own source, whatever else is installed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tidegate.advisories.statement import Status
from tidegate.fleet.case import Case, Standing, Subject, classed, had, not_readable
from tidegate.fleet.kernels import Image, flavour_of, images, metas, sources_of_images
from tidegate.fleet.ruling import UNTRIAGED, Ruling, at_least, is_open, key
from tidegate.fleet.verdict import Dormant, Exposure, Finding, Untriaged

_NOT_FOLLOWED = "; no meta package brings the next kernel of this flavour"


def judged(case: Case) -> Iterator[Finding | Untriaged | Dormant | str]:
    """Everything about a host's kernels; a sentence for what could not be judged."""
    installed = images(case.inventory.packages)
    runs = case.inventory.host.kernel
    running = next((one for one in installed if one.name == runs), None)
    if running is None and runs:
        yield f"{runs} runs, and no package that is installed brought it"
    if running is not None and running.source not in case.knowledge.said:
        yield f"no feed says anything about {running.source}, whose {runs} runs"
    standings = {one: case.standing(one.source, one.version) for one in installed}
    told = set().union(*(standing.opened for standing in standings.values()))
    if running is not None:
        told |= standings[running].untriaged | (standings[running].rulings.keys() & case.knowledge.unreadable.keys())
    for about in sorted(told):
        yield from _judged(case, about, standings, running)


def _judged(
    case: Case, about: str, standings: Mapping[Image, Standing], running: Image | None
) -> Iterator[Finding | Untriaged | Dormant]:
    opened = [image for image, standing in standings.items() if about in standing.opened]
    if running is None:
        if opened:
            newest = max(opened, key=lambda image: key(image.version))
            yield _of_unknown(case, about, newest, standings[newest].rulings[about])
        return
    holds = standings[running].rulings.get(about)
    if holds is not None and holds.statement.status in UNTRIAGED:
        yield Untriaged(about, running.source, holds.statement.status, holds.said.since)
    elif holds is not None and running in opened:
        yield _of_running(case, about, running, standings)
    elif holds and (spoiled := not_readable(case, _subject(case, about, running), holds.statement)):
        yield spoiled
    for image in opened:
        if image is not running:
            yield Dormant(about, image.source, image.name, image.version)


def _subject(case: Case, about: str, image: Image) -> Subject:
    """A hold on a kernel's own package keeps nothing back: the next one has another name."""
    brings = metas(image, case.inventory.packages)
    held_back = bool(brings) and all(one.held for one in brings)
    return Subject(about, image.source, image.version, (image.binary,), held_back)


def _of_unknown(case: Case, about: str, image: Image, holds: Ruling) -> Finding:
    found = classed(case, _subject(case, about, image), holds, _wanted(case, image, holds.statement.fixed))
    reason = f"{image.name} is installed, and the host does not say that it runs"
    last = found.exposure if found.exposure is not Exposure.UNKNOWN else found.last_known
    return replace(found, exposure=Exposure.UNKNOWN, last_known=last, reason=reason)


def _of_running(case: Case, about: str, running: Image, standings: Mapping[Image, Standing]) -> Finding:
    holds = standings[running].rulings[about]
    found = classed(case, _subject(case, about, running), holds, _wanted(case, running, holds.statement.fixed))
    better = [one for one, other in standings.items() if _is_better(one, other.rulings.get(about), running)]
    if better and found.exposure is not Exposure.UNKNOWN:
        next_one = max(better, key=lambda image: key(image.version))
        reason = f"{next_one.name} is installed, and {running.name} runs: restart"
        return replace(found, exposure=Exposure.NOT_RUNNING, reason=reason, fixed=found.fixed or next_one.version)
    if holds.statement.status is Status.RELEASED and not metas(running, case.inventory.packages):
        return replace(found, reason=found.reason + _NOT_FOLLOWED)
    return found


def _is_better(image: Image, holds: Ruling | None, running: Image) -> bool:
    """A newer kernel of the same flavour, of whatever source, of which it is known that it has not the fault."""
    return (
        holds is not None
        and image.flavour == running.flavour
        and key(image.version) > key(running.version)
        and holds.statement.status not in UNTRIAGED
        and not is_open(holds.statement, image.version)
    )


def _wanted(case: Case, image: Image, fixed: str | None) -> list[tuple[str, bool | None]]:
    """An image of the flavour, of whatever ABI: the name of the fixed one is not known beforehand."""
    if fixed is None:
        return []
    offers = case.offers(sources_of_images(image.source))
    fit = [one for one in offers if flavour_of(one.binary) == image.flavour and at_least(one.version, fixed)]
    return [(fit[0].binary if fit else f"linux-image-…-{image.flavour}", had(fit))]
