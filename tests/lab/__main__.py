"""Measure and write docs/faults.md: `python -m tests.lab`. Needs a network namespace: root, or unprivileged ones."""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.environment import load_average, machine, versions

from tests.lab.faults import TABLE
from tests.lab.laboratory import Laboratory
from tests.lab.report import PARTS, Run, judge, lines, read, write
from tests.lab.room import Room, enter, entered
from tests.lab.run import measure, say
from tests.lab.trees import grow
from tests.simulator.keys import KeyHome, make_keys

ROOT = Path(__file__).parents[2]
WHOLE = ROOT / "docs" / "faults"
PARTIAL = ROOT / "dist" / "faults"
"""Where a run goes that leaves something out: it is no table for people."""
CAP_S = 120.0
LOAD_S = 600.0
QUICK_CAP_S, QUICK_LOAD_S = 20.0, 30.0
RELEVANT = ("python", "apt-cacher-ng", "apt", "gpgv", "tidegate", "tidegate commit")


def main(arguments: list[str]) -> int:
    """Enter the room, measure there, write; 0 when everything could be measured."""
    options = _options(arguments)
    if not entered():
        enter("tests.lab", arguments)
    faults = [fault for fault in TABLE if not options.fault or any(part in fault.name for part in options.fault)]
    begun, before = time.monotonic(), load_average()
    at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    report = read(options.out)
    with _laboratory(options.cap) as laboratory:
        where = machine(laboratory.work)
        measure(laboratory, report, faults, options.only, options.load)
    chosen = {name: version for name, version in versions().items() if name in RELEVANT}
    run = Run(at, round(time.monotonic() - begun, 1), options.cap, before, where, chosen)
    report.runs |= dict.fromkeys(options.only, run)
    judge(report)
    write(report, options.out)
    sys.stdout.write("\n".join([*lines(report.verdicts), f"{options.out}.md", ""]))
    return 1 if any(report.unmeasured.values()) else 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter limits, to see that everything can be measured")
    parser.add_argument("--fault", action="append", metavar="WORDS", help="only faults whose name contains this")
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="only this part; of the others, what is there stays"
    )
    parser.add_argument("--cap", type=float, metavar="SECONDS", help=f"for one run of a client ({CAP_S:g})")
    parser.add_argument("--load", type=float, metavar="SECONDS", help=f"of constant load on a dead source ({LOAD_S:g})")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="STEM",
        help="writes STEM.md and STEM.json; else docs/faults, or dist/faults for a run that leaves something out",
    )
    options = parser.parse_args(arguments)
    options.out = options.out or (PARTIAL if options.quick or options.fault else WHOLE)
    options.cap = options.cap or (QUICK_CAP_S if options.quick else CAP_S)
    options.load = options.load or (QUICK_LOAD_S if options.quick else LOAD_S)
    options.only = options.only or [*PARTS]
    return options


@contextlib.contextmanager
def _laboratory(cap_s: float) -> Iterator[Laboratory]:
    with tempfile.TemporaryDirectory(prefix="tg-lab-") as scratch, KeyHome() as home:
        work = Path(scratch)
        say("publishing the archive and what attackers make of it")
        trees = grow(work, make_keys(home, work))
        room = Room()
        try:
            yield Laboratory(room, trees, work, cap_s)
        finally:
            room.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
