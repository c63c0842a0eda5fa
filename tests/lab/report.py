"""docs/faults.json, every value of it, and docs/faults.md, made from nothing but that."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.lab import verdict
from tests.lab.crowd import Crowd
from tests.lab.load import Load
from tests.lab.midstream import Midstream
from tests.lab.outcome import Outcome
from tests.lab.peers import Cell
from tests.lab.rows import Row
from tests.lab.verdict import Added, Healthy, Verdict
from tests.lab.ways import PEERS

INTRODUCTION = """\
# Faults, and what each client makes of them

Written by `make faults` (`python -m tests.lab`), which repeats all of it; every value is in `faults.json` beside this
file. A signed archive is offered by three sources on one machine, each of an operator of its own; the fault is at the
first of them. The clients are real: `apt-get update` from nothing, and `apt-get install --download-only` of six
packages (3.4 MB) that nobody has cached, after a healthy update.

- *apt, the one source*: as a fleet has it today, with the faulty source in its sources.list.
- *apt, mirror+file of three*: apt's own list of all three, by priority.
- *apt-cacher-ng, three backends*: Debian's package with all three as backends of one Remap.
- *Tidegate*: all three as its sources, and nothing else configured.

A cell says what became of it, and the seconds: `ok` · `old` it ended well and holds what is not the newest · `error`
it ended with a message · `WRONG` it holds what no valid signature accounts for · `> N s` stopped at the limit.
Tidegate is asked on first contact with the fault. apt and apt-cacher-ng run with their defaults, but for paths, ports
and languages.
"""
PARTS = {
    "peers": "The other ways",
    "rows": "Tidegate",
    "midstream": "The blackhole in mid-body",
    "crowd": "The crowd",
    "load": "The dead sources",
}
HELD = """\
## Tidegate: seconds added to the healthy run

*First*: the first contact with the fault; *known*: the same work again, the median of three. *Hit*: an update and an
install of what Tidegate holds, with the fault at one source, and at all three. A `!` marks what misses its target:
2 s, 0.2 s, and for hits the noise of the healthy run. *Asked*: requests that the faulty source read on first contact.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """When, where and with what a part was measured."""

    measured_at: str
    seconds: float
    cap_s: float
    load_average: str
    machine: dict[str, str]
    versions: dict[str, str]


@dataclass(slots=True)
class Report:
    """All that is known, each part from the run that measured it last; what was not measured is empty.

    `judge` makes the last three fields from the others.
    """

    runs: dict[str, Run] = field(default_factory=dict)  # by part
    unmeasured: dict[str, list[str]] = field(default_factory=dict)  # by part: what could not be, and why
    cells: list[Cell] = field(default_factory=list)
    calm: list[Row] = field(default_factory=list)  # healthy rows
    rows: list[Row] = field(default_factory=list)
    midstream: Midstream | None = None
    crowd: Crowd | None = None
    loads: list[Load] = field(default_factory=list)
    healthy: Healthy | None = None
    added: list[Added] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def judge(report: Report) -> None:
    """Hold what was measured against what was asked for."""
    report.verdicts = []
    if report.calm:
        report.healthy = verdict.healthy(report.calm)
        report.added = [verdict.added(row, report.healthy) for row in report.rows]
        report.verdicts += verdict.of_rows([*report.calm, *report.rows], report.added)
    if report.midstream:
        report.verdicts += verdict.of_midstream(report.midstream)
    if report.crowd:
        report.verdicts += verdict.of_crowd(report.crowd)
    report.verdicts += verdict.of_load(report.loads)


def read(stem: Path) -> Report:
    """What earlier runs left at `stem`.json; an empty report where there is nothing, or nothing of today's form."""
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):  # a ValidationError is one, too
        return msgspec.json.decode(stem.with_suffix(".json").read_bytes(), type=Report)
    return Report()


