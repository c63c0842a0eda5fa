"""What a host is open to: its packages held against what was said of its release, and against what can be had.

Pure, and the same for a moment of the past: knowledge of then, inventory of then, `now` of then. What is too old to
be believed is unknown and never clean.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tidegate.fleet import kernel_exposure
from tidegate.fleet.case import (
    ByClass,
    Case,
    Subject,
    classed,
    foreign,
    not_known,
    not_readable,
    unknown,
    wanted_binaries,
)
from tidegate.fleet.freshness import DEFAULT_LIMITS, AgeLimits, freshness
from tidegate.fleet.inventory import Inventory, Package
from tidegate.fleet.kernels import is_kernel
from tidegate.fleet.knowledge import Knowledge
from tidegate.fleet.ruling import UNTRIAGED, is_open, key
from tidegate.fleet.supply import Supply
from tidegate.fleet.verdict import Dormant, Finding, Found, Untriaged, Verdict

GAPS_MAX = 1000
"""Sentences in one verdict on what could not be judged."""


def verdict(
    inventory: Inventory, knowledge: Knowledge, supply: Supply, now: int, limits: AgeLimits = DEFAULT_LIMITS
) -> Verdict:
    """Everything that is known about a host at `now`, in seconds since 1970.

    Raises ValueError if the knowledge is of another release than the host's.
    """
    host = inventory.host
    if (host.distribution, host.release) != (knowledge.distribution, knowledge.release):
        raise ValueError(f"knowledge of {knowledge.release} for a host of {host.release}")
    found = judged(Case(inventory, knowledge, supply))
    return summed_up(host.id, found, inventory.unreadable, knowledge, inventory.taken_at, now, limits)


def summed_up(
    host: str,
    found: Iterable[Found],
    unreadable: Iterable[str],
    knowledge: Knowledge,
    taken_at: int,
    now: int,
    limits: AgeLimits,
) -> Verdict:
    """A verdict of what was found about a host, by the age of what it stands on."""
    told = list(found)
    findings = [one for one in told if isinstance(one, Finding)]
    fresh = freshness(knowledge, taken_at, now, limits)
    if fresh.unknown_since is not None:
        findings = [unknown(one, fresh.unknown_since, "; ".join(fresh.why)) for one in findings]
    gaps = [*(one for one in told if isinstance(one, str)), *unreadable, *knowledge.gaps]
    return Verdict(
        host=host,
        at=now,
        feed_at=fresh.feed_at,
        taken_at=taken_at,
        unknown_since=fresh.unknown_since,
        why=fresh.why,
        findings=tuple(sorted(findings, key=lambda one: (one.about, one.package, one.version))),
        untriaged=tuple(sorted((one for one in told if isinstance(one, Untriaged)), key=_order)),
        dormant=tuple(sorted((one for one in told if isinstance(one, Dormant)), key=_order)),
        gaps=tuple(gaps[:GAPS_MAX]),
    )


def _order(one: Untriaged | Dormant) -> tuple[str, str]:
    return one.about, one.package


def judged(case: Case) -> Iterator[Found]:
    """All that is found about the packages of a case, whatever the age of what is known; a sentence for each that
    could not be judged."""
    yield from _of_packages(case)
    yield from kernel_exposure.judged(case)


def outlined(case: Case) -> tuple[ByClass, list[Found]]:
    """CVEs by class, and what else `judged` finds: each CVE of its findings is in the one or the other."""
    by_class, found = kernel_exposure.outlined(case)
    return by_class, [*_of_packages(case), *found]


def _of_packages(case: Case) -> Iterator[Finding | Untriaged]:
    """All but the kernels. Binaries of one source that have different versions are judged by the oldest affected."""
    by_source: dict[str, list[Package]] = defaultdict(list)
    for package in case.inventory.packages:
        if not is_kernel(package):
            by_source[package.source].append(package)
    for source in sorted(by_source.keys() & case.knowledge.said.keys()):
        packages = sorted(by_source[source], key=lambda one: key(one.source_version))
        for about in sorted(case.knowledge.said[source]):
            found = _of_source(case, about, packages)
            if found is not None:
                yield found


def _of_source(case: Case, about: str, packages: Sequence[Package]) -> Finding | Untriaged | None:
    source, version = packages[0].source, packages[0].source_version
    holds = case.ruling(source, about, version)
    if holds is None:
        return None
    statement = holds.statement
    affected = [one for one in packages if is_open(statement, one.source_version)]
    others = {maker for one in packages if (maker := foreign(one, case.inventory.host.distribution))}
    subject = Subject(
        about,
        source,
        affected[0].source_version if affected else version,
        tuple(dict.fromkeys(one.binary for one in affected or packages)),
        any(one.held for one in affected),
    )
    if statement.status in UNTRIAGED:
        return Untriaged(about, source, statement.status, holds.said.since)
    if others:
        reason = f"a package of {', '.join(sorted(others))} that bears this source's name: the vendor speaks of its own"
        return not_known(subject, statement, holds.said.since, reason)
    if not affected:
        return not_readable(case, subject, statement)
    return classed(case, subject, holds, wanted_binaries(case, source, statement.fixed, affected))
