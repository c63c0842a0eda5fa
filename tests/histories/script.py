"""What a seed chooses: sources and their faults, who asks when and for what, when the machine stops. Pure."""

import random
from dataclasses import dataclass

from tests.histories.faults import Fault, Spell
from tests.histories.network import Place
from tests.histories.vendor import PUBLICATION_EVERY_S, PUBLICATIONS, SIZES, SUITES

SOURCES = (2, 5)
LENGTH_S = (150.0, 600.0)
SHELTERED = 0.75
"""The share of histories in which one source is honest, healthy and current from the first moment to the last."""
SAME_OPERATOR = 0.2
LAGGING = 0.3
FLAPPING = 0.35
FULL_DISK = 0.15
STOPS = (0, 0, 0, 1, 1, 2)
SPELLS = (0, 1, 1, 1, 2, 3)
VISITS = (3, 7)
PACKAGES_MAX = 4
QUIET_END_S = 40.0
"""Before the end nobody asks any more, so that everybody could be answered."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A client's `apt-get update` and the packages that it then fetches, by their place in the index."""

    at_s: float
    suite: str
    by_hash: bool
    contents: bool
    packages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """The gateway is gone at once and begins again later; with `power`, so is what was not synced."""

    at_s: float
    power: bool
    down_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """A history before it is lived. Times are seconds from its start; `offset_s` is the vendor's age by then."""

    seed: int
    length_s: float
    offset_s: float
    places: tuple[Place, ...]
    visits: tuple[Visit, ...]
    stops: tuple[Stop, ...]
    checkpoints: tuple[float, ...]
    full: tuple[tuple[float, float], ...]

    @property
    def sheltered(self) -> tuple[Place, ...]:
        """The sources that are well all along."""
        return tuple(place for place in self.places if place.always_well)

    def is_full(self, at_s: float) -> bool:
        """Whether the disk is full."""
        return any(begins <= at_s < ends for begins, ends in self.full)

    def lines(self) -> list[str]:
        """For people."""
        told = [f"seed {self.seed}: {self.length_s:.0f} s, the vendor's publications since {self.offset_s:.0f} s"]
        for place in self.places:
            told.append(
                f"  {place.host} of {place.operator}: {place.latency_s * 1000:.0f} ms, {place.rate_bytes_s:,} B/s,"
                f" lag {place.lag_s:.0f} s{', no ranges' * (not place.ranges)}{', no by-hash' * (not place.by_hash)}"
            )
            told += [
                f"    {spell.fault} from {spell.begins_s:.1f} to {spell.ends_s:.1f} s"
                + (f", flapping each {spell.period_s:.1f} s" if spell.period_s else "")
                for spell in place.spells
            ]
        told += [f"  stop at {one.at_s:.1f} s for {one.down_s:.1f} s{', power' * one.power}" for one in self.stops]
        told += [f"  disk full from {begins:.1f} to {ends:.1f} s" for begins, ends in self.full]
        return told


def script(seed: int) -> Script:
    """The script of a seed: the same in every run."""
    chance = random.Random(f"history {seed}")
    length_s = chance.uniform(*LENGTH_S)
    stops = sorted(chance.uniform(10.0, length_s - QUIET_END_S) for _ in range(chance.choice(STOPS)))
    return Script(
        seed=seed,
        length_s=length_s,
        offset_s=chance.uniform(0.0, PUBLICATION_EVERY_S * (PUBLICATIONS - 1) - length_s),
        places=_places(chance, length_s),
        visits=_visits(chance, length_s),
        stops=tuple(Stop(at_s, chance.random() < 0.4, chance.uniform(0.5, 20.0)) for at_s in stops),
        checkpoints=tuple(sorted(chance.uniform(0.0, length_s) for _ in range(4))),
        full=_full(chance, length_s),
    )


def _places(chance: random.Random, length_s: float) -> tuple[Place, ...]:
    count = chance.randint(*SOURCES)
    sheltered = chance.randrange(count) if chance.random() < SHELTERED else None
    places: list[Place] = []
    for number in range(count):
        well = number == sheltered
        operator = f"operator-{number}"
        if places and chance.random() < SAME_OPERATOR:
            operator = places[-1].operator
        places.append(
            Place(
                host=f"mirror-{number}.example",
                operator=operator,
                latency_s=chance.choice((0.005, 0.02, 0.05, 0.15)),
                rate_bytes_s=chance.choice((400_000, 1_000_000, 5_000_000)),
                lag_s=0.0 if well or chance.random() > LAGGING else chance.uniform(20.0, 450.0),
                ranges=chance.random() < 0.9,
                validators=chance.random() < 0.8,
                by_hash=well or chance.random() < 0.85,
                spells=() if well else _spells(chance, length_s),
            )
        )
    return tuple(places)


def _spells(chance: random.Random, length_s: float) -> tuple[Spell, ...]:
    made = []
    for _ in range(chance.choice(SPELLS)):
        begins = chance.choice((0.0, chance.uniform(0.0, length_s)))
        ends = chance.choice((length_s + 1.0, begins + chance.uniform(2.0, 60.0), begins + chance.uniform(60.0, 400.0)))
        period = chance.choice((2.0, 7.0, 30.0, 120.0)) if chance.random() < FLAPPING else 0.0
        made.append(Spell(chance.choice(tuple(Fault)), begins, ends, period))
    return tuple(made)


def _visits(chance: random.Random, length_s: float) -> tuple[Visit, ...]:
    visits: list[Visit] = []
    for _ in range(chance.randint(*VISITS)):
        at_s = chance.uniform(0.0, length_s - QUIET_END_S)
        for _ in range(chance.choice((1, 1, 1, 4))):  # now and then a crowd, within a moment
            count = chance.randint(0, PACKAGES_MAX)
            visits.append(
                Visit(
                    at_s=at_s + chance.uniform(0.0, 0.3),
                    suite=chance.choice(SUITES),
                    by_hash=chance.random() < 0.7,
                    contents=chance.random() < 0.3,
                    packages=tuple(chance.sample(range(len(SIZES)), count)),
                )
            )
    return tuple(sorted(visits, key=lambda visit: visit.at_s))


def _full(chance: random.Random, length_s: float) -> tuple[tuple[float, float], ...]:
    if chance.random() >= FULL_DISK:
        return ()
    begins = chance.uniform(0.0, length_s)
    return ((begins, begins + chance.uniform(5.0, 200.0)),)
