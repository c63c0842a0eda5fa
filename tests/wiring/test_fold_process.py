"""The gateway has a child fold the journal: what it says is what a fold in this process says."""

import asyncio
import time
from contextlib import closing
from pathlib import Path

import pytest

from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Happening
from tidegate.store.layout import Layout
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.wiring.fold_process import Folding, folded
from tidegate.wiring.incidents import Incidents

RULES = IncidentSettings(calm_s=1.0)


def test_a_child_says_of_a_journal_what_this_process_would_and_a_spoiled_one_is_an_error(tmp_path: Path) -> None:
    asyncio.run(_told_by_a_child(tmp_path))


async def _told_by_a_child(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path)
    with closing(SqliteJournal(layout.journal)) as journal:
        journal.append([Happening("stopped", "gateway", {})])
        journal.append([Happening("alone-begun", "debian", {"since": int(time.time()), "sources": 3})])
        here = folded(Incidents(journal, RULES))
    folding = Folding(layout, RULES)
    archives, needed_from = await asyncio.gather(
        asyncio.to_thread(folding.archives), asyncio.to_thread(folding.needed_from)
    )
    assert archives == here.archives
    assert archives["debian"].endswith("debian: none of its sources answers")
    assert needed_from == here.needed_from == 2
    layout.journal.write_bytes(b"spoiled" * 1_000)
    with pytest.raises(OSError, match="incidents could not be worked out"):
        await asyncio.to_thread(folding.archives)


def test_at_its_end_a_gateway_does_not_wait_for_a_fold(tmp_path: Path) -> None:
    asyncio.run(_ended_meanwhile(tmp_path))


async def _ended_meanwhile(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path)
    SqliteJournal(layout.journal).close()
    folding = Folding(layout, RULES)
    before = asyncio.all_tasks()
    asked = asyncio.create_task(asyncio.to_thread(folding.archives))
    while not (begun := asyncio.all_tasks() - before - {asked}):  # noqa: ASYNC110 (the thread makes it)
        await asyncio.sleep(0)
    for task in begun:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
