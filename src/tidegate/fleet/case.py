"""One host held against one knowledge and one supply, and how an open fault is classed."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidegate.advisories.statement import Statement, Status
from tidegate.fleet.inventory import Inventory, Package
from tidegate.fleet.knowledge import Knowledge
from tidegate.fleet.mitigating import mitigations
from tidegate.fleet.ruling import UNTRIAGED, Ruling, at_least, is_open, ruling
from tidegate.fleet.supply import Offer, Supply
from tidegate.fleet.verdict import Exposure, Finding

_NO_FIX = {
    Status.AFFECTED: "no fix was published",
    Status.NEEDED: "a fix is needed, and none was published",
    Status.PENDING: "a fix is made, and was not published yet",
    Status.DEFERRED: "the vendor put the fix off",
    Status.IGNORED: "the vendor will not fix it here",
}
_FOREIGN = re.compile(r"(?<![a-z])(?:ppa|pgdg|nodesource|sury|dotdeb|percona|docker)(?![a-z])", re.IGNORECASE)
"""What third parties write into versions of packages that bear a distribution's source name."""
_NAMED_MAX = 3
STANDINGS_REMEMBERED = 48
"""At a time; of a kernel each has some 200 KB."""


ByClass = Mapping[Exposure, frozenset[str]]
"""CVEs by class."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one version of a source package stands: every CVE that is ruled on, those open, those not triaged."""

    rulings: Mapping[str, Ruling]
    opened: frozenset[str]
    untriaged: frozenset[str]
    running: dict[str, ByClass] = field(default_factory=dict)
    """What is open on a host that runs it, by the kernel's name; for `kernel_exposure.outlined` alone."""

    @property
    def free(self) -> frozenset[str]:
        """The CVEs of which it is known that it has not them."""
        return frozenset(self.rulings.keys() - self.opened - self.untriaged)


Standings = dict[tuple[str, str], Standing]
"""By source and version."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict is made of. `standings` may be shared by cases of one knowledge whose hosts have one set of
    pockets."""

    inventory: Inventory
    knowledge: Knowledge
    supply: Supply
    standings: Standings = field(default_factory=dict)

    @property
    def pockets(self) -> frozenset[str] | None:
        return self.inventory.host.pockets

    def ruling(self, source: str, about: str, version: str) -> Ruling | None:
        """What holds for this host of what is said about a CVE in a source package."""
        return ruling(self.knowledge.said.get(source, {}).get(about, ()), version, self.pockets)

    def standing(self, source: str, version: str) -> Standing:
        """Of all CVEs, whatever else the host has."""
        found = self.standings.get((source, version))
        if found is None:
            said, rulings = self.knowledge.said.get(source, {}), self.knowledge.simple(source)
            if len(rulings) < len(said):
                others = said.keys() - rulings.keys()
                rulings = {
                    **rulings,
                    **{about: one for about in others if (one := self.ruling(source, about, version))},
                }
            if len(self.standings) >= STANDINGS_REMEMBERED:
                del self.standings[next(iter(self.standings))]
            found = self.standings[source, version] = Standing(
                rulings,
                frozenset(about for about, one in rulings.items() if is_open(one.statement, version)),
                frozenset(about for about, one in rulings.items() if one.statement.status in UNTRIAGED),
            )
        return found

    def offers(self, sources: Iterable[str]) -> list[Offer]:
        """What the snapshots list of these sources in pockets that the host has, or may have."""
        host, pockets = self.inventory.host, self.pockets
        found = [one for name in sources for one in self.supply.offers(host.distribution, host.release, name)]
        return [one for one in found if not one.pocket or pockets is None or one.pocket in pockets]

    def unreadable_since(self, source: str, about: str) -> int | None:
        """Since when the only feed that says anything about a CVE in a package cannot be read; None where none is."""
        unreadable = self.knowledge.unreadable.get(about)
        said = self.knowledge.said.get(source, {}).get(about, ())
        return unreadable.since if unreadable and all(one.feed == unreadable.feed for one in said) else None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: a CVE in a source package, in the version that a host has of it."""

    about: str
    source: str
    version: str
    binaries: tuple[str, ...]
    held_back: bool = False


def classed(case: Case, subject: Subject, holds: Ruling, wanted: Sequence[tuple[str, bool | None]]) -> Finding:
    """An open fault with its class. `wanted`: what an update would bring, with whether it can be had (None: no
    snapshot lists it)."""
    statement = holds.statement
    remedies = mitigations(case.knowledge.remedies.get(subject.about, ()), case.inventory, case.supply)
    exposure, reason = _class(case.pockets, holds, wanted)
    if exposure is Exposure.NO_FIX and remedies:
        exposure = Exposure.MITIGATION_ONLY
        reason = f"{reason}; {remedies[0].notice} mitigates it"
    found = Finding(
        about=subject.about,
        package=subject.source,
        exposure=exposure,
        status=statement.status,
        version=subject.version,
        binaries=subject.binaries,
        reason=reason + ("; the host holds it back" if subject.held_back else ""),
        since=holds.said.since,
        fixed=statement.fixed if statement.status is Status.RELEASED else None,
        pocket=holds.pocket,
        mitigations=remedies,
        held_back=subject.held_back,
    )
    since = case.unreadable_since(subject.source, subject.about)
    return found if since is None else unknown(found, since, "what the feed says now cannot be read")


def unknown(found: Finding, since: int, reason: str) -> Finding:
    """The same where it is not known, with the class it had before."""
    last = found.exposure if found.exposure is not Exposure.UNKNOWN else found.last_known
    return replace(found, exposure=Exposure.UNKNOWN, last_known=last, since=since, reason=reason)


def not_readable(case: Case, subject: Subject, statement: Statement) -> Finding | None:
    """Of what was not open by what was known before: unknown, if what is said now cannot be read."""
    since = case.unreadable_since(subject.source, subject.about)
    if since is None:
        return None
    return not_known(subject, statement, since, "what the feed says now cannot be read")


def not_known(subject: Subject, statement: Statement, since: int, reason: str) -> Finding:
    """A finding that nothing was known of before, either."""
    return Finding(
        about=subject.about,
        package=subject.source,
        exposure=Exposure.UNKNOWN,
        status=statement.status,
        version=subject.version,
        binaries=subject.binaries,
        reason=reason,
        since=since,
    )


def foreign(package: Package, distribution: str) -> str:
    """Whose a package is that is not the distribution's, whatever source name it bears; empty for its own."""
    if package.origin and not package.origin.lower().startswith((distribution, "debian")):
        return package.origin
    mark = _FOREIGN.search(package.source_version)
    return mark[0] if mark else ""


