"""`tidegate hold`: what the fleet is to have before it asks, and why."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.asking import age, octets
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, span, table

if TYPE_CHECKING:
    from tidegate.web.hold_report import (
        AmountReport,
        HoldReport,
        HoldsReport,
        HoldWhyReport,
        OfferReport,
        ReasonReport,
        RuleReport,
    )
    from tidegate.wiring.ask_hold import HoldDoor

app = typer.Typer(no_args_is_help=True, help="Say what the fleet is to have before it asks, and why.")

PATTERNS_SHOWN = 3
BY_THE_THOUSAND = ("need", "inventory")
"""Origins whose packages are listed with --needs."""

ArchiveOption = Annotated[str, typer.Option("--archive", metavar="NAME", help="Only of this archive.")]
_RULES = (
    Column("rule"),
    Column("what"),
    Column("packages", is_figure=True),
    Column("bytes", is_figure=True),
    Column("held", is_figure=True),
    Column("since", is_figure=True),
)
_PACKAGES = (
    Column("package"),
    Column("from"),
    Column("architecture"),
    Column("why"),
    Column("uses", is_figure=True),
    Column("last", is_figure=True),
    Column("counts for", is_figure=True),
)
_OFFERS = (
    Column("version"),
    Column("architecture"),
    Column("listed in"),
    Column("held"),
    Column("size", is_figure=True),
    Column("wanted"),
)
_MISSING = (Column("package"), *_OFFERS)


@app.command()
def add(
    context: typer.Context,
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATTERN", help="Names of packages; `*`, `?`, `[...]` as in a shell; `NAME^` is a task, as for apt."
        ),
    ] = None,
    all_of: Annotated[
        str, typer.Option("--all-of", metavar="SUITE", help="Everything in this suite: noble-security, say.")
    ] = "",
    name: Annotated[str, typer.Option("--name", metavar="RULE", help="What to call the rule; else by its words.")] = "",
    archive: ArchiveOption = "",
    suite: Annotated[
        str, typer.Option("--suite", metavar="SUITE", help="Only of this suite; of a release, with its updates.")
    ] = "",
    component: Annotated[str, typer.Option("--component", metavar="NAME", help="Only of this component.")] = "",
    architecture: Annotated[
        str, typer.Option("--arch", metavar="ARCH", help="Only for this architecture; `source` for source packages.")
    ] = "",
    closure: Annotated[bool, typer.Option("--closure", help="And all that they depend on.")] = False,
    recommends: Annotated[bool, typer.Option("--recommends", help="With --closure: and what is recommended.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a rule: hold these packages, in their newest versions, from now on.

    A rule of the same name is replaced. Exits 1 when a pattern fits nothing that is listed now, or when something
    that is needed cannot be had; the rule stands all the same.
    """
    from tidegate.web.hold_report import WishRequest
    from tidegate.wiring.hold import WishError

    if all_of and (patterns or suite):
        raise Failure(ExitCode.USAGE, Complaint("--all-of stands alone: no patterns, and no --suite"))
    if recommends and not closure:
        raise Failure(ExitCode.USAGE, Complaint("--recommends goes with --closure"))
    asked = WishRequest(
        patterns=tuple(patterns or ()),
        name=name,
        archive=archive,
        suite=all_of or suite,
        component=component,
        architecture=architecture,
        closure=closure,
        recommends=recommends,
    )
    try:
        with _answering():
            report = _door(config, state).add(asked)
    except WishError as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error))) from None
    if json_wanted(context, as_json):
        say_json(report)
    else:
        rule = report.rule
        say(f"{'Replaced' if report.replaced else 'Added'} the rule {rule.name!r}: {_amount(rule.amount)}.")
        _troubles(rule)
    raise typer.Exit(ExitCode.NO if report.rule.unmatched or report.rule.problems else ExitCode.OK)


@app.command()
def remove(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="A rule, or a package that clients used.")],
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove rules, or forget what clients used of a package until they ask for it again.

    Nothing that is held goes by this alone. Exits 1 when a name is neither.
    """
    with _answering():
        report = _door(config, state).remove(names)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        for name in report.rules:
            say(f"removed the rule {name!r}")
        for name in report.packages:
            say(f"forgot what clients used of {name}")
        for name in report.unknown:
            note(f"there is no rule {name!r}, and no client used a package of this name")
    raise typer.Exit(ExitCode.NO if report.unknown else ExitCode.OK)


@app.command(name="list")
def list_(
    context: typer.Context,
    needs: Annotated[
        bool, typer.Option("--needs", help="And each package that a rule's packages depend on, or that hosts have.")
    ] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Only what is wanted, listed and not held.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rules and what each comes to, and the packages that clients use or that upgrades of these need.

    With --missing it exits 1 when something is.
    """
    with _answering():
        report = _door(config, state).list()
    if json_wanted(context, as_json):
        say_json(report)
    elif missing:
        say(f"Wanted: {_amount(report.total)}.")
        table(_MISSING, [[one.name, *_offer(one)] for one in report.missing])
    else:
        _everything(report, needs=needs)
    raise typer.Exit(ExitCode.NO if missing and report.missing else ExitCode.OK)


