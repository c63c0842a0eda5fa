"""A whole run: what only waits goes together, what is timed goes alone, what cannot be measured is written down."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.lab import bulk, crowd, load, midstream, peers, rows
from tests.lab.faults import Fault
from tests.lab.laboratory import Laboratory
from tests.lab.outcome import anonymous
from tests.lab.report import Report
from tests.lab.trees import Trees
from tests.lab.ways import PEERS, Way

AT_ONCE = 12  # clients of other ways, which mostly wait
HEALTHY_EVERY = 6
"""After so many faulty rows comes a healthy one, so that the yardstick is of the same hour as what it measures."""


def measure(laboratory: Laboratory, report: Report, faults: list[Fault], parts: Sequence[str], load_s: float) -> None:
    """Put these parts into the report, in place of what it had of them."""
    for part in parts:
        report.unmeasured.pop(part, None)
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
        report.calm, report.rows = _rows(laboratory, report, [None]), []
        for begin in range(0, len(faults), HEALTHY_EVERY):
            report.rows += _rows(laboratory, report, faults[begin : begin + HEALTHY_EVERY])
            report.calm += _rows(laboratory, report, [None])
    if bulky is not None and "midstream" in parts:
        with _noted(laboratory, report, "midstream"):
            report.midstream = midstream.measure(laboratory, bulky)
    if bulky is not None and "crowd" in parts:
        with _noted(laboratory, report, "crowd"):
            report.crowd = crowd.measure(laboratory, bulky)


def _cells(laboratory: Laboratory, report: Report, faults: list[Fault]) -> list[peers.Cell]:
    def one(job: tuple[Way, Fault | None]) -> list[peers.Cell]:
        way, fault = job
        found: list[peers.Cell] = []
        with _noted(laboratory, report, "peers", f"{way.name}: {fault.name if fault else 'healthy'}"):
            found.append(peers.measure(laboratory, way, fault))
            _tell_cell(found[-1])
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [(way, fault) for fault in (None, *faults) for way in PEERS]
        return [cell for cells in pool.map(one, jobs) for cell in cells]


def _loads(laboratory: Laboratory, report: Report, bulky: Trees, seconds: float) -> None:
    with _noted(laboratory, report, "load"):
        report.loads = load.measure(laboratory, bulky, seconds)


def _rows(laboratory: Laboratory, report: Report, which: Sequence[Fault | None]) -> list[rows.Row]:
    found = []
    for fault in which:
        with _noted(laboratory, report, "rows", fault.name if fault else "healthy"):
            found.append(rows.measure(laboratory, fault))
            _tell_row(found[-1])
    return found


@contextlib.contextmanager
def _noted(laboratory: Laboratory, report: Report, part: str, what: str = "") -> Iterator[None]:
    """What fails to be measured is written down, and the rest goes on."""
    try:
        yield
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        said = anonymous(f"{what or part}: {type(error).__name__}: {error}", laboratory.work)
        report.unmeasured.setdefault(part, []).append(said)
        say(f"could not be measured: {said}")


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
