"""Tables as Parquet files, by Apache's own writer (pyarrow), which is not installed unless somebody wants it.

Of four writers it takes the least time and memory, since our arrays become its columns as they are
(docs/exposure-export.md); it is also the largest to install, so `tidegate[parquet]` asks for it.
"""

from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.fleet.tables import Batch, Column, Kind, Table

if TYPE_CHECKING:
    from types import ModuleType

ROWS_IN_A_GROUP = 1 << 20
"""What a reader skips or reads at once."""


class NoWriterError(Exception):
    """Nothing that writes Parquet is installed: a sentence."""


class ParquetFiles:
    """One file for each table in a folder that is there. Raises NoWriterError at once, OSError later."""

    def __init__(self, folder: Path) -> None:
        self._arrow, parquet = _writer()
        self._folder = folder
        self._open: dict[str, Any] = {}
        self._make = parquet.ParquetWriter
        self.rows: dict[str, int] = {}
        """Written so far, by table."""

    def begin(self, table: Table) -> None:
        """The table's file, without a row."""
        schema = self._arrow.schema([self._field(one) for one in table.columns])
        path = self._folder / f"{table.name}.parquet"
        self._open[table.name] = self._make(path, schema, compression="zstd")
        self.rows[table.name] = 0

    def write(self, table: Table, batch: Batch) -> None:
        """Some rows more."""
        file = self._open[table.name]
        columns = [self._column(values, field.type) for values, field in zip(batch, file.schema, strict=True)]
        file.write_batch(self._arrow.record_batch(columns, schema=file.schema), row_group_size=ROWS_IN_A_GROUP)
        self.rows[table.name] += len(batch[0])

    def close(self) -> Mapping[str, int]:
        """All files are whole; their sizes in bytes by table."""
        for file in self._open.values():
            file.close()
        return {name: (self._folder / f"{name}.parquet").stat().st_size for name in self._open}

    def _field(self, column: Column) -> Any:
        arrow = self._arrow
        types = {
            Kind.NUMBER: arrow.uint32(),
            Kind.TIME: arrow.timestamp("s", tz="UTC"),
            Kind.TEXT: arrow.string(),
            Kind.TEXTS: arrow.list_(arrow.string()),
            Kind.BYTES: arrow.binary(),
            Kind.TRUTH: arrow.bool_(),
        }
        metadata = {"meaning": column.meaning}
        return arrow.field(column.name, types[column.kind], nullable=column.may_lack, metadata=metadata)

    def _column(self, values: Any, kind: Any) -> Any:
        if isinstance(values, array):
            return self._arrow.Array.from_buffers(kind, len(values), [None, self._arrow.py_buffer(values)])
        return self._arrow.array(values, type=kind)


def _writer() -> "tuple[ModuleType, ModuleType]":
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise NoWriterError("nothing that writes Parquet is installed") from None
    return pyarrow, parquet
