"""The journal's pen: what is noted outlives kill -9 from then on, and a thread of its own brings it into the journal.

`note` waits for no disk and no other process: it writes a line into the kernel's cache (`noted`), where SQLite's own
commit would wait for both. Without such pages (a journal in memory, a disk that takes none) events wait in memory only.
"""

import contextlib
import threading
from collections.abc import Callable

from tidegate.store.journal import Happening, Journal, Value, moment_now, plain
from tidegate.store.noted import PAGE_BYTES_MAX, Line, Pages, encoded

WAITING_MAX = 10_000
BATCH_MAX = 256
"""Events appended in one transaction."""


class JournalWriter:
    """Appends happenings off the event loop. A journal that cannot be written stops nothing, but is told."""

    def __init__(self, journal: Journal, on_error: Callable[[str], None], *, drill: str = "") -> None:
        self._journal = journal
        self._on_error = on_error
        self.drill = drill
        """What its events are marked with from now on; empty outside of a drill."""
        self._bell = threading.Condition()
        self._waiting: list[Happening] = []
        """What stands on the page that is written on."""
        self._page_bytes = 0
        self._number = 0
        self._turned_at = 0
        """The number of the last event on the page that was turned."""
        self._is_closing = False
        self._is_troubled = False
        self._pages = self._new_pages()
        self._pen = self._pages.pen if self._pages else ""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def note(self, kind: str, subject: str, **data: Value) -> None:
        """Write an event down: from now on it is safe from our own death, and soon in the journal.

        Beyond WAITING_MAX that are not there yet, or PAGE_BYTES_MAX, it is dropped, and that is told.
        """
        with self._bell:
            trouble = self._take(Happening(kind, subject, data, self.drill, moment_now()))
            self._bell.notify()
        if trouble:
            self._on_error(trouble)

    def close(self) -> None:
        """Bring what waits into the journal, then end the thread."""
        with self._bell:
            self._is_closing = True
            self._bell.notify()
        self._thread.join()
        with self._bell:
            pages, self._pages = self._pages, None
        if pages is None:
            return
        with contextlib.suppress(OSError):  # whoever opens the journal next tidies up
            pages.close()
            self._journal.forget(pages.pen)

    def _new_pages(self) -> Pages | None:
        if self._journal.noted is None:
            return None
        try:
            return Pages(self._journal.noted)
        except OSError as error:
            self._on_error(f"a crash would lose what is not in the journal yet: {error}")
            return None

    def _take(self, happening: Happening) -> str | None:
        """Note it; what is wrong. A disk that takes no line is told once, until it takes one again."""
        if len(self._waiting) >= WAITING_MAX or self._page_bytes >= PAGE_BYTES_MAX:
            return f"the journal is too slow: dropped {happening.kind} of {happening.subject}"
        happening = plain(happening)
        self._waiting.append(happening)
        self._number += 1
        if self._pages is None:
            return None
        line = encoded(self._number, happening)
        self._page_bytes += len(line)
        try:
            self._pages.write(line)
        except OSError as error:
            was_troubled, self._is_troubled = self._is_troubled, True
            return None if was_troubled else f"a crash would lose what is not in the journal yet: {error}"
        self._is_troubled = False
        return None

    def _run(self) -> None:
        while page := self._turned():
            last = self._turned_at - len(page)
            for first in range(0, len(page), BATCH_MAX):
                batch = page[first : first + BATCH_MAX]
                last += len(batch)
                try:
                    self._journal.append(batch, line=Line(self._pen, last) if self._pen else None)
                except OSError as error:
                    self._on_error(f"{len(batch)} events are not in the journal: {error}")
            if self._pages is not None:
                with contextlib.suppress(OSError):  # what stays there is known by its numbers
                    self._pages.empty()

    def _turned(self) -> list[Happening]:
        """What was noted since the last time, as soon as there is any; nothing at the end."""
        with self._bell:
            self._bell.wait_for(lambda: self._waiting or self._is_closing)
            page, self._waiting, self._page_bytes = self._waiting, [], 0
            self._turned_at = self._number
            if self._pages is not None:
                self._pages.turn()
            return page
