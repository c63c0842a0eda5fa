"""What people write down about incidents over the admin port: `web.notes.NotesView`, in the desk."""

import asyncio
import sqlite3
import time

from tidegate.incidents.writing import Writing, happening
from tidegate.store.journal import Journal
from tidegate.store.tokens import Scope, Token, TokenFile
from tidegate.web.incident_report import WrittenReport
from tidegate.wiring.incidents import Incidents


class Notes:
    """For the desk's event loop."""

    def __init__(self, journal: Journal, incidents: Incidents, tokens: TokenFile) -> None:
        self._journal = journal
        self._incidents = incidents
        self._tokens = tokens

    def writer(self, secret: str) -> Token | None:
        return self._tokens.find(secret, Scope.NOTE, int(time.time()))

    async def write(self, incident: str, writing: Writing, *, by: str) -> WrittenReport:
        return await asyncio.to_thread(self._write, incident, writing, by)

    def _write(self, incident: str, writing: Writing, by: str) -> WrittenReport:
        try:
            one = next((one for one in self._incidents.all() if one.id == incident), None)
            if one is None:
                raise KeyError(incident)
            event = happening(one, writing, by)
            (seq,) = self._journal.append([event])
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        return WrittenReport(incident=incident, seq=seq, claim=str(event.data.get("claim", "")))
