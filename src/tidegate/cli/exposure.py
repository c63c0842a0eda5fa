"""`tidegate exposure` and `tidegate exposure export`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import age
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.exposure_export import exposure_export
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import AtOption, ConfigOption, StateOption, epoch, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.web.exposure_report import (
        ClassReport,
        CveExposureReport,
        CveReport,
        FeedAgeReport,
        FindingReport,
        FleetExposureReport,
        HostExposureReport,
        HostExposuresReport,
        RankReport,
    )

    Report = FleetExposureReport | CveExposureReport | HostExposuresReport

app = typer.Typer()
app.command("export")(exposure_export)

SHOWN_CVES = 20
SHOWN_HOSTS = 8
"""In a row of a table; --json names them all."""
_CLASSES = (Column("hosts", is_figure=True), Column("class"), Column(""))
_CVES = (
    Column("cve"),
    Column("hosts", is_figure=True),
    Column("exploited"),
    Column("priority"),
    Column("cvss", is_figure=True),
    Column("epss", is_figure=True),
    Column("classes"),
)
_FINDINGS = (Column("cve"), Column("package"), Column("class"), Column("why"), Column("what to do"))
_HOSTS = (Column("hosts", is_figure=True), Column("which"), Column("class"), Column("why"), Column("what to do"))


@app.callback(invoke_without_command=True)
def exposure(
    context: typer.Context,
    cve: Annotated[str, typer.Option("--cve", metavar="ID", help="Only this CVE: on which hosts, and why.")] = "",
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="Only this host, by its name or id.")] = "",
    only: Annotated[
        list[str] | None, typer.Option("--class", metavar="CLASS", help="Only this class (docs/exposure.md).")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Only hosts with this tag.")] = None,
    at: AtOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="CVEs that are listed.")] = SHOWN_CVES,
    by_hosts: Annotated[bool, typer.Option("--by-hosts", help="List what most hosts have, not what is worst.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what the fleet is open to, and what of it can be closed from here.

    Six classes: fixable-from-held, published-not-held, mitigation-only, no-fix, fixed-on-disk-not-running, unknown.
    What is exploited comes first, then by the vendor's priority, CVSS and EPSS. Exits 0 when nothing is open that
    anybody could close, 1 when something is, and 3 when nothing of that kind is known but of some hosts it is not
    known at all, as with feeds or reports that are too old or cannot be read: those are never taken for clean.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before_a_command(context)
        return
    if bool(cve) + bool(host) + bool(tag) > 1:
        raise Failure(ExitCode.USAGE, Complaint("--cve, --host and --tag exclude each other"))
    classes = _classes_of(only or [])
    moment = epoch(at)
    report = _asked(config, state, cve, host, at=moment, limit=limit, by_hosts=by_hosts, tags=tag or [])
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _say(report, classes)
    raise typer.Exit(_code(report, classes))


def _refuse_options_before_a_command(context: typer.Context) -> None:
    """They would be lost, the state's directory among them."""
    for name in context.params.keys() - {"as_json"}:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            todo = f"See `tidegate exposure {context.invoked_subcommand} --help` for those that it has."
            raise Failure(ExitCode.USAGE, Complaint(f"options go behind {context.invoked_subcommand}", todo=todo))


def _asked(
    config: Path | None,
    state: Path | None,
    cve: str,
    host: str,
    *,
    at: int | None,
    limit: int,
    by_hosts: bool,
    tags: Sequence[str],
) -> "Report":
    from tidegate.wiring.ask_exposure import ExposureDoor, NoFleetError

    door = ExposureDoor(settings_for(config, overrides(state=state)), os.environ)
    try:
        if cve:
            return door.cve(cve.upper(), at=at)
        if not host:
            return door.fleet(at=at, limit=limit, by_hosts=by_hosts, tags=tags)
        of_hosts = door.host(host, at=at)
        if of_hosts.hosts:
            return of_hosts
    except NoFleetError as error:
        todo = "Let hosts report (docs/fleet.md), or name the state's directory with --state."
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error), todo=todo)) from None
    raise Failure(ExitCode.USAGE, Complaint(f"no host {host!r} is known", todo="See `tidegate fleet list`."))


def _code(report: "Report", classes: frozenset[str]) -> ExitCode:
    """Of classes that are asked for by name every host counts; else those on which somebody can do something."""
    from tidegate.fleet.verdict import Exposure

    asked = [one for one in report.classes if one.hosts and one.exposure.value in classes and one.exposure.is_known]
    if asked or (not classes and report.to_do):
        return ExitCode.NO
    unknown = any(one.hosts and one.exposure is Exposure.UNKNOWN for one in report.classes)
    return ExitCode.WARNING if unknown or _has_gaps(report) else ExitCode.OK


def _has_gaps(report: "Report") -> bool:
    """Whether something is there of which nobody can say what it is open to."""
    from tidegate.web.exposure_report import CveExposureReport, FleetExposureReport

    match report:
        case FleetExposureReport():
            return bool(report.not_judged) or any(one.unreadable for one in report.feeds)
        case CveExposureReport():
            return False
        case _:
            return any(one.gaps for one in report.hosts)


def _classes_of(words: Sequence[str]) -> frozenset[str]:
    from tidegate.fleet.verdict import Exposure

    known = {one.value for one in Exposure}
    if wrong := sorted(set(words) - known):
        raise Failure(
            ExitCode.USAGE, Complaint(f"there is no class {wrong[0]!r}", todo=f"There is {', '.join(sorted(known))}.")
        )
    return frozenset(words)


