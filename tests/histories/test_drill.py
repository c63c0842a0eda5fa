"""30 April 2026 played again: a remedy is published, 38 minutes later every source is gone for 15 hours.

In virtual time, with the settings as they are delivered. What hosts ask for during the attack nobody has asked for
between the publication and the attack.
"""

from dataclasses import dataclass, replace

from tests.histories.door import Answer
from tests.histories.faults import Fault, Spell
from tests.histories.history import VERIFIER, Record, World
from tests.histories.network import Place
from tests.histories.script import Script, Stop, Visit
from tests.histories.vendor import BEGIN, SIZES, SUITES, Vendor
from tidegate.holding.settings import HoldSettings
from tidegate.keeper.settings import KeeperSettings

MINUTE_S, HOUR_S = 60.0, 3_600.0
ATTACK_S = 2 * HOUR_S
PUBLISHED_S = ATTACK_S - 38 * MINUTE_S
FOR_EVER_S = 1e9
SECURITY = SUITES[1]
EVERYTHING = tuple(range(len(SIZES)))
HELD_S_MAX = 0.5
"""For what is held, of the history's time: what a hit takes that waits for nobody."""


@dataclass(frozen=True, slots=True)
class Published(Vendor):
    """The vendor's first publication, and from `PUBLISHED_S` on the second."""

    def shown(self, suite: str, moment: float) -> int:
        return 1 if moment >= BEGIN + PUBLISHED_S else 0


def place(name: str, lag_s: float = 0.0, *spells: Spell) -> Place:
    """A source as there are many, until the attack."""
    attacked = Spell(Fault.BLACKHOLED, ATTACK_S, FOR_EVER_S)
    return Place(f"{name}.example", name, 0.05, 1_000_000, lag_s, True, True, True, (*spells, attacked))


def script(attack_s: float, *stops: Stop) -> Script:
    """Hosts learn of what there is, nobody comes for two hours, and during the attack somebody comes all the time."""
    early = [Visit(60.0, suite, True, False, EVERYTHING) for suite in SUITES]
    late = [
        Visit(ATTACK_S + after_s, suite, True, False, EVERYTHING)
        for suite in SUITES
        for after_s in (1.0, 20.0, *range(1_800, int(attack_s), 2_600))
    ]
    outcast = Spell(Fault.REFUSED, 0.0, FOR_EVER_S)
    return Script(
        seed=38,
        length_s=ATTACK_S + attack_s,
        offset_s=0.0,
        places=(place("origin"), place("mirror", 11 * MINUTE_S), place("outcast", 0.0, outcast)),
        visits=tuple(sorted((*early, *late), key=lambda one: one.at_s)),
        stops=stops,
        checkpoints=tuple(HOUR_S * number for number in range(1, 17)),
        full=(),
    )


def played(published: Vendor, hold: HoldSettings | None, script: Script) -> Record:
    vendor = Published(**{name: getattr(published, name) for name in Vendor.__slots__})
    world = World(vendor, script, VERIFIER, keeping=KeeperSettings(), hold=hold)
    world.archive = replace(world.archive, suites=SUITES)
    world.use_everything(published)
    return world.live()


def during(record: Record) -> list[Answer]:
    return [one for one in record.answers if one.began_s >= ATTACK_S]


def test_every_host_that_asks_during_the_attack_gets_the_remedy(published: Vendor) -> None:
    """With a crash and a power cut in the middle."""
    crash, cut = Stop(ATTACK_S + 5.1 * HOUR_S, power=False, down_s=9.0), Stop(ATTACK_S + 9.3 * HOUR_S, True, 60.0)
    record = played(published, HoldSettings(), script(15 * HOUR_S, crash, cut))
    answers = during(record)
    assert {one.outcome for one in answers} <= {"whole", "lost"}
    for suite in SUITES:
        remedy = published.suites[suite][1]
        shown = {one.digest for one in answers if one.path == remedy.inrelease and one.outcome == "whole"}
        assert {published.dates[digest] for digest in shown} == {remedy.date}
        asked = [one for one in answers if one.path in remedy.packages and one.outcome == "whole"]
        assert {one.path for one in asked} == set(remedy.packages)
        assert all(one.digest in published.vouched[one.path] for one in asked)
    slowest = max((one.ended_s or FOR_EVER_S) - one.began_s for one in answers if one.outcome == "whole")
    assert slowest < HELD_S_MAX, slowest


def test_without_prefetch_the_same_hosts_go_without(published: Vendor) -> None:
    """What the drill shows is prefetch's doing."""
    record = played(published, None, script(HOUR_S))
    assert "refused" in {one.outcome for one in during(record)}
