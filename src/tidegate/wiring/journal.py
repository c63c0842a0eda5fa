"""The journal of a state directory, for commands: a gateway may write into it meanwhile."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tidegate.config import Gathered
from tidegate.store.journal import Journal
from tidegate.store.journal_chain import Linked
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.wiring.store import layout_of

READ_AT_ONCE = 1_000


@contextmanager
def journal_of(gathered: Gathered, environment: Mapping[str, str]) -> Iterator[SqliteJournal]:
    """Opened, and closed again. Raises FileNotFoundError where there is none, OSError, sqlite3.Error."""
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    if not layout.journal.exists():
        raise FileNotFoundError(2, "no gateway has ever served from here", str(layout.state))
    journal = SqliteJournal(layout.journal)
    try:
        yield journal
    finally:
        journal.close()


def rows_after(journal: Journal, seq: int) -> Iterator[Linked]:
    """Every row with a higher number, oldest first, each with the hash before it."""
    anchor = journal.anchor()
    seq = max(seq, anchor.seq)
    before = next((row.hash for row in journal.rows(after=seq - 1, limit=1) if row.seq == seq), anchor.hash)
    while some := journal.rows(after=seq, limit=READ_AT_ONCE):
        for row in some:
            yield Linked(before, row)
            before, seq = row.hash, row.seq