def _say(report: "Report", classes: frozenset[str]) -> None:
    from tidegate.web.exposure_report import CveExposureReport, FleetExposureReport

    match report:
        case FleetExposureReport():
            _say_fleet(report, classes)
        case CveExposureReport():
            _say_cve(report, classes)
        case _:
            for number, one in enumerate(report.hosts):
                say("") if number else None
                _say_host(one, classes)


def _say_feeds(feeds: "Sequence[FeedAgeReport]", now: int) -> None:
    for one in feeds:
        name = f"{one.distribution} {one.release}".strip()
        if one.unknown_since is not None:
            note(f"{name}: unknown: {'; '.join(one.why)}")
        else:
            say(f"{name}: as its feeds said {age(one.as_of, now)} ago.")
        if one.unreadable:
            note(f"{name}: {one.unreadable:,} records of its feeds cannot be read, and any host may have those")


def _say_fleet(report: "FleetExposureReport", classes: frozenset[str]) -> None:
    say(f"{report.hosts:,} hosts; on {report.to_do:,} something is open that somebody can close.")
    if report.silent:
        note(f"{report.silent:,} hosts have been silent for too long: unknown")
    if report.not_judged:
        note(f"{report.not_judged:,} hosts have something that could not be judged: --host NAME says what")
    _say_feeds(report.feeds, report.at)
    say("")
    table(_CLASSES, [[f"{one.hosts:,}", one.exposure.value, one.meaning] for one in _of(report.classes, classes)])
    cves = [one for one in report.cves if not classes or classes & one.classes.keys()]
    if cves:
        say("")
        table(_CVES, [_cve(one) for one in cves])
    if report.cves_total > len(report.cves):
        say(f"{report.cves_total:,} CVEs in all: --limit shows more.")


def _say_cve(report: "CveExposureReport", classes: frozenset[str]) -> None:
    cve = report.cve
    say(f"{cve.about}: {_rank(cve.rank)}. Open on {cve.hosts:,} hosts.")
    _say_feeds(report.feeds, report.at)
    found = [one for one in report.findings if not classes or one.finding.exposure.value in classes]
    if found:
        say("")
        rows = [
            [f"{one.hosts_total:,}", _some(one.hosts, one.hosts_total), one.finding.exposure.value, one.finding.reason,
             one.finding.to_do]
            for one in found
        ]  # fmt: skip
        table(_HOSTS, rows)
    if report.unknown:
        note(f"not known of {len(report.unknown):,} hosts: {_some(report.unknown, len(report.unknown))}")


def _say_host(one: "HostExposureReport", classes: frozenset[str]) -> None:
    say(f"{one.name or one.host} ({one.distribution} {one.release}, {one.kernel or 'kernel not known'})")
    say(f"reported {age(one.taken_at, one.at)} ago; feeds of {age(one.feed_at, one.at)} ago.")
    if one.unknown_since is not None:
        note(f"unknown: {'; '.join(one.why)}")
    found = [each for each in one.findings if not classes or each.exposure.value in classes]
    if found:
        say("")
        table(_FINDINGS, [_finding(each) for each in found])
    elif one.clean:
        say("Nothing is open.")
    if one.untriaged:
        say(f"{len(one.untriaged):,} CVEs that its vendor has not looked at yet: no exposure (--json names them).")
    if one.dormant:
        say(f"{len({each.kernel for each in one.dormant}):,} kernels with faults are installed and do not run.")
    for gap in one.gaps:
        note(f"not judged: {gap}")


def _of(told: "Sequence[ClassReport]", classes: frozenset[str]) -> "list[ClassReport]":
    return [one for one in told if not classes or one.exposure.value in classes]


def _cve(one: "CveReport") -> list[str]:
    rank = one.rank
    return [
        one.about,
        f"{one.hosts:,}",
        f"due {rank.due}" if rank.exploited is not None and rank.due else "yes" if rank.exploited is not None else "",
        rank.priority,
        "" if rank.cvss is None else f"{rank.cvss:.1f}",
        "" if rank.epss is None else f"{rank.epss:.3f}",
        ", ".join(f"{name} {count:,}" for name, count in one.classes.items()),
    ]


def _rank(rank: "RankReport") -> str:
    said = [f"exploited, due {rank.due}" if rank.due else "exploited"] if rank.exploited is not None else []
    said += [f"priority {rank.priority}"] if rank.priority else []
    said += [f"CVSS {rank.cvss:.1f}"] if rank.cvss is not None else []
    said += [f"EPSS {rank.epss:.3f}"] if rank.epss is not None else []
    return ", ".join(said) or "not ranked by anybody"


def _finding(one: "FindingReport") -> list[str]:
    package = f"{one.package} {one.version}"
    return [one.about, package, one.exposure.value, "; ".join([one.reason, *_effects(one)]), one.to_do]


def _effects(one: "FindingReport") -> list[str]:
    return [f"{each.notice} is {each.effect.value}: {each.reason}" for each in one.mitigations]


def _some(hosts: Sequence[str], total: int) -> str:
    more = total - SHOWN_HOSTS
    return ", ".join(hosts[:SHOWN_HOSTS]) + (f" and {more:,} more" if more > 0 else "")
