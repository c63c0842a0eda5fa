"""`python -m tidegate.wiring.fold_process STATE RULES`: fold a whole journal, say what keeping house needs of it.

Half a million events take seconds of the interpreter, and in a thread of the gateway every hit would wait its turn
beside them. So the gateway has a child fold them, once an hour or so; the desk and commands fold in their own process.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from tidegate.holding.child import ChildError, told_by
from tidegate.incidents.incident import Incident
from tidegate.incidents.rules import About
from tidegate.incidents.settings import IncidentSettings
from tidegate.store.layout import Layout
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.wiring.incidents import Incidents

FOLD_TIMEOUT_S = 600.0
NICE = 5


class Folded(Struct, frozen=True):
    """What a fold came to."""

    needed_from: int
    """The first event that must not be removed yet."""
    archives: dict[str, str]
    """Those that have an incident which is not closed, and which it is."""


def folded(incidents: Incidents) -> Folded:
    """In this process. Not for an event loop."""
    found = incidents.all()
    archives = {one.name: f"incident {one.id}: {one.title}" for one in found if _concerns_an_archive(one)}
    return Folded(incidents.needed_from(), archives)


class Folding:
    """Folds in child processes of this event loop; asked by its threads. What they ask for at its end is cancelled."""

    def __init__(self, layout: Layout, rules: IncidentSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._arguments = str(layout.state), msgspec.json.encode(rules).decode()

    def needed_from(self) -> int:
        """The first event that must not be removed yet. Raises OSError."""
        return self._fold().needed_from

    def archives(self) -> Mapping[str, str]:
        """Those that have an incident which is not closed, and which it is. Raises OSError."""
        return self._fold().archives

    def _fold(self) -> Folded:
        telling = told_by(__name__, *self._arguments, timeout_s=FOLD_TIMEOUT_S)
        try:
            out = asyncio.run_coroutine_threadsafe(telling, self._loop).result()
            return msgspec.json.decode(out, type=Folded)
        except (ChildError, msgspec.DecodeError) as error:
            raise OSError(f"incidents could not be worked out: {error}") from None


def _concerns_an_archive(one: Incident) -> bool:
    return one.about == About.ARCHIVE and one.state != "closed" and not one.drill


def main(arguments: list[str]) -> None:
    """Ends with 1 and a sentence on standard error where it cannot."""
    state = Path(arguments[0])
    os.nice(NICE)
    try:
        with closing(SqliteJournal(Layout(state, state).journal)) as journal:
            rules = msgspec.json.decode(arguments[1], type=IncidentSettings)
            told = msgspec.json.encode(folded(Incidents(journal, rules)))
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.buffer.write(told)


if __name__ == "__main__":
    main(sys.argv[1:])
