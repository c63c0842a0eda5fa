"""`tidegate drill`: a scenario played to its end, what it came to, and the files that tell it."""

import threading
import time
from collections.abc import Callable, Iterable
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
from tidegate.store.layout import Layout
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.drill_index import index
from tidegate.web.drill_report import DrillReport, StepReport
from tidegate.web.report import StatusReport
from tidegate.web.settings import StatusSettings
from tidegate.web.status_files import files_of
from tidegate.web.status_page import Known, status_page
from tidegate.wiring.drill_lab import Lab, Progress
from tidegate.wiring.drill_live import Live
from tidegate.wiring.drilling import now_named
from tidegate.wiring.incidents import Incidents
from tidegate.wiring.status_page import last_run, recorded
from tidegate.wiring.status_page import write as write_page

IN_LAB = IncidentSettings(calm_s=5.0)
"""As the laboratory's gateway has it."""
EVENTS_READ_MAX = 200_000
PAGES = ("status-during", "status")
SETTLED_S_MAX = 8.0
WRITTEN_S = 1.0
"""For what happened last to be in the journal."""


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
    lab = Lab(
        scenario,
        root,
        name=name,
        by=by,
        tell=tell,
        is_over=lambda state: _is_over(state, name),
        incident_in=lambda state: next((one.id for one in reversed(_played(state, name).incidents)), None),
        at_worst=lambda state, told: (
            _is_known(state, name) and _page(out, "status-during", state, told, name, scenario.title)
        ),
        stop=stop,
    )
    try:
        record = lab.run()
        played, numbers = _settled(lab.gateway.state, name, record)
        report = _report(scenario, name, record, played, numbers, refresh_s=lab.refresh_s, stopped=stop.is_set())
        _page(out, "status", lab.gateway.state, lab.status(), name, scenario.title)
        lab.end(report.verdict, report.reason)
        played = _played(lab.gateway.state, name)
    finally:
        lab.close()
    return report if out is None else _written(out, scenario, lab.tempo, record, played, report)


def in_gateway(
    scenario: Scenario,
    known_as: str,
    layout: Layout,
    rules: IncidentSettings,
    out: Path | None,
    *,
    by: str,
    lasts_s: float,
    tell: Callable[[Progress], None],
    stop: threading.Event,
) -> DrillReport:
    """Play it in the gateway that serves from a state. Raises as `Live.run`, OSError."""
    name = now_named(known_as)
    live = Live(scenario, layout.control, name=name, by=by, lasts_s=lasts_s, tell=tell, stop=stop)
    ending = live.run()
    time.sleep(WRITTEN_S)
    played = _played(layout.state, name, rules)
    values = measured(live.record, played.incidents, played.events, (), refresh_s=1.0, tempo=live.tempo)
    if ending.requests:
        values["served-percent"] = 100 * (ending.requests - ending.lacking) / ending.requests
    verdicts = judge(scenario.expect, values, "live")
    report = DrillReport(
        name=name,
        title=scenario.title,
        ground="live",
        verdict="stopped" if ending.reason else overall(verdicts),
        reason=ending.reason,
        began_at=live.record.began_at,
        seconds=live.record.ended_at - live.record.began_at,
        story_s=scenario.ends_s,
        requests=ending.requests,
        served=ending.requests - ending.lacking,
        apt_runs=0,
        expectations=verdicts,
        numbers=(),
        steps=_steps(scenario, live.record),
        incidents=tuple(one.id for one in played.incidents),
        left_out=ending.left_out,
    )
    if report.verdict != "stopped":
        live.end(report.verdict)
    return report if out is None else _written(out, scenario, live.tempo, live.record, played, report)


def _written(
    out: Path, scenario: Scenario, tempo: Tempo, record: Record, played: Played, report: DrillReport
) -> DrillReport:
    """The report with the names of the files that tell it. Raises OSError."""
    report = msgspec.structs.replace(report, files=write(out, scenario, tempo, record, played, report))
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return report


def _steps(scenario: Scenario, record: Record) -> tuple[StepReport, ...]:
    return tuple(
        StepReport(clock_s=one.clock_s, story=scenario.shown(one.story_s), what=one.what, text=one.text)
        for one in record.steps
    )


def _settled(state: Path, name: str, record: Record) -> tuple[Played, tuple[Number, ...]]:
    """What is written down of a drill whose clients have stopped: what was served last is a moment later."""
    deadline = time.monotonic() + SETTLED_S_MAX
    while True:
        played = _played(state, name)
        numbers = numbers_of(record, played.incidents, played.events, name)
        if all(one.agrees for one in numbers) or time.monotonic() > deadline:
            return played, numbers
        time.sleep(WRITTEN_S / 2)


def _is_over(state: Path, name: str) -> bool:
    return all(one.state == "closed" for one in _played(state, name).incidents)


def _played(state: Path, name: str, rules: IncidentSettings = IN_LAB) -> Played:
    """What the journal of a state directory says of a drill."""
    with closing(SqliteJournal(state / "journal.db")) as journal:
        events = journal.last(EVENTS_READ_MAX)
        incidents = Incidents(journal, rules).all()
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
        steps=_steps(scenario, record),
        incidents=tuple(one.id for one in played.incidents),
    )


def _is_known(state: Path, name: str) -> bool:
    """That nobody is left to ask is in the journal by now."""
    conditions = (span for one in _played(state, name).incidents for span in one.conditions)
    return any(span.rule == "alone" and span.until is None for span in conditions)


def _page(out: Path | None, folder: str, state: Path, told: StatusReport, name: str, title: str) -> bool:
    """The status page as the people would see it if this were no drill; true. Raises OSError."""
    if out is None:
        return True
    now = time.time()
    with closing(SqliteJournal(state / "journal.db")) as journal:
        incidents = [one for one in Incidents(journal, IN_LAB).all(now) if one.drill == name]
        seen = [msgspec.structs.replace(one, drill="") for one in incidents]
        known = Known(told, seen, (), recorded(journal, last_run(journal, told)))
        page = status_page(known, StatusSettings(title=f"Software updates (a drill: {title})"), now)
    write_page(files_of(page), out / folder)
    return True


def write(
    out: Path, scenario: Scenario, tempo: Tempo, record: Record, played: Played, report: DrillReport
) -> tuple[str, ...]:
    """The picture, the journal and a post-mortem's draft for each incident. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "run.svg": picture(scenario, tempo, record, played.incidents, report.verdict),
        "journal.jsonl": _lines(played.events),
        "scenario.json": msgspec.json.format(msgspec.json.encode(scenario), indent=2).decode(),
        **_counted(record),
    }
    for one in played.incidents:
        made = draft(one, played.newest)
        texts[f"postmortem-{one.id}.md"] = markdown(made, {})
        texts[f"postmortem-{one.id}.html"] = html(made, {})
    pages = [f"{folder}/index.html" for folder in PAGES if (out / folder / "index.html").exists()]
    texts["index.html"] = index(report, (*texts, *pages, "report.json"))
    for name, text in texts.items():
        (out / name).write_text(text)
    return (*texts, *pages, "report.json")


def _counted(record: Record) -> dict[str, str]:
    """What clients were given and sources gave, as each counted it: whoever doubts a number can count again."""
    if not record.given:
        return {}
    answers = [answer for run in record.runs for answer in run.answers]
    return {"hosts.jsonl": _lines(record.requests), "apt.jsonl": _lines(answers), "sources.jsonl": _lines(record.given)}


def _lines(values: Iterable[object]) -> str:
    return "".join(msgspec.json.encode(one).decode() + "\n" for one in values)
