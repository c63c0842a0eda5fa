"""The store of one gateway: opened once, locked while it serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.config.places import cache_directory, state_directory
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks
from tidegate.store.settings import StoreSettings
from tidegate.store.sqlite_catalogue import SqliteCatalogue
from tidegate.store.sqlite_holds import SqliteHolds
from tidegate.store.sqlite_journal import SqliteJournal


@dataclass(frozen=True, slots=True)
class Store:
    """Every port's implementation over one layout."""

    layout: Layout
    blobs: FileBlobs
    catalogue: SqliteCatalogue
    marks: SqliteMarks
    journal: SqliteJournal
    holds: SqliteHolds

    def close(self) -> None:
        """Close the databases."""
        self.catalogue.close()
        self.marks.close()
        self.journal.close()
        self.holds.close()


def layout_of(settings: StoreSettings, environment: Mapping[str, str], *, uid: int) -> Layout:
    """Where this store is."""
    state = state_directory(settings, environment, uid=uid)
    return Layout(Path(state), cache_directory(settings, state))


def open_store(layout: Layout) -> Store:
    """Open (and where it is new, make) the store. Raises OSError or sqlite3.Error."""
    layout.make()
    return Store(
        layout,
        FileBlobs(layout),
        SqliteCatalogue(layout.catalogue),
        SqliteMarks(layout.marks),
        SqliteJournal(layout.journal),
        SqliteHolds(layout.holds),
    )
