"""Figures: one value per round, summed up by medians and by ratios of the same round."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeVar

T = TypeVar("T")
Relation = Literal["at least", "at most", "exactly"]
State = Literal["met", "not met", "not measured"]


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of one peer in one case, a value per round in the order of the rounds."""

    case: str
    peer: str
    figure: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return median(self.values)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of what was seen."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Target:
    """A bound from the project's own requirements; a ratio to the peer `against` where there is one."""

    case: str
    peer: str
    figure: str
    relation: Relation
    bound: float
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target beside what was measured for it."""

    target: Target
    measured: Spread | None
    state: State


class Sheet:
    """Collects values while the rounds run."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str, str], list[float]] = {}

    def add(self, case: str, peer: str, figure: str, unit: str, value: float) -> None:
        """Note the value of this round."""
        self._values.setdefault((case, peer, figure, unit), []).append(value)

    def series(self) -> tuple[Series, ...]:
        """Everything noted so far, in the order of first mention."""
        return tuple(Series(*key, tuple(values)) for key, values in self._values.items())


def alternate(peers: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Every peer once per round, each round beginning with the next peer, so that order favours none."""
    for number in range(rounds):
        first = number % len(peers) if peers else 0
        for peer in (*peers[first:], *peers[:first]):
            yield number, peer


def spread(values: Iterable[float]) -> Spread:
    """Sum values up."""
    held = tuple(values)
    return Spread(median(held), min(held), max(held))


def ratio(one: Series, other: Series) -> Spread | None:
    """`one` over `other`, round by round; None where the rounds do not pair or divide."""
    if len(one.values) != len(other.values) or 0.0 in other.values:
        return None
    return spread(a / b for a, b in zip(one.values, other.values, strict=True))


def judge(targets: Iterable[Target], series: Iterable[Series]) -> tuple[Verdict, ...]:
    """Hold each target against the median of its figure (exact targets: against every round)."""
    known = {(s.case, s.peer, s.figure): s for s in series}
    return tuple(_verdict(target, known) for target in targets)


def _verdict(target: Target, known: dict[tuple[str, str, str], Series]) -> Verdict:
    own = known.get((target.case, target.peer, target.figure))
    if own is None:
        return Verdict(target, None, "not measured")
    measured: Spread | None = spread(own.values)
    if target.against is not None:
        other = known.get((target.case, target.against, target.figure))
        measured = None if other is None else ratio(own, other)
    if measured is None:
        return Verdict(target, None, "not measured")
    return Verdict(target, measured, "met" if _holds(target, measured) else "not met")


def _holds(target: Target, measured: Spread) -> bool:
    match target.relation:
        case "at least":
            return measured.median >= target.bound
        case "at most":
            return measured.median <= target.bound
        case "exactly":
            return measured.low == target.bound == measured.high
