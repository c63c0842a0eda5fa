"""The structs behind `tidegate exposure export --json`."""

from typing import Annotated

from msgspec import Meta, Struct


class TableReport(Struct, frozen=True, kw_only=True):
    """One file."""

    table: str
    file: Annotated[str, Meta(description="its path")]
    rows: int
    bytes: int


class ExposureExportReport(Struct, frozen=True, kw_only=True):
    """Tables of the fleet and its exposure, of one moment."""

    folder: Annotated[str, Meta(description="where they are; `latest` beside it leads there")]
    at: Annotated[int, Meta(description="the moment, epoch seconds, UTC")]
    tables: tuple[TableReport, ...]
    removed: Annotated[tuple[str, ...], Meta(description="older exports that were removed")]
