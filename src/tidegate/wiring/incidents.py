"""The incidents of a journal, kept up to date as it grows."""

import sys
import threading
import time

from tidegate.incidents.folding import Folding
from tidegate.incidents.incident import Incident
from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Journal, event_of
from tidegate.wiring.journal import rows_after


class Incidents:
    """Not for an event loop: the first look reads the whole journal. Threads may share it."""

    def __init__(self, journal: Journal, rules: IncidentSettings) -> None:
        self._journal = journal
        self._folding = Folding(rules)
        self._lock = threading.Lock()

    def all(self, now: float | None = None) -> tuple[Incident, ...]:
        """Every one, the oldest first, as of this moment (epoch seconds)."""
        with self._lock:
            self._catch_up()
            return self._folding.incidents(time.time() if now is None else now)

    def needed_from(self) -> int:
        """The first event that must not be removed yet."""
        self.all()
        with self._lock:
            needed = self._folding.needed_from()
        return sys.maxsize if needed is None else needed

    def _catch_up(self) -> None:
        for linked in rows_after(self._journal, self._folding.seq):
            self._folding.take(event_of(linked.row))