def had(offers: Iterable[Offer]) -> bool | None:
    """Whether one of these can be had; None where there are none."""
    found = [one.obtainable for one in offers]
    return any(found) if found else None


def wanted_binaries(
    case: Case, source: str, fixed: str | None, packages: Iterable[Package]
) -> list[tuple[str, bool | None]]:
    """For each installed binary, whether its fixed version can be had."""
    if fixed is None:
        return []
    offers = [one for one in case.offers((source,)) if at_least(one.source_version, fixed)]
    return [
        (
            one.binary,
            had(
                offer
                for offer in offers
                if offer.binary == one.binary
                and (offer.architecture in (one.architecture, "all") or one.architecture == "all")
            ),
        )
        for one in packages
    ]


def _class(
    pockets: Collection[str] | None, holds: Ruling, wanted: Sequence[tuple[str, bool | None]]
) -> tuple[Exposure, str]:
    statement = holds.statement
    if statement.status is not Status.RELEASED:
        return Exposure.NO_FIX, _no_fix(holds)
    if statement.fixed is None:
        return Exposure.UNKNOWN, "fixed, in a version that no feed names"
    pocket = holds.pocket
    if pocket and pockets is not None and pocket not in pockets:
        return Exposure.NO_FIX, f"fixed in {statement.fixed} for hosts with {pocket}, which this one has not"
    unlisted = [name for name, can in wanted if can is None]
    missing = [name for name, can in wanted if can is False]
    if wanted and not unlisted and not missing:
        return Exposure.FIXABLE, f"{statement.fixed} can be had"
    if missing:
        return Exposure.NOT_HELD, f"{statement.fixed} is published, and {_names(missing)} cannot be had now"
    return Exposure.NOT_HELD, f"{statement.fixed} is published; no snapshot here lists {_names(unlisted)} of it"


def _no_fix(holds: Ruling) -> str:
    statement = holds.statement
    reason = _NO_FIX.get(statement.status, "no fix was published")
    if statement.fixed:
        reason = f"{reason} ({statement.fixed})"
    if statement.note:
        reason = f"{reason}: {statement.note.splitlines()[0][:200]}"
    if holds.elsewhere:
        pocket, version = holds.elsewhere
        reason = f"{reason}; fixed in {version} for hosts with {pocket}"
    return reason


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return (", ".join(names[:_NAMED_MAX]) or "its binaries") + more
