"""Exposure: sets of hosts beside DuckDB, on 10,000, 100,000 and 1,000,000 hosts of Ubuntu 22.04.

Packages are those of a real root file system over two years, statements those of Ubuntu's tracker of one day, all
220,000 of jammy (bench/data). Hosts lag behind by 0 to 765 days, lack what their role does not need, hold single
packages back, run one of several installed kernels of four flavours, have ESM or not, and one in fifty is silent. Each
fleet is measured in a process of its own: the feed's statements about the fleet's packages are read, hosts loaded from
SQLite, everything judged; then questions are asked one after the other, on one thread. Times of questions are
milliseconds, the others seconds.

DuckDB is given what was found already, as integers sorted for each question, in memory, with both cores. It answers the
same questions in the same run, and its answers (100 CVEs by class, the top 100, 20 hosts) must be ours, or nothing is
reported. Its top CVEs are asked for by the sums of cells without a host in common, and as anybody would write it, by
count(DISTINCT). Its change of a host is the smallest there is: one cell for another.

Stores are made once, in bench/cache, row by row as reports would make them; how long that took is told. A million
hosts are measured once, without DuckDB.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bench.finding import Finding, say
from bench.fleet_store import built
from bench.jammy import NOW, Jammy, hosts
from bench.process import BenchError, run
from bench.series import Sheet, Target
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.history import Provenance
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.taking_in import take_in

if TYPE_CHECKING:
    from bench.world import World

LAYOUT = 1  # raise when hosts are made otherwise: a cached store is made anew then
SIZES, SIZES_QUICK = (10_000, 100_000, 1_000_000), (1_000,)
COMPARED_MAX, REPEATED_MAX = 100_000, 100_000
"""Larger fleets are not given to DuckDB, and are measured once."""
OURS, THEIRS = "tidegate", "DuckDB"
MEASURE_TIMEOUT_S = 3600.0
FEED = "ubuntu-tracker"
_SECONDS = ("read what is said", "load hosts", "judge all", "load")
GROWN = 10
"""How many times larger a fleet is argued about than the largest that was measured."""


def targets() -> tuple[Target, ...]:
    """The bounds; megabytes are 1,000,000 bytes."""
    case = _case(100_000)
    return (
        Target(case, OURS, "hosts of a CVE, p99", "at most", 1.0),
        Target(case, OURS, "top CVEs, p99", "at most", 50.0),
        Target(case, OURS, "a host changes: index, p99", "at most", 1.0),
        Target(case, OURS, "a host changes: judged, p99", "at most", 1.0),
        Target(case, OURS, "a host changes: stored, p50", "at most", 1.0),
        Target(case, OURS, "memory (RSS)", "at most", 400.0),
    )


def measure(world: "World") -> Finding:
    """All fleets, one after the other."""
    sheet, notes = Sheet(), list[str]()
    for count in world.plan.hosts or (SIZES_QUICK if world.plan.quick else SIZES):
        store = _store(world.plan.cache, count)
        seconds = (store / "built_s").read_text()
        notes.append(f"{count:,} hosts were stored in {seconds} s, {(store / 'hosts.db').stat().st_size / 1e6:,.0f} MB")
        for number in range(world.plan.rounds if count <= REPEATED_MAX else 1):
            _round(store, count, world.work, sheet)
            say(f"exposure: {count:,} hosts, round {number + 1}")
    return Finding(sheet.series(), targets(), {}, (*notes, *_argued(sheet)))


def _argued(sheet: Sheet) -> list[str]:
    """What a fleet ten times the largest would come to, if it went on as from the last but one to the last."""
    found = {(one.case, one.figure): one.median for one in sheet.series() if one.peer == OURS}
    sizes = [count for count in SIZES if (_case(count), "memory (RSS)") in found]
    if len(sizes) < 2:
        return []
    small, large = sizes[-2:]
    told = []
    for figure in ("load hosts", "judge all", "memory (RSS)", "hosts of a CVE, p99", "top CVEs, p99", "cells"):
        at_small, at_large = found[_case(small), figure], found[_case(large), figure]
        more = at_large + (at_large - at_small) / (large - small) * (GROWN - 1) * large
        told.append(f"{figure} {more:,.3g}")
    return [
        f"{large * GROWN:,} hosts, argued: in a straight line from {small:,} to {large:,}: {', '.join(told)}.",
        "Why a straight line at most: cells, and bundles of CVEs, grow with what differs among hosts, hardly with how"
        " many there are; a set of hosts grows by a bit for each host at most, and by less where hosts are alike.",
    ]


def _round(store: Path, count: int, work: Path, sheet: Sheet) -> None:
    with tempfile.TemporaryDirectory(prefix="exposure-", dir=work) as scratch:
        here, out = Path(scratch, "store"), Path(scratch, "out")
        shutil.copytree(store, here)  # hosts change in it
        out.mkdir()
        compared = ["compare"] if count <= COMPARED_MAX else []
        _run("bench.exposure_ours", str(here), str(out), *compared)
        _note(sheet, count, OURS, json.loads((out / "figures.json").read_text()))
        if compared:
            _run("bench.exposure_duckdb", str(out))
            _note(sheet, count, THEIRS, json.loads((out / "duckdb.json").read_text()))


def _note(sheet: Sheet, count: int, peer: str, figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        unit = "MB" if name.startswith("memory") else "s" if name in _SECONDS else "" if name == "cells" else "ms"
        sheet.add(_case(count), peer, name, unit, value)


def _case(count: int) -> str:
    return f"{count:,} hosts"


def _run(module: str, *arguments: str) -> None:
    run([sys.executable, "-m", module, *arguments], timeout_s=MEASURE_TIMEOUT_S)


def _store(cache: Path, count: int) -> Path:
    """A folder with both databases; made now where it is not there."""
    home = cache / f"fleet-{count}-{LAYOUT}"
    if not home.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="making-", dir=cache))
        try:
            say(f"exposure: making {count:,} hosts")
            jammy, began = Jammy(), time.monotonic()
            built(making / "hosts.db", hosts(jammy, count))
            (making / "built_s").write_text(f"{time.monotonic() - began:.0f}")
            (making / "count").write_text(str(count))
            _tell(making / "history.db", jammy)
            making.rename(home)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return home


def _tell(path: Path, jammy: Jammy) -> None:
    with closing(SqliteHistory(path)) as history:
        taken = take_in(history, FEEDS[FEED], jammy.records(), Provenance(FEED, "bench/data", NOW, bytes(32)))
    if taken.statements_changed < 200_000:
        raise BenchError(f"only {taken.statements_changed:,} statements could be read")
