"""`tidegate readiness` counts by itself, from the state; whether sources answer, a running gateway knows best."""

import os
import time
from collections.abc import Mapping

from tidegate.config import Gathered
from tidegate.holding.readiness import Readiness, Thresholds, judge
from tidegate.holding.stocktaking import stock_of
from tidegate.wiring.archives import archives_of
from tidegate.wiring.ask import status
from tidegate.wiring.readiness import disk_of, facts_of
from tidegate.wiring.store import layout_of, open_store
from tidegate.wiring.view import stores_of


def readiness(gathered: Gathered, environment: Mapping[str, str], thresholds: Thresholds) -> Readiness:
    """As of now, of the shares that count.

    Raises OSError (where there is no state at all, among others), sqlite3.Error, FormatError.
    """
    report = status(gathered, environment)
    settings = gathered.settings
    archives, _ = archives_of(settings.archive)
    store = open_store(layout_of(settings.store, environment, uid=os.getuid()))
    try:
        now = int(time.time())
        stock = stock_of(stores_of(store), now=now, forget_after_s=settings.hold.forget_after_s, kinds=thresholds.of)
        alone = {one.archive for one in report.alone}
        disk = disk_of(store.blobs, settings.store)
        running = report.running is not None
        facts = facts_of(archives.values(), report.suites, report.sources, alone, disk, running=running)
        return judge(stock, facts, thresholds, now)
    finally:
        store.close()
