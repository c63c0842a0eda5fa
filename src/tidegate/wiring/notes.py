"""What people write down about incidents over the admin port: `web.notes.NotesView`, in the desk."""

import asyncio
import sqlite3
import time

from tidegate.store.journal import Happening, Journal
from tidegate.store.tokens import Scope, Token, TokenFile
from tidegate.wiring.incidents import Incidents


class Notes:
    """For the desk's event loop."""

    def __init__(self, journal: Journal, incidents: Incidents, tokens: TokenFile) -> None:
        self._journal = journal
        self._incidents = incidents
        self._tokens = tokens

    def writer(self, secret: str) -> Token | None:
        return self._tokens.find(secret, Scope.NOTE, int(time.time()))

    async def write(self, incident: str, kind: str, *, by: str, text: str) -> int:
        return await asyncio.to_thread(self._write, incident, kind, by, text)

    def _write(self, incident: str, kind: str, by: str, text: str) -> int:
        try:
            if all(one.id != incident for one in self._incidents.all()):
                raise KeyError(incident)
            (seq,) = self._journal.append([Happening(kind, incident, {"by": by, "text": text})])
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        return seq
