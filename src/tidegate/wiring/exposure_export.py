"""`tidegate exposure export`: the fleet and its exposure as Parquet files, all of one moment.

DIR/2026-11-27T23-47-19Z/    the files of one export: it appears when all of them are whole and on the disk
DIR/latest                   leads to the newest
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tidegate.config import Gathered
from tidegate.fleet.tables import TABLES, Tables
from tidegate.web.exposure_export_report import ExposureExportReport, TableReport
from tidegate.wiring.ask import NotRunningError, status
from tidegate.wiring.ask_exposure import NoFleetError
from tidegate.wiring.fleet_stores import open_fleet_stores
from tidegate.wiring.parquet import ParquetFiles
from tidegate.wiring.store import layout_of

LATEST = "latest"
_MADE = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
_MAKING = ".making-"

Tell = Callable[[str, int], None]
"""How far it is: a table, and how many rows of it are written."""


def export_exposure(
    gathered: Gathered, environment: Mapping[str, str], to: Path, tell: Tell, *, now: int, keep: int
) -> ExposureExportReport:
    """Write an export, and remove all but the newest `keep`. Reads the stores; a gateway may run.

    Raises NoFleetError, NoWriterError, OSError, sqlite3.Error; what was there stays then.
    """
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    if not layout.fleet.exists():
        raise NoFleetError(f"{layout.state}: no host has ever reported here")
    alone: frozenset[str] = frozenset()
    with suppress(NotRunningError, FileNotFoundError):
        alone = frozenset(one.archive for one in status(gathered, environment).alone)
    to.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=to))
    try:
        files = ParquetFiles(making)
        stores = open_fleet_stores(layout)
        try:
            lookout = stores.lookout(lambda: alone, gathered.settings.fleet.ages, as_of=now)
            sizes = write_tables(Tables(stores.hosts, stores.history, lookout, now), files, tell)
        finally:
            stores.close()
        made = _shown(making, to, now)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    tables = tuple(
        TableReport(table=name, file=str(made / f"{name}.parquet"), rows=files.rows[name], bytes=size)
        for name, size in sizes.items()
    )
    return ExposureExportReport(folder=str(made), at=now, tables=tables, removed=_removed(to, keep))


def write_tables(tables: Tables, files: ParquetFiles, tell: Tell) -> Mapping[str, int]:
    """All of them; returns their sizes in bytes."""
    for table in TABLES:
        files.begin(table)
    for table, batch in tables.rows():
        files.write(table, batch)
        tell(table.name, files.rows[table.name])
    return files.close()


def _shown(making: Path, to: Path, now: int) -> Path:
    """Give an export its name, and make it the latest."""
    for path in (*making.iterdir(), making):
        _sync(path)
    making.chmod(0o755)
    made = to / f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H-%M-%SZ}"
    making.rename(made)
    link = to / f"{_MAKING}{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(made.name)
    link.replace(to / LATEST)
    _sync(to)
    return made


def _removed(to: Path, keep: int) -> tuple[str, ...]:
    older = sorted(path for path in to.iterdir() if _MADE.fullmatch(path.name))[:-keep]
    for path in older:
        shutil.rmtree(path)
    return tuple(map(str, older))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
