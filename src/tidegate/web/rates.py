"""How fast things go, from what a gateway counted at two moments. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.web.report import StatusReport

OVER_S = 60.0
"""Rates are told over this time, or as much of it as is known."""
SAMPLES_MAX = 40


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process had counted at a moment."""

    at: float
    pid: int
    by_how: Mapping[str, int]
    bytes: int
    fetched_bytes: int


@dataclass(frozen=True, slots=True)
class Rates:
    """By second, over `over_s`."""

    over_s: float
    by_how: Mapping[str, float]
    bytes_s: float
    fetched_bytes_s: float

    @property
    def answers_s(self) -> float:
        return sum(self.by_how.values())

    @property
    def hits_s(self) -> float:
        return self.by_how.get("hit", 0.0)


def sample_of(status: StatusReport, at: float) -> Sample | None:
    """None where no gateway runs."""
    if status.running is None or status.traffic is None:
        return None
    fetched = sum(one.fetched_bytes for one in status.sources)
    return Sample(at, status.running.pid, status.traffic.by_how, status.traffic.bytes, fetched)


def rates(samples: Sequence[Sample]) -> Rates | None:
    """From the newest sample back; None until there are two of one process."""
    if not samples:
        return None
    last = samples[-1]
    before = next((one for one in samples if one.pid == last.pid and last.at - one.at <= OVER_S), last)
    over_s = last.at - before.at
    if over_s <= 0:
        return None
    by_how = {how: max(0, count - before.by_how.get(how, 0)) / over_s for how, count in last.by_how.items()}
    return Rates(
        over_s,
        by_how,
        max(0, last.bytes - before.bytes) / over_s,
        max(0, last.fetched_bytes - before.fetched_bytes) / over_s,
    )