def _everything(report: "HoldsReport", *, needs: bool) -> None:
    say(f"Wanted: {_amount(report.total)}.")
    if report.rules:
        say("")
        table(_RULES, [_rule(one, report.at) for one in report.rules])
        for rule in report.rules:
            _troubles(rule)
    packages = [one for one in report.packages if needs or one.origin not in BY_THE_THOUSAND]
    if packages:
        say("")
        table(_PACKAGES, [_package(one, report.at) for one in packages])


@app.command()
def why(
    context: typer.Context,
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="Its name.")],
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a package is held or not: who wants it, since when, which versions are listed where, and which are held.

    Exits 1 when nobody wants it.
    """
    with _answering():
        report = _door(config, state).why(package)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        for line in _explained(report):
            say(line)
        if report.offers:
            say("")
            table(_OFFERS, [_offer(one) for one in report.offers])
    raise typer.Exit(ExitCode.OK if report.hot else ExitCode.NO)


def _door(config: Path | None, state: Path | None) -> "HoldDoor":
    from tidegate.wiring.ask_hold import HoldDoor

    return HoldDoor(settings_for(config, overrides(state=state)), os.environ)


@contextmanager
def _answering() -> "Iterator[None]":
    """Where no gateway has ever served, there is nothing to list or to change. Raises Failure."""
    try:
        yield
    except FileNotFoundError as error:
        todo = "Start one with `tidegate serve`, or name its directory with --state."
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error.strerror), str(error.filename), todo)) from None


def _amount(amount: "AmountReport") -> str:
    packages = f"{amount.packages:,} package{'' if amount.packages == 1 else 's'}"
    return f"{packages}, {octets(amount.bytes)}; {amount.held:,} of them held, {octets(amount.held_bytes)}"


def _troubles(rule: "RuleReport") -> None:
    for pattern in rule.unmatched:
        say(f"  {rule.name}: nothing that is listed now fits {pattern}")
    for problem in rule.problems:
        say(f"  {rule.name}: {problem}")


def _rule(one: "RuleReport", now: int) -> list[str]:
    rest = len(one.patterns) - PATTERNS_SHOWN
    few = [*one.patterns[:PATTERNS_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
    what = [*(few or ["everything"]), *(f"+{word}" for word in _more(one)), *_where(one)]
    amount = one.amount
    return [
        one.name,
        " ".join(what),
        f"{amount.packages:,}",
        octets(amount.bytes),
        f"{amount.held:,}",
        age(one.since, now),
    ]


def _more(one: "RuleReport") -> Iterator[str]:
    if one.closure:
        yield "closure"
    if one.recommends:
        yield "recommends"


def _where(one: "RuleReport | ReasonReport") -> Iterable[str]:
    parts = " ".join(filter(None, (one.archive, one.suite, one.component, one.architecture)))
    return [f"({parts})"] if parts else []


def _package(one: "HoldReport", now: int) -> list[str]:
    return [
        one.name,
        " ".join(filter(None, (one.archive, one.suite, one.component))),
        one.architecture,
        one.why,
        f"{one.uses:,}" if one.origin in ("clients", "inventory") else "",
        age(one.last_used_at, now),
        _left(one.forgotten_at, now),
    ]


def _left(forgotten_at: int | None, now: int) -> str:
    if forgotten_at is None:
        return ""
    return span(forgotten_at - now) if forgotten_at > now else "no more"


def _explained(report: "HoldWhyReport") -> Iterator[str]:
    if not report.reasons:
        listed = "; it is listed" if report.offers else ", and no suite that is served lists it"
        yield f"Nobody wants {report.package}{listed}."
        return
    yield f"{report.package} is {'wanted' if report.hot else 'no longer wanted'}:"
    for one in report.reasons:
        yield f"  {' '.join((one.why, *_where(one)))}, since {age(one.since, report.at)} ago{_fading(one, report.at)}"


def _fading(one: "ReasonReport", now: int) -> str:
    if one.last_used_at is None or one.forgotten_at is None:
        return ""
    last = f", last {age(one.last_used_at, now)} ago"
    if one.counts:
        return f"{last}; counts for another {span(one.forgotten_at - now)}"
    return f"{last}; no longer counts since {span(now - one.forgotten_at)}"


def _offer(one: "OfferReport") -> list[str]:
    listed_in = " ".join(filter(None, (one.archive, one.suite, one.component)))
    held = "yes" if one.held else "no"
    return [one.version, one.architecture, listed_in, held, octets(one.size), ", ".join(one.wanted) or "no"]
