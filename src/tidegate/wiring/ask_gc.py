"""`tidegate gc` asks the running gateway, or keeps house on its store where none runs."""

import asyncio
import os
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from tidegate.config import Gathered
from tidegate.holding.sweeping import Sweeping
from tidegate.store.journal_writer import JournalWriter
from tidegate.web.gc_report import GcReport
from tidegate.wiring.ask import NotRunningError, ask
from tidegate.wiring.fold_process import folded
from tidegate.wiring.house import gc, surveying
from tidegate.wiring.incidents import Incidents
from tidegate.wiring.store import Store, layout_of, open_store

SWEEP_TIMEOUT_S = 3_600.0


def gc_somewhere(gathered: Gathered, environment: Mapping[str, str], *, dry_run: bool) -> GcReport:
    """Through the running gateway, or on its store where none runs.

    Raises OSError (PermissionError, FileNotFoundError where there is no store), StoreBusyError, sqlite3.Error.
    """
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    target = "/gc?" + urlencode({"dry_run": "yes" if dry_run else "no"})
    try:
        return msgspec.json.decode(ask(layout, "POST", target, timeout_s=SWEEP_TIMEOUT_S), type=GcReport)
    except NotRunningError:
        if not layout.catalogue.exists():
            raise FileNotFoundError(2, "no gateway has ever served from here", str(layout.state)) from None
    lock = layout.lock()
    try:
        store = open_store(layout)
        try:
            return _gc_at_rest(gathered, store, dry_run=dry_run)
        finally:
            store.close()
    finally:
        os.close(lock)


def _gc_at_rest(gathered: Gathered, store: Store, *, dry_run: bool) -> GcReport:
    settings, troubles = gathered.settings, list[str]()
    pen = JournalWriter(store.journal, troubles.append)
    names = [one.name for one in settings.archive]
    incidents = Incidents(store.journal, settings.incidents)
    decide = surveying(
        store,
        settings.store,
        lambda: folded(incidents).archives,
        archives=lambda: names,
        forget_after_s=lambda: settings.hold.forget_after_s,
        offline=settings.fetch.offline,
    )
    try:
        return asyncio.run(gc(Sweeping(store.blobs, pen, settings.store, decide), dry_run=dry_run))
    finally:
        pen.close()