def write(report: Report, stem: Path) -> None:
    """Write `stem`.json and `stem`.md."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    stem.with_suffix(".md").write_text(markdown(report))


def markdown(report: Report) -> str:
    """The page."""
    parts = [INTRODUCTION, _verdicts(report.verdicts), _unmeasured(report), _outcomes(report)]
    if report.healthy is not None:
        parts += [HELD, _added(report)]
    parts += [_single(report), _surroundings(report)]
    return "\n".join(part for part in parts if part)


def lines(verdicts: Iterable[Verdict]) -> list[str]:
    """The verdicts for a terminal."""
    return [f"{'met   ' if one.met else 'MISSED'} {one.target}: {one.found}" for one in verdicts]


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    rows = [(one.target, one.found, "met" if one.met else "**missed**") for one in verdicts]
    return "## What was asked for\n\n" + _table(("target", "found", ""), rows)


def _unmeasured(report: Report) -> str:
    told = "\n".join(f"- {one}" for part in report.unmeasured.values() for one in part)
    return f"Could not be measured:\n\n{told}\n" if told else ""


def _outcomes(report: Report) -> str:
    cells = {(cell.fault, cell.way): cell for cell in report.cells}
    rows = {row.fault: row for row in (*report.calm[:1], *report.rows)}
    ways = [way.name for way in PEERS if any(cell.way == way.name for cell in report.cells)]
    faults = list(dict.fromkeys([*(cell.fault for cell in report.cells), *rows]))
    head = (
        "fault of the first source",
        *(f"{way}: {what}" for way in (*ways, "Tidegate") for what in ("update", "install")),
    )
    body = []
    for fault in faults:
        line = [fault or "*none*"]
        for way in ways:
            cell = cells.get((fault, way))
            line += [_cell(cell.update), _cell(cell.install)] if cell else ["", ""]
        row = rows.get(fault)
        line += [_cell(row.first_update[0]), _cell(row.first_install[0])] if row else ["", ""]
        body.append(line)
    return f"## Who got their packages\n\n{_table(head, body)}"


def _added(report: Report) -> str:
    head = (
        "fault",
        "first update",
        "known update",
        "first install",
        "known install",
        "hit",
        "hit, all struck",
        "asked",
        "",
    )
    body = []
    rows = {row.fault: row for row in report.rows}
    for one in report.added:
        figures = {
            "first update": one.first_update_s,
            "known update": one.again_update_s,
            "first install": one.first_install_s,
            "known install": one.again_install_s,
            "hit": one.held_s,
            "hit, all struck": one.all_struck_s,
        }
        missed = {miss.rpartition(" +")[0] for miss in one.misses}
        shown = [f"{seconds:+.2f}{' !' if name in missed else ''}" for name, seconds in figures.items()]
        row = rows[one.fault]
        body.append(
            [one.fault, *shown, f"{row.asked_update}, {row.asked_install}", "ok" if one.succeeded else "**failed**"]
        )
    yard = report.healthy
    assert yard is not None
    said = (
        f"Healthy: first update {yard.first_update_s:.2f} s, another suite's {yard.again_update_s:.2f} s, first install"
        f" {yard.first_install_s:.2f} s, another {yard.again_install_s:.2f} s; of what is held, update"
        f" {yard.held_update_s:.2f} s, install {yard.held_install_s:.2f} s; noise {yard.noise_s:.2f} s.\n"
    )
    failures = [f"- {one.fault}: {'; '.join(one.misses)}" for one in report.added if one.misses]
    told = "\nWhat missed:\n\n" + "\n".join(failures) + "\n" if failures else ""
    return f"{said}\n{_table(head, body)}{told}"


def _single(report: Report) -> str:
    parts = []
    if one := report.midstream:
        parts.append(
            f"- *A {one.size_bytes / 1e6:.0f} MB download whose source is blackholed half way*:"
            f" {one.struck_s:.2f} s in all ({one.calm_s:.2f} s without the fault), longest stall"
            f" {one.longest_gap_s:.2f} s ({one.calm_longest_gap_s:.2f} s), {one.overhead:.1%} of it sent twice."
        )
    if crowd := report.crowd:
        sent = ", ".join(f"{role} {size / 1e6:.1f} MB" for role, size in crowd.sent_bytes.items())
        parts.append(
            f"- *{crowd.clients} clients on one cold object of {crowd.size_bytes / 1e6:.0f} MB while the first source"
            f" trickles at 1 kB/s*: {crowd.served} served whole and right within {crowd.seconds:.1f} s; sent by the"
            f" sources: {sent}."
        )
    rows = [
        (
            one.fault,
            f"{one.seconds:g} s",
            f"{one.at_the_dead}",
            f"{one.promised}",
            f"{one.answered} of {one.asked}",
            f"{one.slowest_s:.2f} s",
        )
        for one in report.loads
    ]
    if rows:
        head = ("a source that is", "for", "was asked", "promised at most", "clients answered", "the slowest in")
        parts.append("\n" + _table(head, rows))
    return "## One by one\n\n" + "\n".join(parts) + "\n" if parts else ""


def _surroundings(report: Report) -> str:
    return "## Where and when this was measured\n\n" + "\n".join(_told(part, run) for part, run in report.runs.items())


def _told(part: str, run: Run) -> str:
    facts = {**run.machine, **run.versions, "load average before": run.load_average}
    told = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    took = f"{run.measured_at}, in {run.seconds / 60:.0f} minutes; each run of a client stopped after {run.cap_s:g} s."
    return f"*{PARTS[part]}*: {took}\n\n{told}\n"


def _cell(outcome: Outcome) -> str:
    match outcome.end:
        case "timed out":
            return f"> {outcome.seconds:.0f} s"
        case "wrong":
            return f"WRONG, {outcome.seconds:.1f} s"
        case _:
            return f"{outcome.end}, {outcome.seconds:.1f} s"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
