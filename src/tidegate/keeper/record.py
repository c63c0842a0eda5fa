"""What the keeper writes down about a suite: events of the journal whose subject is `ARCHIVE SUITE`.

What stays as it is is written once: a mirror that has been behind for a week, asked every few minutes, would fill the
journal with one fact.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tidegate.sources.archive import Archive
from tidegate.sources.failure import Excluded
from tidegate.store.journal_writer import JournalWriter

if TYPE_CHECKING:
    from tidegate.store.catalogue import SuiteKey

REMEMBERED_MAX = 4096


class Record:
    """The journal, by suites."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal
        self._told: dict[tuple[str, str, str, str], str] = {}
        self.alarmed: list[Callable[[SuiteKey, str, str], None]] = []
        """Called with each alarm: the suite, the kind of event, and a sentence."""

    def note(self, kind: str, archive: Archive, suite: str, **data: str | int) -> None:
        """An event of a suite."""
        self._journal.note(kind, f"{archive.name} {suite}", **data)

    def note_once(self, kind: str, archive: Archive, suite: str, about: str, what: str, **data: str | int) -> bool:
        """An event, unless `what` was said last of this kind `about` this (a source); whether it was news."""
        key = (kind, archive.name, suite, about)
        if self._told.get(key) == what:
            return False
        if len(self._told) >= REMEMBERED_MAX:
            self._told.clear()
        self._told[key] = what
        self.note(kind, archive, suite, **data)
        return True

    def forget(self, archive: Archive, suite: str, about: str, *kinds: str) -> None:
        """That is over: the next one of these kinds is news again."""
        for kind in kinds:
            self._told.pop((kind, archive.name, suite, about), None)

    def passed_over(self, kind: str, archive: Archive, suite: str, excluded: Excluded) -> Excluded:
        """An event about a source that did not serve a suite's turn; gives the reason back."""
        source, reason = excluded.source, excluded.reason
        self.note_once(kind, archive, suite, source, reason, source=source, reason=reason)
        return excluded

    def alarm(self, kind: str, archive: Archive, suite: str, about: str, sentence: str, **data: str | int) -> None:
        """An event that somebody should look into, told once `about` the same."""
        if self.note_once(kind, archive, suite, about, about, **data):
            for tell in self.alarmed:
                tell((archive.name, suite), kind, sentence)
