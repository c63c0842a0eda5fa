"""Measure and write docs/faults.md: `python -m tests.lab`. Needs a network namespace: root, or unprivileged ones."""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.environment import load_average, machine, versions

from tests.lab import bulk, crowd, load, midstream, peers, rows, verdict
from tests.lab.faults import TABLE, Fault
from tests.lab.laboratory import Laboratory
from tests.lab.report import Report, lines, write
from tests.lab.room import Room, enter, entered
from tests.lab.trees import grow
from tests.simulator.keys import KeyHome, make_keys

OUT = Path(__file__).parents[2] / "docs" / "faults"
CAP_S = 120.0
LOAD_S = 600.0
QUICK_CAP_S, QUICK_LOAD_S = 20.0, 30.0
HEALTHY_ROWS = 2
"""Healthy rows before the faulty ones, and as many after them."""
RELEVANT = ("python", "apt-cacher-ng", "apt", "gpgv", "tidegate", "tidegate commit")
PARTS = ("peers", "rows", "midstream", "crowd", "load")


def main(arguments: list[str]) -> int:
    """Enter the room, measure there, write; 0 when everything could be measured."""
    options = _options(arguments)
    if not entered():
        enter("tests.lab", arguments)
    faults = [fault for fault in TABLE if not options.fault or any(part in fault.name for part in options.fault)]
    begun, before = time.monotonic(), load_average()
    with _laboratory(options.cap) as laboratory:
        report = Report(
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            0.0,
            options.cap,
            before,
            machine(laboratory.work),
            {name: version for name, version in versions().items() if name in RELEVANT},
        )
        _measure(laboratory, report, faults, options)
    report.seconds = round(time.monotonic() - begun, 1)
    write(report, options.out)
    sys.stdout.write("\n".join([*lines(report.verdicts), f"{options.out}.md", ""]))
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter limits, to see that everything can be measured")
    parser.add_argument("--fault", action="append", metavar="WORDS", help="only faults whose name contains this")
    parser.add_argument("--only", action="append", choices=PARTS, help="only these parts")
    parser.add_argument("--cap", type=float, metavar="SECONDS", help=f"for one run of a client ({CAP_S:g})")
    parser.add_argument("--load", type=float, metavar="SECONDS", help=f"of constant load on a dead source ({LOAD_S:g})")
    parser.add_argument("--out", type=Path, default=OUT, metavar="STEM", help="writes STEM.md and STEM.json")
    options = parser.parse_args(arguments)
    options.cap = options.cap or (QUICK_CAP_S if options.quick else CAP_S)
    options.load = options.load or (QUICK_LOAD_S if options.quick else LOAD_S)
    options.only = options.only or PARTS
    return options


@contextlib.contextmanager
def _laboratory(cap_s: float) -> Iterator[Laboratory]:
    with tempfile.TemporaryDirectory(prefix="tg-lab-") as scratch, KeyHome() as home:
        work = Path(scratch)
        _say("publishing the archive and what attackers make of it")
        trees = grow(work, make_keys(home, work))
        room = Room()
        try:
            yield Laboratory(room, trees, work, cap_s)
        finally:
            room.close()


def _measure(laboratory: Laboratory, report: Report, faults: list[Fault], options: argparse.Namespace) -> None:
    """What only waits goes together; what is timed goes alone."""
    large = bool({"midstream", "crowd", "load"} & set(options.only))
    bulky = None
    if large:
        _say("publishing large packages, and many")
        drips = load.drips(options.load) if "load" in options.only else 0
        bulky = bulk.grow(laboratory.work, laboratory.trees.archive.keys, drips=drips)
    with ThreadPoolExecutor(1) as beside:
        loading = None
        if bulky is not None and "load" in options.only:
            _say(f"a dead source under load for {options.load:g} s, beside what follows")
            loading = beside.submit(load.measure, laboratory, bulky, options.load)
        if "peers" in options.only:
            report.cells = peers.measure(laboratory, faults, _tell_cell)
        if loading is not None:
            report.loads = loading.result()
    if bulky is not None and "midstream" in options.only:
        report.midstream = midstream.measure(laboratory, bulky)
        report.verdicts += verdict.of_midstream(report.midstream)
    if bulky is not None and "crowd" in options.only:
        report.crowd = crowd.measure(laboratory, bulky)
        report.verdicts += verdict.of_crowd(report.crowd)
    report.verdicts += verdict.of_load(report.loads)
    if "rows" in options.only:
        report.verdicts = _rows(laboratory, report, faults) + report.verdicts


def _rows(laboratory: Laboratory, report: Report, faults: list[Fault]) -> list[verdict.Verdict]:
    def some(which: list[Fault | None], tell: Callable[[rows.Row], None]) -> list[rows.Row]:
        found = []
        for fault in which:
            found.append(rows.measure(laboratory, fault))
            tell(found[-1])
        return found

    calm = some([None] * HEALTHY_ROWS, _tell_row)
    struck = some([*faults], _tell_row)
    calm += some([None] * HEALTHY_ROWS, _tell_row)
    report.healthy = verdict.healthy(calm)
    report.rows = [calm[0], *struck]
    report.added = [verdict.added(row, report.healthy) for row in struck]
    return verdict.of_rows([*calm, *struck], report.added)


def _tell_cell(cell: peers.Cell) -> None:
    update, install = cell.update, cell.install
    told = ", ".join(f"{one.end} {one.seconds:.1f} s" for one in (update, install))
    _say(f"{cell.fault or 'healthy'}; {cell.way}: {told}")


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
    _say(f"Tidegate: {row.fault or 'healthy'}: {told}")


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
