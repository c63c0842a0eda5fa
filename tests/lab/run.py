"""A whole run: what only waits goes together, what is timed goes alone, what cannot be measured is written down."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import bulk, crowd, load, midstream, peers, rows, verdict
from tests.lab.faults import Fault
from tests.lab.laboratory import Laboratory
from tests.lab.outcome import anonymous
from tests.lab.report import Report
from tests.lab.trees import Trees
from tests.lab.ways import PEERS, Way

PARTS = ("peers", "rows", "midstream", "crowd", "load")
AT_ONCE = 12  # clients of other ways, which mostly wait
HEALTHY_ROWS = 2
"""Healthy rows before the faulty ones, and as many after them."""


def measure(laboratory: Laboratory, report: Report, faults: list[Fault], parts: Sequence[str], load_s: float) -> None:
    """What only waits goes together; what is timed goes alone."""
    bulky = None
    if {"midstream", "crowd", "load"} & set(parts):
        say("publishing large packages, and many")
        drips = load.drips(load_s) if "load" in parts else 0
        bulky = bulk.grow(laboratory.work, laboratory.trees.archive.keys, drips=drips)
    with ThreadPoolExecutor(1) as beside:
        if bulky is not None and "load" in parts:
            say(f"dead sources under load for {load_s:g} s, beside what follows")
            beside.submit(_loads, laboratory, report, bulky, load_s)
        if "peers" in parts:
            report.cells = _cells(laboratory, report, faults)
    if "rows" in parts:
        _rows(laboratory, report, faults)
    if bulky is not None:
        _single(laboratory, report, bulky, parts)
    report.verdicts += verdict.of_load(report.loads)


def _cells(laboratory: Laboratory, report: Report, faults: list[Fault]) -> list[peers.Cell]:
    def one(job: tuple[Way, Fault | None]) -> list[peers.Cell]:
        way, fault = job
        found: list[peers.Cell] = []
        with _noted(report, f"{way.name}: {fault.name if fault else 'healthy'}", laboratory.work):
            found.append(peers.measure(laboratory, way, fault))
            _tell_cell(found[-1])
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [(way, fault) for fault in (None, *faults) for way in PEERS]
        return [cell for cells in pool.map(one, jobs) for cell in cells]


def _loads(laboratory: Laboratory, report: Report, bulky: Trees, seconds: float) -> None:
    with _noted(report, "dead sources under load", laboratory.work):
        report.loads = load.measure(laboratory, bulky, seconds)


def _single(laboratory: Laboratory, report: Report, bulky: Trees, parts: Sequence[str]) -> None:
    if "midstream" in parts:
        with _noted(report, "a source that falls silent in mid-body", laboratory.work):
            report.midstream = midstream.measure(laboratory, bulky)
            report.verdicts += verdict.of_midstream(report.midstream)
    if "crowd" in parts:
        with _noted(report, "a crowd", laboratory.work):
            report.crowd = crowd.measure(laboratory, bulky)
            report.verdicts += verdict.of_crowd(report.crowd)


def _rows(laboratory: Laboratory, report: Report, faults: list[Fault]) -> None:
    calm = _each(laboratory, report, [None] * HEALTHY_ROWS)
    struck = _each(laboratory, report, faults)
    calm += _each(laboratory, report, [None] * HEALTHY_ROWS)
    if calm:
        report.healthy = verdict.healthy(calm)
        report.rows = [calm[0], *struck]
        report.added = [verdict.added(row, report.healthy) for row in struck]
        report.verdicts += verdict.of_rows([*calm, *struck], report.added)


def _each(laboratory: Laboratory, report: Report, which: Sequence[Fault | None]) -> list[rows.Row]:
    found = []
    for fault in which:
        with _noted(report, fault.name if fault else "healthy", laboratory.work):
            found.append(rows.measure(laboratory, fault))
            _tell_row(found[-1])
    return found


@contextlib.contextmanager
def _noted(report: Report, what: str, work: Path) -> Iterator[None]:
    """What fails to be measured is written down, and the rest goes on."""
    try:
        yield
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        said = anonymous(f"{what}: {type(error).__name__}: {error}", work)
        report.unmeasured.append(said)
        say(f"could not be measured: {report.unmeasured[-1]}")


def _tell_cell(cell: peers.Cell) -> None:
    update, install = cell.update, cell.install
    told = ", ".join(f"{one.end} {one.seconds:.1f} s" for one in (update, install))
    say(f"{cell.fault or 'healthy'}; {cell.way}: {told}")


def _tell_row(row: rows.Row) -> None:
    parts = (
        row.first_update,
        row.again_update,
        row.first_install,
        row.again_install,
        row.held_update,
        row.held_install,
    )
    told = " | ".join(" ".join(f"{one.end} {one.seconds:.2f}" for one in part) for part in parts)
    say(f"Tidegate: {row.fault or 'healthy'}: {told}")


def say(line: str) -> None:
    """Tell whoever watches."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
