"""Keeping house over one opened store."""

import time
from collections.abc import Callable, Collection, Mapping

from tidegate.holding.hot_listing import Stores
from tidegate.holding.housekeeping import Decision
from tidegate.holding.solitude import EVENTS_READ_MAX, KINDS
from tidegate.holding.sweeping import Sweeping, incidents_of, survey
from tidegate.store.settings import StoreSettings
from tidegate.web.gc_report import GcReport, gc_report
from tidegate.wiring.store import Store

OFFLINE = "it is offline: what goes could not be fetched again"


def surveying(
    store: Store,
    settings: StoreSettings,
    open_incidents: Callable[[], Mapping[str, str]],
    *,
    archives: Callable[[], Collection[str]],
    forget_after_s: Callable[[], float],
    offline: bool,
) -> Callable[[], Decision]:
    """What decides what may go now, of this store. Not for an event loop.

    `open_incidents`: the archives that have one which is not closed, and which it is.
    """

    def decided() -> Decision:
        stores, names = Stores(store.catalogue, store.blobs, store.holds, store.marks), archives()
        incidents = dict(open_incidents())
        incidents |= incidents_of(stores, store.journal.last(EVENTS_READ_MAX, kinds=KINDS))
        return survey(
            stores,
            settings,
            now=time.time(),
            forget_after_s=forget_after_s(),
            archives=names,
            incidents=incidents | (dict.fromkeys(names, OFFLINE) if offline else {}),
        )

    return decided


async def gc(sweeping: Sweeping, *, dry_run: bool) -> GcReport:
    """Sweep, or look only. Raises OSError, sqlite3.Error."""
    swept = await (sweeping.look() if dry_run else sweeping.sweep())
    return gc_report(swept, swept.room, at=int(time.time()), dry_run=dry_run)
