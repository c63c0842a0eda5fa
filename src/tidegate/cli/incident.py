"""`tidegate incident`: what went wrong, from when to when; and what people say about it."""

import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.journal import opened
from tidegate.cli.options import ConfigOption, StateOption, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, say, say_json, table

if TYPE_CHECKING:
    from tidegate.incidents.incident import Incident
    from tidegate.incidents.writing import Writing
    from tidegate.store.sqlite_journal import SqliteJournal

app = typer.Typer(no_args_is_help=True, help="Show incidents, and write down what people do and say about them.")

LISTED_MAX = 20


class ExportFormat(StrEnum):
    """How an incident can be written for others."""

    STIX = "stix"


_COLUMNS = (
    Column("id"),
    Column("state"),
    Column("sev", is_figure=True),
    Column("started"),
    Column("lasted", is_figure=True),
    Column("lacking", is_figure=True),
    Column("what"),
)
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `tidegate incident list` shows it.")]
TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="In your words, 2,000 characters at most.")]
ByOption = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="Who writes this down; else the user's name.")
]


@app.command(name="list")
def list_(
    context: typer.Context,
    drills: Annotated[bool, typer.Option("--drills", help="Those of drills as well.")] = False,
    every: Annotated[bool, typer.Option("--all", help="All of them, not the newest twenty.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List incidents, the newest first. Exits 1 while one is open."""
    from tidegate.web.incident_report import IncidentsReport

    now = time.time()
    with opened(config, state) as journal:
        found = [one for one in reversed(all_of(journal, config, now)) if drills or not one.drill]
    if json_wanted(context, as_json):
        say_json(IncidentsReport(at=now, incidents=tuple(found)))
    elif found:
        shown = found if every else found[:LISTED_MAX]
        table(_COLUMNS, [_row(one, now) for one in shown])
        if len(found) > len(shown):
            say(f"and {len(found) - len(shown)} more: --all")
    else:
        say("No incident.")
    raise typer.Exit(ExitCode.NO if any(one.state == "open" for one in found) else ExitCode.OK)


@app.command()
def show(
    context: typer.Context,
    incident: IdArgument,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one incident: how bad, from when to when, what it did, what happened, and what people say."""
    from tidegate.web.incident_report import IncidentReport

    now = time.time()
    with opened(config, state) as journal:
        one = found_in(all_of(journal, config, now), incident)
    if json_wanted(context, as_json):
        say_json(IncidentReport(at=now, incident=one))
    else:
        _say(one, now)


@app.command()
def note(
    context: typer.Context,
    incident: IdArgument,
    text: TextArgument,
    who: ByOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write down something about an incident."""
    from tidegate.incidents.writing import Note

    _write(Note(text=text), incident, _Asked(context, config, state, as_json, who))


@app.command()
def action(
    context: typer.Context,
    incident: IdArgument,
    text: TextArgument,
    who: ByOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write down something that was done about an incident: the response, in its post-mortem."""
    from tidegate.incidents.writing import Action

    _write(Action(text=text), incident, _Asked(context, config, state, as_json, who))


@app.command()
def close(
    context: typer.Context,
    incident: IdArgument,
    text: TextArgument,
    still: Annotated[
        bool, typer.Option("--still", help="Though its conditions hold: whoever closes it knows better.")
    ] = False,
    who: ByOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that an incident is over, and why. By itself it closes some minutes after its last condition ended."""
    from tidegate.incidents.writing import Close

    _write(Close(text=text, still=still), incident, _Asked(context, config, state, as_json, who))


@app.command()
def claim(
    context: typer.Context,
    incident: IdArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What they say; with --revise, why you think otherwise.")],
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who says it.")] = None,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Where it can be read.")] = "",
    said_at: Annotated[str, typer.Option("--said-at", metavar="WHEN", help="When they said it.")] = "",
    attributes_to: Annotated[
        str, typer.Option("--attributes-to", metavar="NAME", help="Whom they hold responsible.")
    ] = "",
    confidence: Annotated[
        int | None, typer.Option("--confidence", metavar="N", min=0, max=100, help="How far you believe it; else 0.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="STATUS", help="pending (else), corroborated, disputed or refuted."),
    ] = None,
    revise: Annotated[
        str | None,
        typer.Option("--revise", metavar="CLAIM", help="C1 or C2, say: think otherwise of this claim."),
    ] = None,
    who: ByOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write down what somebody says about an incident, attribution above all. It is a claim, and shown as one."""
    from tidegate.incidents.claims import STATUSES
    from tidegate.incidents.writing import Revise, Said

    asked = _Asked(context, config, state, as_json, who)
    if status is not None and status not in STATUSES:
        raise Failure(
            ExitCode.USAGE, Complaint(f"{status!r} is no status", todo=f"Statuses are {', '.join(STATUSES)}.")
        )
    judged = next((one for one in STATUSES if one == status), None)
    if revise is not None:
        _write(Revise(claim=revise, text=text, confidence=confidence, status=judged), incident, asked)
        return
    if not by:
        raise Failure(ExitCode.USAGE, Complaint("a claim is somebody's", todo="Say whose it is: --by NAME."))
    said = Said(
        text=text,
        said_by=by,
        url=url,
        said_at=said_at,
        attributes_to=attributes_to,
        confidence=confidence or 0,
        status=judged or "pending",
    )
    _write(said, incident, asked)


@app.command()
def export(
    incident: IdArgument,
    form: Annotated[ExportFormat, typer.Option("--format", help="STIX 2.1 is the only one.")] = ExportFormat.STIX,
    author: Annotated[
        str, typer.Option("--author", metavar="NAME", help="Whose word it is: your organization's name.")
    ] = "operator of a Tidegate gateway",
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Write an incident as a STIX 2.1 bundle: what happened, and what people say about it, as notes and opinions.

    A claim of attribution is an attributed-to relationship with its confidence. The same incident gives the same
    bundle. Needs the package stix2 (`pip install 'tidegate[stix]'`).
    """
    del form
    from tidegate.incidents.stix import bundle

    with opened(config, state) as journal:
        one = found_in(all_of(journal, config, time.time()), incident)
        (row,) = journal.rows(after=one.opened - 1, limit=1)
    try:
        say(bundle(one, origin=row.hash.hex(), author=author))
    except ImportError:
        todo = "Install it: pip install 'tidegate[stix]'"
        raise Failure(ExitCode.UNAVAILABLE, Complaint("the package stix2 is not installed", todo=todo)) from None


# What they share


def found_in(incidents: "tuple[Incident, ...]", name: str) -> "Incident":
    """The one of this id. Raises Failure."""
    for one in incidents:
        if one.id == name:
            return one
    todo = "`tidegate incident list --all --drills` shows all there are."
    raise Failure(ExitCode.NO, Complaint(f"there is no incident {name}", todo=todo))


def all_of(journal: "SqliteJournal", config: Path | None, now: float) -> "tuple[Incident, ...]":
    """Every incident of a journal, the oldest first, by the settings in force."""
    from tidegate.wiring.incidents import Incidents

    return Incidents(journal, settings_for(config).settings.incidents).all(now)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every command that writes is told."""

    context: typer.Context
    config: Path | None
    state: Path | None
    as_json: bool
    who: str | None


def _write(writing: "Writing", incident: str, asked: _Asked) -> None:
    from tidegate.incidents.writing import UnfitError, happening
    from tidegate.web.incident_report import WrittenReport

    with opened(asked.config, asked.state) as journal:
        one = found_in(all_of(journal, asked.config, time.time()), incident)
        try:
            event = happening(one, writing, _name(asked.who))
        except UnfitError as error:
            raise Failure(ExitCode.NO, Complaint(str(error), incident, error.todo)) from None
        (seq,) = journal.append([event])
    name = str(event.data.get("claim", ""))
    if json_wanted(asked.context, asked.as_json):
        say_json(WrittenReport(incident=incident, seq=seq, claim=name))
    else:
        say(f"{incident}: written down{f' as {name}' if name else ''}, event {seq}")


def _name(who: str | None) -> str:
    """Who is at the keyboard, as far as the system knows."""
    import getpass

    if who:
        return who
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _row(one: "Incident", now: float) -> list[str]:
    from tidegate.incidents.telling import span
    from tidegate.trust.verdict import utc

    lasted = span((one.mitigated_at or now) - one.started_at)
    what = f"{one.title} (drill {one.drill})" if one.drill else one.title
    started = utc(int(one.started_at)).removesuffix(" UTC")
    return [one.id, one.state, str(one.severity), started, lasted, f"{one.impact.lacking:,}", what]


def _say(one: "Incident", now: float) -> None:
    from tidegate.incidents.claims import sentence
    from tidegate.incidents.rules import BY_NAME, SEVERITIES, Severity
    from tidegate.incidents.telling import span
    from tidegate.trust.verdict import utc

    say(f"{one.id}: {one.title}{f' (drill {one.drill})' if one.drill else ''}")
    say(f"{one.state}, SEV{one.severity}: {SEVERITIES[Severity(one.severity)]}")
    say(f"started {utc(int(one.started_at))}, detected {span(one.detected_at - one.started_at)} later")
    if one.mitigated_at is None:
        say(f"it has lasted {span(now - one.started_at)}")
    else:
        say(f"ended {utc(int(one.mitigated_at))}, after {span(one.mitigated_at - one.started_at)}")
    impact = one.impact
    say(f"asked meanwhile: {impact.requests:,} requests, of them {impact.lacking:,} for what we did not hold")
    say("")
    for condition in one.conditions:
        rule = BY_NAME[condition.rule]
        until = "holds" if condition.until is None else f"until {utc(int(condition.until))}"
        say(f"  SEV{rule.severity} {condition.subject}: {rule.what}; since {utc(int(condition.since))}, {until}")
        if condition.until is None:
            say(f"       {rule.todo}")
    say("")
    for line in one.timeline:
        say(f"  {utc(int(line.at)).removesuffix(' UTC')}  #{line.seq}  {line.text}")
    if one.left_out:
        say(f"  and {one.left_out:,} more: `tidegate journal show --since {one.opened}`")
    for claim in one.claims:
        say(f"  claim {claim.name}: {sentence(claim)}")
