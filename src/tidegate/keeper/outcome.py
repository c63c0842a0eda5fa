"""How a look at a suite ended."""

from dataclasses import dataclass

from tidegate.sources.failure import Excluded
from tidegate.store.catalogue import Snapshot


@dataclass(frozen=True, slots=True)
class Adopted:
    """A new snapshot is served; `artifacts` of its indices are known."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is served is the newest that was to be seen."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class NotAdopted:
    """Nothing newer could be had; why, source by source."""

    reasons: tuple[Excluded, ...]

    def __str__(self) -> str:
        return "; ".join(f"{one.source}: {one.reason}" for one in self.reasons) or "no source is configured"


Outcome = Adopted | Confirmed | NotAdopted
