"""A gateway that has adopted a suite from one source, which the tests then turn against it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import GatewayFactory
from tests.gateway_process import Answer, GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tidegate.store.journal import Event
from tidegate.store.sqlite_journal import SqliteJournal

QUIET = "[keeper]\nrefresh_interval_s = 3600.0\n"
"""Looks at the source when told to."""
EVENTS_MAX = 1_000
INRELEASE = "dists/stable/InRelease"
HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"


@dataclass(frozen=True, slots=True)
class Siege:
    """The archive, its source, the gateway before it, and the judge of what that serves."""

    archive: SimulatedArchive
    server: SourceServer
    gateway: GatewayProcess
    oracle: Oracle

    def get(self, path: str) -> Answer:
        """A path of the archive; a whole body is judged."""
        answer = self.gateway.get(f"/debian/{path}")
        if answer.status == 200:
            self.oracle.check(path, answer.body)
        return answer

    def look(self) -> Any:
        """Have the gateway look at the source, to the end; what came of it."""
        where = ("--config", str(self.gateway.config), "--state", str(self.gateway.state))
        done = self.gateway.command("refresh", "--wait", "--json", *where)
        assert done.stdout, done.stderr.decode(errors="replace")
        (look,) = json.loads(done.stdout)["looks"]
        return look

    def events(self, kind: str) -> tuple[Event, ...]:
        """What the journal has of this kind."""
        return journal_of(self.gateway.state, kind)

    def wait_for_event(self, kind: str) -> Event:
        """The newest event of this kind, once it is written."""
        self.gateway.wait_for(lambda: bool(self.events(kind)))
        return self.events(kind)[-1]


def journal_of(state: Path, kind: str) -> tuple[Event, ...]:
    """The events of one kind in a state directory's journal, oldest first."""
    journal = SqliteJournal(state / "journal.db")
    try:
        return tuple(event for event in journal.last(EVENTS_MAX) if event.kind == kind)
    finally:
        journal.close()


@pytest.fixture
def siege(
    archive: SimulatedArchive, source_server: SourceServer, served: ServedArchive, gateway_process: GatewayFactory
) -> Iterator[Siege]:
    """Adopted and quiet; it still lives at the end."""
    judge = Oracle(archive.keys.keyring, archive.public)
    judge.admit(archive.generation(archive.published))
    gateway = gateway_process(served, settings=QUIET)
    gateway.start()
    yield Siege(archive, source_server, gateway, judge)
    assert gateway.running, gateway.log
