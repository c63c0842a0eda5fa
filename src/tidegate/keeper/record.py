"""What the keeper writes down about a suite: events of the journal whose subject is `ARCHIVE SUITE`."""

from tidegate.sources.archive import Archive
from tidegate.sources.failure import Excluded
from tidegate.store.journal_writer import JournalWriter


class Record:
    """The journal, by suites."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal

    def note(self, kind: str, archive: Archive, suite: str, **data: str | int) -> None:
        """An event of a suite."""
        self._journal.note(kind, f"{archive.name} {suite}", **data)

    def passed_over(self, kind: str, archive: Archive, suite: str, excluded: Excluded) -> Excluded:
        """An event about a source that did not serve a suite's turn; gives the reason back."""
        self.note(kind, archive, suite, source=excluded.source, reason=excluded.reason)
        return excluded
