"""What was measured, held against what was asked for. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.lab.crowd import Crowd
from tests.lab.load import Load
from tests.lab.midstream import Midstream
from tests.lab.outcome import Outcome
from tests.lab.rows import Row

FIRST_CONTACT_S = 2.0
KNOWN_S = 0.2
NOISE_MIN_S = 0.05
"""Two healthy runs differ by as much; a hit has to stay within it, or within what they really differed by."""
STALL_S = 1.5
OVERHEAD = 0.05
BY_OTHERS = 0.05
"""What the trickling source may have sent of the crowd's object, as a share of it, beyond the object itself."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """What the same work takes while all sources are well: medians, and how far its hits were apart."""

    first_update_s: float
    again_update_s: float
    first_install_s: float
    again_install_s: float
    held_update_s: float
    held_install_s: float
    noise_s: float


@dataclass(frozen=True, slots=True)
class Added:
    """A row against the healthy run, in seconds; what was measured several times by its median."""

    fault: str
    first_update_s: float
    again_update_s: float
    first_install_s: float
    again_install_s: float
    held_s: float
    all_struck_s: float
    succeeded: bool
    misses: tuple[str, ...]  # targets that were missed, each in a few words


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence of what was asked for, and whether it is so."""

    target: str
    found: str
    met: bool


def healthy(rows: Sequence[Row]) -> Healthy:
    """The yardstick, from several healthy rows: medians, and how far the rows' own medians lie from them."""
    updates = [_median(held) for row in rows for held in (row.held_update, row.all_struck_update)]
    installs = [_median(held) for row in rows for held in (row.held_install, row.all_struck_install)]
    return Healthy(
        _median(one for row in rows for one in row.first_update),
        _median(one for row in rows for one in row.again_update),
        _median(one for row in rows for one in row.first_install),
        _median(one for row in rows for one in row.again_install),
        median(updates),
        median(installs),
        round(max(NOISE_MIN_S, *(max(times) - median(times) for times in (updates, installs))), 3),
    )


def added(row: Row, yard: Healthy) -> Added:
    """How much longer everything took, and which targets that misses."""
    held = max(_median(row.held_update) - yard.held_update_s, _median(row.held_install) - yard.held_install_s)
    struck = max(
        _median(row.all_struck_update) - yard.held_update_s, _median(row.all_struck_install) - yard.held_install_s
    )
    figures = {
        "first update": (_median(row.first_update) - yard.first_update_s, FIRST_CONTACT_S),
        "known update": (_median(row.again_update) - yard.again_update_s, KNOWN_S),
        "first install": (_median(row.first_install) - yard.first_install_s, FIRST_CONTACT_S),
        "known install": (_median(row.again_install) - yard.again_install_s, KNOWN_S),
        "hit": (held, yard.noise_s),
        "hit, all struck": (struck, yard.noise_s),
    }
    succeeded = all(outcome.ok for outcome in row.outcomes)
    misses = [f"{name} +{seconds:.2f} s" for name, (seconds, most) in figures.items() if seconds > most]
    misses += [f"{outcome.end}: {outcome.said}" for outcome in row.outcomes if not outcome.ok][:1]
    misses += [f"wrong bytes: {one}" for one in row.unaccounted[:1]]
    misses += [f"{row.inside} requests inside"] if row.inside else []
    rounded = {name: round(seconds, 3) for name, (seconds, _) in figures.items()}
    return Added(
        row.fault,
        rounded["first update"],
        rounded["known update"],
        rounded["first install"],
        rounded["known install"],
        rounded["hit"],
        rounded["hit, all struck"],
        succeeded,
        tuple(misses),
    )


def of_rows(rows: Sequence[Row], sums: Sequence[Added]) -> list[Verdict]:
    """What was asked for of the table."""
    failed = [one.fault for one in sums if not one.succeeded]
    wrong = [row.fault for row in rows if row.unaccounted]
    checked = sum(row.checked for row in rows)
    inside = sum(row.inside for row in rows)
    return [
        _of("Tidegate succeeds in every row", failed, len(sums)),
        _worst("first contact adds", FIRST_CONTACT_S, sums, ("first_update_s", "first_install_s")),
        _worst("once it is known, the fault adds", KNOWN_S, sums, ("again_update_s", "again_install_s")),
        _of("what is held comes without added time", [s.fault for s in sums if _hits_missed(s)], len(sums)),
        Verdict(
            "nothing wrong is ever delivered",
            f"{checked} complete bodies checked, wrong in {len(wrong)} rows",
            not wrong,
        ),
        Verdict("nobody inside is asked", f"{inside} requests", not inside),
    ]


def of_midstream(one: Midstream) -> list[Verdict]:
    """What was asked for of a source that falls silent in mid-body."""
    return [
        Verdict(f"longest stall at most {STALL_S:g} s", f"{one.longest_gap_s:.2f} s", one.longest_gap_s <= STALL_S),
        Verdict(f"fetched again: less than {OVERHEAD:.0%}", f"{one.overhead:.1%}", one.overhead < OVERHEAD),
        Verdict("the client has it whole and right", "yes" if one.right else "no", one.right),
    ]


def of_crowd(one: Crowd) -> list[Verdict]:
    """What was asked for of the crowd: one flight is one copy sent, whoever sent which part of it."""
    sent = sum(one.sent_bytes.values()) / one.size_bytes
    return [
        Verdict("all of the crowd are served", f"{one.served} of {one.clients}", one.served == one.clients),
        Verdict("one flight", f"{sent:.2f} times the object was sent", sent < 1 + BY_OTHERS),
    ]


def of_load(loads: Iterable[Load]) -> list[Verdict]:
    """What the breaker's documentation promises."""
    found = []
    for one in loads:
        target = f"{one.fault}: at most {one.promised} requests in {one.seconds:g} s"
        answered = (
            f"{one.at_the_dead}; clients answered: {one.answered} of {one.asked}, the slowest in {one.slowest_s:.2f} s"
        )
        found.append(Verdict(target, answered, one.at_the_dead <= one.promised and one.answered == one.asked))
    return found


def _of(target: str, missed: list[str], among: int) -> Verdict:
    found = f"in {among - len(missed)} of {among} rows"
    return Verdict(target, found + (f"; not: {', '.join(missed)}" if missed else ""), not missed)


def _worst(target: str, most_s: float, sums: Sequence[Added], names: tuple[str, ...]) -> Verdict:
    worst = max(((getattr(one, name), one.fault) for one in sums for name in names), default=(0.0, "none"))
    over = sum(any(getattr(one, name) > most_s for name in names) for one in sums)
    found = f"at most {worst[0]:+.2f} s ({worst[1]})" + (f"; too much in {over} rows" if over else "")
    return Verdict(f"{target} at most {most_s:g} s", found, not over)


def _hits_missed(one: Added) -> bool:
    return any(miss.startswith("hit") for miss in one.misses)


def _median(outcomes: Iterable[Outcome]) -> float:
    return median(outcome.seconds for outcome in outcomes)
