"""Each property can fail: with one thing broken in the code, a short history of its own shows it.

And without anything broken the same history is well, so that it is the defect that is seen.
"""

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.histories import history, loop, properties
from tests.histories.disk import Disk
from tests.histories.faults import Fault, Spell
from tests.histories.history import live
from tests.histories.network import Place
from tests.histories.properties import Property
from tests.histories.script import Script, Stop, Visit
from tests.histories.vendor import Vendor
from tidegate.keeper.keeper import Keeper
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources import flight, pace
from tidegate.sources.flight import Flight
from tidegate.sources.pace import Pace
from tidegate.sources.settings import HealthSettings
from tidegate.store.blobs import Verified
from tidegate.store.marks import MemoryMarks
from tidegate.trust import acceptance

Break = Callable[[pytest.MonkeyPatch], None]
LENGTH_S = 240.0
PUBLISHED_S = 160.0
"""The vendor's age at the beginning: its second publication is out."""


def source(number: int, *spells: Spell, rate_bytes_s: int = 1_000_000) -> Place:
    """A source that is well but for these faults."""
    return Place(f"mirror-{number}.example", f"operator-{number}", 0.02, rate_bytes_s, 0.0, True, True, True, spells)


def since(at_s: float, fault: Fault) -> Spell:
    """A fault that stays."""
    return Spell(fault, at_s, 2 * LENGTH_S)


def visit(at_s: float, *packages: int) -> Visit:
    """A client."""
    return Visit(at_s, "stable", by_hash=True, contents=False, packages=packages)


def story(places: tuple[Place, ...], visits: tuple[Visit, ...], **changes: Any) -> Script:
    """A short history."""
    told = Script(0, LENGTH_S, PUBLISHED_S, places, visits, stops=(), checkpoints=(), full=())
    return dataclasses.replace(told, **changes)


# What is broken


def the_last_byte_waits_for_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loop, "THREAD_S", 0.05)  # for as long the digest of a large object is not known yet
    patch.setattr(Flight, "available", property(lambda self: self.draft.size if self._begun else 0))


def whatever_came_is_verified(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flight, "verify", lambda draft, digest, **_: Verified(draft, digest))


def any_date_is_accepted_and_marked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(acceptance, "_refuse_history", lambda *_: None)
    patch.setattr(MemoryMarks, "rise", lambda self, archive, suite, mark: self._marks.update({(archive, suite): mark}))


def marks_are_lost_with_the_process(patch: pytest.MonkeyPatch) -> None:
    stop = Disk.stop

    def forget(self: Disk, *, power: bool) -> None:
        stop(self, power=power)
        self.marks._marks.clear()

    patch.setattr(Disk, "stop", forget)


def nobody_is_ever_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pace, "late", lambda *_: None)


def a_failure_is_no_reason_to_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(history, "HEALTH", HealthSettings(backoff_base_s=0.01, backoff_cap_s=0.01))


def a_flight_never_gives_up(patch: pytest.MonkeyPatch) -> None:
    a_failure_is_no_reason_to_wait(patch)
    patch.setattr(flight, "ROUNDS_MAX", 50)
    patch.setattr(flight, "PATIENCE_S", LENGTH_S)


def who_is_late_is_looked_at_all_the_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pace, "LOOK_S", 0.001)


def looks_come_every_second(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(history, "KEEPER", KeeperSettings(refresh_interval_s=1.0))


def nobody_looks_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(history, "KEEPER", KeeperSettings(refresh_interval_s=10_000.0))
    patch.setattr(history, "HEALTH", HealthSettings(probe_interval_s=10_000.0))


def a_stop_forgets_the_looks(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Keeper) -> None:
        """Nothing is closed."""

    looks_come_every_second(patch)  # so that one is under way
    patch.setattr(Keeper, "close", nothing)


CORRUPT = story(
    (source(0, since(29.9, Fault.CORRUPT), rate_bytes_s=5_000_000), source(1, rate_bytes_s=400_000)),
    (visit(5.0, 0), visit(30.0, 7, 8, 9)),
)
STALE = story((source(0, since(60.0, Fault.STALE)),), (visit(5.0), visit(190.0)))
STOPPED = dataclasses.replace(STALE, stops=(Stop(100.0, power=True, down_s=5.0),))
SILENT = story(
    (source(0, since(20.0, Fault.SILENT)), source(1, since(19.0, Fault.SILENT)), source(2)), (visit(30.0, 9),)
)
REFUSED = story((source(0, since(0.0, Fault.REFUSED)), source(1)), tuple(visit(at, 1) for at in range(5, 200, 5)))
CUT = story((source(0, since(20.0, Fault.RESET_IN_BODY)),), (visit(5.0, 0), visit(30.0, 9)))
ALONE = story((source(0, since(20.0, Fault.SILENT)),), (visit(5.0, 0), visit(20.1, 6, 7, 8, 9)))
WELL = story((source(0),), (visit(5.0, 0),))
LONG = dataclasses.replace(WELL, length_s=2 * LENGTH_S)
SILENT_IN_THE_END = story((source(0, since(LENGTH_S - 3.0, Fault.SILENT)),), (visit(5.0, 0),))

DEFECTS: tuple[tuple[Break, Script, Property], ...] = (
    (the_last_byte_waits_for_nobody, CORRUPT, properties.nothing_unverified_is_completed),
    (whatever_came_is_verified, CORRUPT, properties.nothing_unverified_is_completed),
    (any_date_is_accepted_and_marked, STALE, properties.no_mark_ever_falls),
    (any_date_is_accepted_and_marked, STALE, properties.nobody_is_led_back),
    (marks_are_lost_with_the_process, STOPPED, properties.no_mark_ever_falls),
    (nobody_looks_again, LONG, properties.news_arrive),
    (nobody_is_ever_late, SILENT, properties.one_honest_source_is_enough),
    (a_failure_is_no_reason_to_wait, REFUSED, properties.a_dead_source_is_left_alone),
    (a_flight_never_gives_up, CUT, properties.requests_are_bounded),
    (who_is_late_is_looked_at_all_the_time, ALONE, properties.nobody_turns_in_vain),
    (looks_come_every_second, WELL, properties.requests_are_bounded),
    (a_stop_forgets_the_looks, SILENT_IN_THE_END, properties.nothing_is_left),
)


@pytest.mark.parametrize(("defect", "told", "violated"), DEFECTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_defect_is_seen_by_its_property(
    published: Vendor, monkeypatch: pytest.MonkeyPatch, defect: Break, told: Script, violated: Property
) -> None:
    assert properties.objections(live(published, told), published) == []
    defect(monkeypatch)
    assert list(violated(live(published, told), published)) != []


def test_chance_of_the_machine_s_own_would_be_seen(published: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "Random", lambda _: random.SystemRandom())
    assert live(published, WELL).digest() != live(published, WELL).digest()
