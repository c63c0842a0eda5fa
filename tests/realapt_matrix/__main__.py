"""Measure trees of other apts and write what they did: `python -m tests.realapt_matrix NAME=TREE…`."""

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.realapt_matrix.answers import SCRIPTED, Kind, Scripted
from tests.realapt_matrix.record import MEASURED, PAGE, Cells, Client, load, page_with, save
from tests.realapt_matrix.stage import CAP_S, Outcome, make_archive, play
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import KeyHome, make_keys


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.realapt_matrix", description=__doc__)
    parser.add_argument("trees", nargs="*", metavar="NAME=TREE", help="where that apt comes from, and its root")
    parser.add_argument("--jobs", type=int, default=16, help="clients at once; they mostly wait")
    parser.add_argument("--cap", type=float, default=CAP_S, metavar="SECONDS", help="for one client")
    parser.add_argument("--answer", action="append", help="only these answers (names as in the table)")
    parser.add_argument("--kind", action="append", type=Kind, help="only these kinds")
    options = parser.parse_args()
    answers = [a for a in SCRIPTED if options.answer is None or a.name in options.answer]
    measured = load()
    with tempfile.TemporaryDirectory() as scratch, KeyHome() as home:
        archive = make_archive(Path(scratch) / "archive", make_keys(home, Path(scratch)))
        for argument in options.trees:
            name, _, root = argument.partition("=")
            version = _version(Path(root))
            cells = [(kind, answer) for kind in options.kind or Kind for answer in answers]
            old = next((before.cells for before in measured if before.version == version), {})
            client = Client(version, name, old | _measure(Path(root), cells, archive, options))
            measured = save([other for other in measured if other.version != version] + [client])
    PAGE.write_text(page_with(PAGE.read_text(), measured))
    sys.stdout.write(f"{MEASURED}\n{PAGE}\n")


def _version(tree: Path) -> str:
    """The version of a tree's apt, as its User-Agent has it."""
    said = subprocess.run(["chroot", str(tree), "apt-get", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[1]


def _measure(
    tree: Path, cells: list[tuple[Kind, Scripted]], archive: SimulatedArchive, options: argparse.Namespace
) -> Cells:
    def one(cell: tuple[Kind, Scripted]) -> tuple[tuple[str, str], Outcome]:
        kind, answer = cell
        outcome = play(kind, answer, archive, tree, tree, cap_s=options.cap)
        sys.stderr.write(f"{tree} {kind.value}: {answer.name}: {outcome}\n")
        return (kind.value, answer.name), outcome

    with ThreadPoolExecutor(options.jobs) as pool:
        return dict(pool.map(one, cells))


if __name__ == "__main__":
    main()
