"""Keeping house over a test's house."""

import os
import time
from collections.abc import Callable

from tests.keeper.house import DEBIAN, House
from tidegate.holding.hot_listing import Stores
from tidegate.holding.housekeeping import Decision
from tidegate.holding.sweeping import Sweeping, survey
from tidegate.store.settings import StoreSettings

DAY_S = 86_400.0
TIGHT = StoreSettings(quota_bytes=1, free_bytes_min=0, removals_per_second=100_000)
"""Whatever may go, goes."""


def stores(here: House) -> Stores:
    """What the hot set is read from."""
    return Stores(here.catalogue, here.blobs, here.holds, here.marks)


def sweeping(
    here: House, now: float, settings: StoreSettings = TIGHT, meanwhile: Callable[[], None] | None = None
) -> Sweeping:
    """Of this house's store; `meanwhile` happens between a decision and what comes of it."""

    def decided() -> Decision:
        decision = survey(stores(here), settings, now=now, forget_after_s=90 * DAY_S, archives=[DEBIAN], incidents={})
        if meanwhile is not None:
            meanwhile()
        return decision

    return Sweeping(here.blobs, here.pen, settings, decided)


def age(here: House) -> None:
    """Nothing that is held was used of late."""
    for one in list(here.blobs.held()):
        name, at = one.digest.hex(), time.time() - 30 * DAY_S
        os.utime(here.layout.blobs / name[:2] / name[2:], (at, at))
