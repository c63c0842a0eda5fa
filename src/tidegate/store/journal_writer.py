"""The journal's pen: events are handed over without waiting, and written down in order by a thread of its own."""

import queue
import threading
from collections.abc import Callable

from tidegate.store.journal import Happening, Journal, Value

WAITING_MAX = 10_000
BATCH_MAX = 256


class JournalWriter:
    """Appends happenings off the event loop. A journal that cannot be written stops nothing, but is told."""

    def __init__(self, journal: Journal, on_error: Callable[[str], None], *, drill: str = "") -> None:
        self._journal = journal
        self._on_error = on_error
        self.drill = drill
        """What its events are marked with from now on; empty outside of a drill."""
        self._waiting: queue.Queue[Happening | None] = queue.Queue(WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def note(self, kind: str, subject: str, **data: Value) -> None:
        """Write an event down soon. Beyond WAITING_MAX unwritten ones it is dropped, and that is told."""
        try:
            self._waiting.put_nowait(Happening(kind, subject, data, self.drill))
        except queue.Full:
            self._on_error(f"the journal is too slow: dropped {kind} of {subject}")

    def close(self) -> None:
        """Write down what waits, then end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            batch = [self._waiting.get()]
            while len(batch) < BATCH_MAX and not self._waiting.empty():
                batch.append(self._waiting.get())
            closing = None in batch
            happenings = [one for one in batch if one is not None]
            try:
                self._journal.append(happenings)
            except OSError as error:
                self._on_error(f"{len(happenings)} events are not in the journal: {error}")
