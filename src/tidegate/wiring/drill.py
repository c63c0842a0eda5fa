"""`tidegate drill`: a scenario played to its end, what it came to, and the files that tell it."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tidegate.drill.measuring import measured
from tidegate.drill.numbers import Number, numbers_of
from tidegate.drill.picture import picture
from tidegate.drill.record import Record
from tidegate.drill.scenario import Scenario, Tempo
from tidegate.drill.verdict import judge, overall
from tidegate.incidents.draft import draft
from tidegate.incidents.html import html
from tidegate.incidents.incident import Incident
from tidegate.incidents.markdown import markdown
from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Event
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.drill_report import DrillReport, StepReport
from tidegate.wiring.drill_lab import Lab, Progress
from tidegate.wiring.drilling import now_named
from tidegate.wiring.incidents import Incidents

CALM_S = 3.0
EVENTS_READ_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Played:
    """What was written down of a drill."""

    incidents: tuple[Incident, ...]
    events: tuple[Event, ...]
    newest: int


def in_lab(
    scenario: Scenario,
    known_as: str,
    root: Path,
    out: Path | None,
    *,
    by: str,
    tell: Callable[[Progress], None],
    stop: threading.Event,
) -> DrillReport:
    """Play it in a laboratory below `root`; write what tells it into `out`. Raises LabError, OSError."""
    name = now_named(known_as)
    lab = Lab(scenario, root, name=name, by=by, tell=tell, is_over=lambda state: _is_over(state, name), stop=stop)
    try:
        record = lab.run()
        played = _played(lab.gateway.state, name)
        numbers = numbers_of(record, played.incidents, played.events, name)
        report = _report(scenario, name, record, played, numbers, refresh_s=lab.refresh_s, stopped=stop.is_set())
        lab.end(report.verdict, report.reason)
        played = _played(lab.gateway.state, name)
    finally:
        lab.close()
    if out is not None:
        files = write(out, scenario, record, played, report)
        report = msgspec.structs.replace(report, files=files)
        (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return report


def _is_over(state: Path, name: str) -> bool:
    return all(one.state == "closed" for one in _played(state, name).incidents)


def _played(state: Path, name: str) -> Played:
    """What the journal of a state directory says of a drill."""
    with closing(SqliteJournal(state / "journal.db")) as journal:
        events = journal.last(EVENTS_READ_MAX)
        incidents = Incidents(journal, IncidentSettings(calm_s=CALM_S)).all()
    of_drill = tuple(one for one in events if one.drill == name)
    newest = max((one.seq for one in events), default=0)
    return Played(tuple(one for one in incidents if one.drill == name), of_drill, newest)


def _report(
    scenario: Scenario,
    name: str,
    record: Record,
    played: Played,
    numbers: tuple[Number, ...],
    *,
    refresh_s: float,
    stopped: bool,
) -> DrillReport:
    tempo = Tempo(scenario)
    values = measured(record, played.incidents, played.events, numbers, refresh_s=refresh_s, tempo=tempo)
    verdicts = judge(scenario.expect, values)
    return DrillReport(
        name=name,
        title=scenario.title,
        ground="lab",
        verdict="stopped" if stopped else overall(verdicts),
        reason="somebody stopped it" if stopped else "",
        began_at=record.began_at,
        seconds=record.ended_at - record.began_at,
        story_s=scenario.ends_s,
        requests=len(record.requests),
        served=sum(one.is_right for one in record.requests),
        apt_runs=len(record.runs),
        expectations=verdicts,
        numbers=numbers,
        steps=tuple(
            StepReport(clock_s=one.clock_s, story=scenario.shown(one.story_s), what=one.what, text=one.text)
            for one in record.steps
        ),
        incidents=tuple(one.id for one in played.incidents),
    )


def write(out: Path, scenario: Scenario, record: Record, played: Played, report: DrillReport) -> tuple[str, ...]:
    """The picture, the journal and a post-mortem's draft for each incident. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "run.svg": picture(scenario, Tempo(scenario), record, played.incidents, report.verdict),
        "journal.jsonl": "".join(msgspec.json.encode(one).decode() + "\n" for one in played.events),
        "scenario.json": msgspec.json.format(msgspec.json.encode(scenario), indent=2).decode(),
    }
    for one in played.incidents:
        made = draft(one, played.newest)
        texts[f"postmortem-{one.id}.md"] = markdown(made, {})
        texts[f"postmortem-{one.id}.html"] = html(made, {})
    for name, text in texts.items():
        (out / name).write_text(text)
    return (*texts, "report.json")
