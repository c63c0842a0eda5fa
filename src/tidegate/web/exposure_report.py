"""What is told about the fleet's exposure: the structs behind `tidegate exposure --json`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from pyroaring import BitMap

from tidegate.fleet.hosts import HostEntry
from tidegate.fleet.lookout import Lookout, Spread
from tidegate.fleet.ranking import Rank
from tidegate.fleet.verdict import Effect, Exposure, Finding, Mitigation, Verdict

HOSTS_SHOWN_MAX = 10_000
"""Hosts in one answer."""
CVES_SHOWN_MAX = 10_000
MEANINGS: Mapping[Exposure, str] = {
    Exposure.FIXABLE: "the fixed version is held, or can be fetched now",
    Exposure.NOT_HELD: "a fix was published, and cannot be had from here now",
    Exposure.MITIGATION_ONLY: "no fix; a mitigation exists",
    Exposure.NO_FIX: "no fix exists",
    Exposure.NOT_RUNNING: "fixed on disk, and not running: restart",
    Exposure.UNKNOWN: "not known now",
}
ToDo = Annotated[int, Meta(description="hosts on which something is open that somebody can close today")]

At = Annotated[int | None, Meta(description="epoch seconds, UTC; null: never")]
Class = Annotated[Exposure, Meta(description="the six classes of docs/exposure.md")]


class FeedAgeReport(Struct, frozen=True, kw_only=True):
    """What answers about a release stand on."""

    distribution: str
    release: str
    as_of: Annotated[At, Meta(description="when its feeds were last known to be current")]
    unknown_since: Annotated[At, Meta(description="null while that is young enough to be believed")]
    why: tuple[str, ...] = ()
    unreadable: Annotated[
        int, Meta(description="records that cannot be read, and were never: any host may have what they are about")
    ] = 0


class ClassReport(Struct, frozen=True, kw_only=True):
    """How many hosts have anything of a class."""

    exposure: Class
    hosts: int
    meaning: str


class RankReport(Struct, frozen=True, kw_only=True):
    """How bad a CVE is, whoever has it."""

    exploited: Annotated[At, Meta(description="when CISA listed it as exploited; null: not listed")] = None
    due: Annotated[str, Meta(description="until when CISA wants it closed")] = ""
    priority: Annotated[str, Meta(description="its vendor's word; empty: none yet")] = ""
    cvss: Annotated[float | None, Meta(description="base score, 0 to 10")] = None
    epss: Annotated[float | None, Meta(description="probability of exploitation within 30 days, 0 to 1")] = None


class CveReport(Struct, frozen=True, kw_only=True):
    """A CVE, and how many hosts it is open on."""

    about: str
    hosts: Annotated[int, Meta(description="distinct hosts that are known to have it open")]
    classes: Annotated[Mapping[str, int], Meta(description="distinct hosts by class; one may be in several")]
    rank: RankReport


class MitigationReport(Struct, frozen=True, kw_only=True):
    """An update that takes away the way to a fault, and not the fault."""

    notice: str
    package: str
    version: str
    effect: Effect
    obtainable: bool
    reason: str


class FindingReport(Struct, frozen=True, kw_only=True):
    """One CVE in one source package."""

    about: str
    package: str
    exposure: Class
    status: Annotated[str, Meta(description="the vendor's word")]
    version: Annotated[str, Meta(description="the one that was judged")]
    fixed: Annotated[str | None, Meta(description="the first version without the fault, if one was published")]
    pocket: str
    binaries: tuple[str, ...]
    reason: str
    to_do: Annotated[str, Meta(description="a line to run on the host, or what to wait for; may be empty")]
    since: Annotated[int, Meta(description="when we learned it, or since when it is not known")]
    last_known: Exposure | None
    held_back: bool
    mitigations: tuple[MitigationReport, ...]


class HostFindingsReport(Struct, frozen=True, kw_only=True):
    """What was found about one CVE, on hosts that are alike in it."""

    finding: FindingReport
    hosts: tuple[str, ...]
    hosts_total: int


class FleetExposureReport(Struct, frozen=True, kw_only=True):
    """`tidegate exposure --json`."""

    at: int
    as_of: Annotated[At, Meta(description="the moment asked for; null: now")] = None
    feeds: tuple[FeedAgeReport, ...]
    hosts: int
    silent: Annotated[int, Meta(description="hosts that have not reported for too long: unknown")]
    not_judged: Annotated[int, Meta(description="hosts that have something of which nobody can say what it is open to")]
    to_do: ToDo
    classes: tuple[ClassReport, ...]
    cves: Annotated[tuple[CveReport, ...], Meta(description="what to close first comes first")]
    cves_total: int


class CveExposureReport(Struct, frozen=True, kw_only=True):
    """`tidegate exposure --cve ID --json`."""

    at: int
    as_of: At = None
    feeds: tuple[FeedAgeReport, ...]
    cve: CveReport
    to_do: ToDo
    classes: tuple[ClassReport, ...]
    findings: tuple[HostFindingsReport, ...]
    unknown: Annotated[tuple[str, ...], Meta(description="ids of hosts of which it is not known")]


class UntriagedReport(Struct, frozen=True, kw_only=True):
    """A CVE of which its vendor does not know yet whether it is in a package of the host: no exposure."""

    about: str
    package: str
    status: str
    since: int


class DormantReport(Struct, frozen=True, kw_only=True):
    """A kernel with the fault that is installed and does not run."""

    about: str
    kernel: str
    version: str


class HostExposureReport(Struct, frozen=True, kw_only=True):
    """`tidegate exposure --host NAME --json`, of one host."""

    host: str
    name: str
    distribution: str
    release: str
    kernel: str
    tags: tuple[str, ...]
    at: int
    as_of: At = None
    feed_at: At
    taken_at: Annotated[int, Meta(description="when the host last reported")]
    unknown_since: At
    why: tuple[str, ...]
    clean: Annotated[bool, Meta(description="nothing is open, and that is known")]
    findings: tuple[FindingReport, ...]
    untriaged: tuple[UntriagedReport, ...]
    dormant: tuple[DormantReport, ...]
    gaps: Annotated[tuple[str, ...], Meta(description="what could not be judged")]


class HostExposuresReport(Struct, frozen=True, kw_only=True):
    """All hosts that have a name."""

    to_do: ToDo
    classes: tuple[ClassReport, ...]
    hosts: tuple[HostExposureReport, ...]


def fleet_report(
    lookout: Lookout, now: int, *, as_of: int | None, limit: int, by_hosts: bool, tags: Iterable[str] = ()
) -> FleetExposureReport:
    """The whole fleet, or the hosts with these tags."""
    everybody, wanted = lookout.everybody, tuple(tags)
    some = lookout.tagged(wanted) & everybody if wanted else everybody
    spreads, total = lookout.most(now, min(limit, CVES_SHOWN_MAX), by_hosts=by_hosts, within=some if wanted else None)
    return FleetExposureReport(
        at=now,
        as_of=as_of,
        feeds=_feeds(lookout, now),
        hosts=len(some),
        silent=len(lookout.stale(now) & some),
        not_judged=len(lookout.not_judged() & some),
        to_do=len(lookout.to_do(now) & some),
        classes=_classes({one: hosts & some for one, hosts in lookout.classes(now).items()}),
        cves=tuple(map(_cve, spreads)),
        cves_total=total,
    )


def cve_report(lookout: Lookout, about: str, now: int, *, as_of: int | None) -> CveExposureReport:
    """One CVE, and whose it is."""
    spread, left = lookout.exposed(about, now), HOSTS_SHOWN_MAX
    found: dict[Finding, BitMap] = {}
    for finding, hosts in lookout.findings(about, now):
        if hosts and finding.exposure.is_known:
            found[finding] = found.get(finding, BitMap()) | hosts
    findings = []
    for finding, hosts in sorted(
        found.items(), key=lambda one: (_order(one[0].exposure), -len(one[1]), one[0].version)
    ):
        shown = lookout.entries(list(hosts[:left])) if left else ()
        left -= len(shown)
        names = tuple(map(_name, shown))
        findings.append(HostFindingsReport(finding=finding_report(finding), hosts=names, hosts_total=len(hosts)))
    unknown = spread.by_class.get(Exposure.UNKNOWN, BitMap())
    return CveExposureReport(
        at=now,
        as_of=as_of,
        feeds=_feeds(lookout, now),
        cve=_cve(spread),
        to_do=len(BitMap.union(BitMap(), *(hosts for one, hosts in found.items() if one.can_be_closed))),
        classes=_classes(spread.by_class),
        findings=tuple(findings),
        unknown=tuple(one.host.id for one in lookout.entries(list(unknown[:HOSTS_SHOWN_MAX]))),
    )


def hosts_report(lookout: Lookout, name: str, now: int, *, as_of: int | None) -> HostExposuresReport:
    """The hosts with this id or name; none, where there is none."""
    found = lookout.verdicts(name, now)
    hosts = tuple(_host(entry, verdict, as_of) for entry, verdict in found)
    to_do = sum(any(one.can_be_closed for one in verdict.findings) for _, verdict in found)
    return HostExposuresReport(to_do=to_do, classes=classes_of(hosts), hosts=hosts)


def finding_report(finding: Finding) -> FindingReport:
    """A finding, with what to do about it."""
    return FindingReport(
        about=finding.about,
        package=finding.package,
        exposure=finding.exposure,
        status=finding.status.value,
        version=finding.version,
        fixed=finding.fixed,
        pocket=finding.pocket,
        binaries=finding.binaries,
        reason=finding.reason,
        to_do=to_do(finding),
        since=finding.since,
        last_known=finding.last_known,
        held_back=finding.held_back,
        mitigations=tuple(map(_mitigation, finding.mitigations)),
    )


def to_do(finding: Finding) -> str:
    """One line for whoever looks after the host."""
    match finding.exposure:
        case Exposure.FIXABLE if finding.held_back:
            return f"apt-mark unhold {' '.join(finding.binaries)}, then upgrade"
        case Exposure.FIXABLE:
            return f"apt-get install --only-upgrade {' '.join(finding.binaries)}"
        case Exposure.NOT_RUNNING:
            return "restart the host"
        case Exposure.NOT_HELD:
            return "have it fetched: tidegate refresh, tidegate readiness"
        case Exposure.MITIGATION_ONLY:
            wanted = [one for one in finding.mitigations if one.effect is not Effect.EFFECTIVE]
            return f"apt-get install --only-upgrade {wanted[0].package}" if wanted else ""
        case Exposure.NO_FIX:
            return "wait for its vendor, or remove the package"
        case _:
            return "have the host report, and the feeds refreshed: tidegate advisories refresh"


def classes_of(hosts: Sequence[HostExposureReport]) -> tuple[ClassReport, ...]:
    """How many of these hosts have anything of a class."""
    found = {
        exposure: sum(any(each.exposure is exposure for each in host.findings) for host in hosts)
        for exposure in Exposure
    }
    found[Exposure.UNKNOWN] = sum(
        host.unknown_since is not None or any(not each.exposure.is_known for each in host.findings) for host in hosts
    )
    return tuple(ClassReport(exposure=one, hosts=found[one], meaning=MEANINGS[one]) for one in Exposure)


def _feeds(lookout: Lookout, now: int) -> tuple[FeedAgeReport, ...]:
    gaps = lookout.gaps()
    return tuple(
        FeedAgeReport(
            distribution=release[0],
            release=release[1],
            as_of=fresh.feed_at,
            unknown_since=fresh.unknown_since,
            why=fresh.why,
            unreadable=gaps.get(release, 0),
        )
        for release, fresh in sorted(lookout.freshness(now).items())
    )


def _classes(by_class: Mapping[Exposure, BitMap]) -> tuple[ClassReport, ...]:
    return tuple(ClassReport(exposure=one, hosts=len(by_class.get(one, ())), meaning=MEANINGS[one]) for one in Exposure)


def _cve(spread: Spread) -> CveReport:
    return CveReport(
        about=spread.about,
        hosts=spread.hosts,
        classes={exposure.value: len(hosts) for exposure, hosts in spread.by_class.items()},
        rank=_rank(spread.rank),
    )


def _rank(rank: Rank) -> RankReport:
    return RankReport(exploited=rank.exploited, due=rank.due, priority=rank.priority, cvss=rank.cvss, epss=rank.epss)


def _host(entry: HostEntry, verdict: Verdict, as_of: int | None) -> HostExposureReport:
    host = entry.host
    return HostExposureReport(
        host=host.id,
        name=host.name,
        distribution=host.distribution,
        release=host.release,
        kernel=host.kernel,
        tags=tuple(sorted(entry.tags)),
        at=verdict.at,
        as_of=as_of,
        feed_at=verdict.feed_at,
        taken_at=verdict.taken_at,
        unknown_since=verdict.unknown_since,
        why=verdict.why,
        clean=verdict.clean,
        findings=tuple(map(finding_report, sorted(verdict.findings, key=lambda one: _order(one.exposure)))),
        untriaged=tuple(
            UntriagedReport(about=one.about, package=one.package, status=one.status.value, since=one.since)
            for one in verdict.untriaged
        ),
        dormant=tuple(
            DormantReport(about=one.about, kernel=one.kernel, version=one.version) for one in verdict.dormant
        ),
        gaps=verdict.gaps,
    )


def _mitigation(one: Mitigation) -> MitigationReport:
    return MitigationReport(
        notice=one.notice,
        package=one.package,
        version=one.version,
        effect=one.effect,
        obtainable=one.obtainable,
        reason=one.reason,
    )


def _order(exposure: Exposure) -> int:
    return list(MEANINGS).index(exposure)


def _name(entry: HostEntry) -> str:
    return entry.host.name or entry.host.id
