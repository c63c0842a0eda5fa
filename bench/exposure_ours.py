"""`python -m bench.exposure_ours FOLDER OUT [compare]`: one fleet in one process of its own, so that memory is its own.

FOLDER has hosts.db and history.db; OUT is a folder for figures.json and, to `compare`, for answers.json and the tables
of which the same questions are asked by DuckDB.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.exposure_figures import Figures, memory_mb, spread, took
from bench.fleet_store import REPORTED, inventory_of
from bench.jammy import NOW, RELEASE, Jammy, Made, Stock
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.fleet.composition import Composition
from tidegate.fleet.freshness import Freshness
from tidegate.fleet.index import Count, Index
from tidegate.fleet.knowledge import known_of
from tidegate.fleet.sqlite_hosts import SqliteHosts
from tidegate.fleet.tables import FINDINGS, GROUPS, HOSTS, Tables
from tidegate.fleet.verdict import Finding
from tidegate.wiring.parquet import ParquetFiles

CVES, HOSTS_ASKED, CHANGES, TOPS = 400, 300, 300, 50
COMPARED_CVES, COMPARED_HOSTS, TOP = 100, 20, 100

T = TypeVar("T")


class Watched:
    """The index, as an export wants it."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.stale = index.stale
        self.cells_found = index.cells_found

    def freshness(self, now: int) -> Mapping[tuple[str, str], Freshness]:
        """Of the one release."""
        return {RELEASE: self._index.freshness(RELEASE, now)}


def main(folder: Path, out: Path, *, compare: bool) -> None:
    """Measure, and write down."""
    figures: Figures = {}
    jammy = Jammy()
    stock, used = Stock(jammy), {piece[0].source for _, state in jammy.states for piece in state.values()}
    changes = [
        jammy.changed(jammy.host(number), number) for number in _some(int((folder / "count").read_text()), CHANGES)
    ]
    with closing(SqliteHistory(folder / "history.db")) as history, closing(SqliteHosts(folder / "hosts.db")) as hosts:
        knowledge = _timed(figures, "read what is said", lambda: known_of(history, *RELEASE, sources=used))
        before = memory_mb("VmRSS")
        index = Index({RELEASE: knowledge}, stock)
        _timed(figures, "load hosts", lambda: index.fill(_described(index, hosts, hosts.compositions())))
        _timed(figures, "judge all", index.settle)
        figures["memory of the index"] = memory_mb("VmRSS") - before
        figures["cells"] = float(sum(1 for _ in index.cells))
        _ask(figures, index, hosts)
        figures["memory (RSS)"] = memory_mb("VmRSS")
        figures["memory (RSS, highest)"] = memory_mb("VmHWM")
        if compare:
            _hand_over(index, hosts, history, out)
        _change(figures, index, hosts, changes)
    (out / "figures.json").write_text(json.dumps(figures))


def _hand_over(index: Index, hosts: SqliteHosts, history: SqliteHistory, out: Path) -> None:
    (out / "answers.json").write_text(json.dumps(_answers(index, hosts)))
    files = ParquetFiles(out)
    for table in (HOSTS, GROUPS, FINDINGS):
        files.begin(table)
    for table, batch in Tables(hosts, history, Watched(index), NOW).rows():
        if table in (HOSTS, GROUPS, FINDINGS):
            files.write(table, batch)
    files.close()


def _described(
    index: Index, hosts: SqliteHosts, compositions: Iterable[tuple[Composition, int]]
) -> Iterator[tuple[Composition, int]]:
    for composition, seen_at in compositions:
        settings, pieces = index.undescribed(composition)
        if settings or pieces:
            index.describe(hosts.settings(settings), hosts.pieces(pieces))
        yield composition, seen_at


def _ask(figures: Figures, index: Index, hosts: SqliteHosts) -> None:
    abouts = [one.about for one in _top(index)]
    spread(figures, "hosts of a CVE", (took(partial(index.exposed, one, NOW)) for one in _each(abouts, CVES)))
    spread(figures, "top CVEs", (took(lambda: _top(index)) for _ in range(TOPS)))
    some = [_composition(hosts, number) for number in _some(len(index.everybody), HOSTS_ASKED)]
    spread(figures, "one host", (took(partial(index.verdict, one, "-", NOW)) for one in some))


def _top(index: Index) -> list[Count]:
    return sorted(index.counts(NOW), key=lambda one: (-one.hosts, one.about))


def _change(figures: Figures, index: Index, hosts: SqliteHosts, changes: list[Made]) -> None:
    """What a report costs, step by step. A host that reports anew has been read before it is measured."""
    stored, put, judged = list[float](), list[float](), list[float]()
    for made in changes:
        told = replace(inventory_of(made), taken_at=NOW + 60)
        before = hosts.composition(made.identity)
        stored.append(took(partial(hosts.report, told, REPORTED)))
        after = hosts.composition(made.identity)
        assert before is not None
        assert after is not None
        list(_described(index, hosts, [(after, NOW)]))
        put.append(took(partial(index.put, after, NOW, before)))
        judged.append(took(index.settle))
    spread(figures, "a host changes: stored", stored)
    spread(figures, "a host changes: index", put)
    spread(figures, "a host changes: judged", judged)


def _answers(index: Index, hosts: SqliteHosts) -> dict[str, object]:
    top = _top(index)
    return {
        "top": top[:TOP],
        "exposed": {
            about: {exposure.value: len(found) for exposure, found in index.exposed(about, NOW).items()}
            for about in _each([one for one, _ in top], COMPARED_CVES)
        },
        "hosts": {
            str(number): sorted({(one.about, one.package, one.exposure.value) for one in found})
            for number, found in _findings(index, hosts)
        },
    }


def _findings(index: Index, hosts: SqliteHosts) -> Iterator[tuple[int, tuple[Finding, ...]]]:
    for number in _some(len(index.everybody), COMPARED_HOSTS):
        composition = _composition(hosts, number)
        yield composition.number, index.verdict(composition, "-", NOW).findings


def _composition(hosts: SqliteHosts, number: int) -> Composition:
    found = hosts.composition(f"h{number:08}")
    assert found is not None
    return found


def _some(count: int, wanted: int) -> range:
    return range(0, count, max(1, count // wanted))


def _each(values: list[str], wanted: int) -> list[str]:
    return values[:: max(1, len(values) // wanted)]


def _timed(figures: Figures, name: str, what: Callable[[], T]) -> T:
    began = time.perf_counter()
    found = what()
    figures[name] = time.perf_counter() - began
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), compare="compare" in sys.argv[3:])
