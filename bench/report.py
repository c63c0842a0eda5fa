"""The report: JSON with every value of every round, and Markdown made from nothing but that JSON."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.series import Series, Spread, Target, Verdict, spread

FORMAT = 1
INTRODUCTION = """\
# Benchmarks

Written by `python -m bench --write`; every value of every round is in `benchmarks.json` beside this file.
All peers run on one machine over loopback, started by the bench itself with the settings printed below.
A figure is the median over the rounds, with the smallest and the largest in brackets. A ratio is taken
between the values of the same round, and its median is held against the bound. Rounds alternate between
the peers, each beginning with another one. Ratios hold; absolute figures move with the machine.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One experiment as it was measured in one run."""

    method: str
    measured_at: str
    load_before: str
    scale: str
    rounds: int
    load_s: int
    machine: dict[str, str]
    versions: dict[str, str]
    settings: dict[str, str]
    series: tuple[Series, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """All experiments by name, each with the run that it comes from."""

    format: int = FORMAT
    sections: dict[str, Section] = field(default_factory=dict)


def read(file: Path) -> Report:
    """A report written before; an empty one when there is none of this format."""
    if not file.exists():
        return Report()
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    return report if report.format == FORMAT else Report()


def write(report: Report, stem: Path) -> None:
    """Write `stem`.json and `stem`.md."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1)
    stem.with_suffix(".json").write_bytes(encoded + b"\n")
    stem.with_suffix(".md").write_text(markdown(report))


def markdown(report: Report) -> str:
    """The whole report for people."""
    parts = [INTRODUCTION, _summary(report)]
    parts += [_section(name, section) for name, section in report.sections.items()]
    parts += _surroundings(report)
    return "\n".join(parts)


def _surroundings(report: Report) -> Iterator[str]:
    """Machine and versions, once for all experiments that had the same."""
    shared: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, section in report.sections.items():
        pairs = (*section.machine.items(), *section.versions.items())
        shared.setdefault(pairs, []).append(name)
    for pairs, names in shared.items():
        yield f"## Machine and versions: {', '.join(names)}\n"
        yield _table(["", ""], pairs)


def digest(report: Report) -> str:
    """The bounds alone, for a terminal."""
    parts = [_summary(report)]
    parts += [_bounds(name, section) for name, section in report.sections.items()]
    return "\n".join(parts)


def _bounds(title: str, section: Section) -> str:
    rows = [_bound(verdict, section) for verdict in section.verdicts]
    return f"### {title}\n\n{_table(_BOUND_HEADS, rows)}"


def _summary(report: Report) -> str:
    rows = []
    for name, section in report.sections.items():
        states = [verdict.state for verdict in section.verdicts]
        counts = (str(states.count(state)) for state in ("met", "not met", "not measured"))
        quick = " (quick: proves the way, no figures)" if section.scale == "quick" else ""
        when = [str(section.rounds), section.measured_at, section.load_before]
        rows.append([f"[{name}](#{name}){quick}", *counts, *when])
    heads = ["experiment", "bounds met", "not met", "not measured", "rounds", "measured", "load before"]
    return _table(heads, rows)


def _section(name: str, section: Section) -> str:
    parts = [f"## {name}\n", section.method.strip() + "\n"]
    parts.append(_bounds("Bounds", section))
    parts += ["### Figures\n", *_figures(section.series)]
    if section.notes:
        parts += ["### Notes\n", "\n".join(f"- {note}" for note in section.notes) + "\n"]
    settings = "\n".join(f"{peer}:\n\n```\n{text.strip()}\n```\n" for peer, text in section.settings.items())
    parts.append(_details("Settings", settings))
    return "\n".join(parts)


_BOUND_HEADS = ["case", "figure", "who", "bound", "measured", ""]


def _bound(verdict: Verdict, section: Section) -> list[str]:
    target = verdict.target
    unit = "" if target.against else _unit(target, section.series)
    measured = "—" if verdict.measured is None else _spread(verdict.measured, unit)
    mark = {"met": "met", "not met": "**not met**", "not measured": "not measured"}[verdict.state]
    bound = f"{target.relation} {_number(target.bound)}{unit}"
    if target.against:
        bound = f"{target.relation} {target.bound:.2f} \u00d7 {target.against}"
    return [target.case, target.figure, target.peer, bound, measured, mark]


def _unit(target: Target, series: Iterable[Series]) -> str:
    for one in series:
        if (one.case, one.figure) == (target.case, target.figure) and one.unit:
            return f" {one.unit}"
    return ""


def _figures(series: Sequence[Series]) -> Iterator[str]:
    """A table per figure and unit: cases down, peers across."""
    for figure, unit in dict.fromkeys((one.figure, one.unit) for one in series):
        chosen = {(one.case, one.peer): one for one in series if (one.figure, one.unit) == (figure, unit)}
        cases = dict.fromkeys(case for case, _ in chosen)
        peers = dict.fromkeys(peer for _, peer in chosen)
        rows = [[case, *(_cell(chosen.get((case, peer))) for peer in peers)] for case in cases]
        yield _table([f"{figure}{f' ({unit})' if unit else ''}", *peers], rows)


def _cell(series: Series | None) -> str:
    return "—" if series is None else _spread(spread(series.values), "")


def _spread(seen: Spread, unit: str) -> str:
    if seen.low == seen.high:
        return f"{_number(seen.median)}{unit}"
    return f"{_number(seen.median)}{unit} ({_number(seen.low)} to {_number(seen.high)})"


def _number(value: float) -> str:
    """Three figures that matter, thousands apart."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n"
