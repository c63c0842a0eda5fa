"""The fleet watched over: the index follows what hosts report, feeds say, and snapshots list."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from tests.advisories.samples import NOON, provenance
from tests.fleet.hosts_contract import had
from tests.fleet.incident import DAY_S, NOTHING, Stock, package
from tests.fleet.test_exposure import feed, offered
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.statement import Piece
from tidegate.advisories.taking_in import take_in
from tidegate.fleet import doubles
from tidegate.fleet.inventory import Inventory
from tidegate.fleet.lookout import Lookout
from tidegate.fleet.memory_hosts import MemoryHosts
from tidegate.fleet.supply import Supply
from tidegate.fleet.verdict import Exposure
from tidegate.fleet.watched_hosts import WatchedHosts

CVE = "CVE-2026-0001"
OTHER = "CVE-2026-0002"


class Fleet:
    """Hosts of noble, what the tracker says, and what can be had."""

    def __init__(self) -> None:
        self.history = feed("noble_bash: released (5.2-2)")
        self.supply: Stock = NOTHING
        self.asked: list[frozenset[str]] = []
        self.inner = MemoryHosts()
        self.lookout = Lookout(self.history, self.inner, self._supply_of)
        self.hosts = WatchedHosts(self.inner, self.lookout)

    def _supply_of(self, sources: Collection[str]) -> Supply:
        self.asked.append(frozenset(sources))
        return self.supply

    def report(self, *packages: tuple[str, str], identity: str = "h1", at: int = NOON) -> bool:
        return self.hosts.report(self.told(*packages, identity=identity, at=at), bytes(32))

    def told(self, *packages: tuple[str, str], identity: str = "h1", at: int = NOON) -> Inventory:
        return replace(had(*(package(*one) for one in packages), identity=identity, at=at, runs=""), modules=())

    def classes(self, about: str = CVE, now: int = NOON) -> dict[Exposure, set[str]]:
        found = self.lookout.exposed(about, now).by_class
        return {one: {host.host.id for host in self.lookout.entries(list(hosts))} for one, hosts in found.items()}


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_hosts_that_reported_before_anybody_looked_are_there(fleet: Fleet) -> None:
    fleet.report(("bash", "5.2-1"))
    fleet.report(("bash", "5.2-2"), identity="h2")
    assert fleet.classes() == {Exposure.NOT_HELD: {"h1"}}
    assert len(fleet.lookout.everybody) == 2


def test_a_host_that_updates_is_out_of_it_at_once_and_one_that_is_removed_too(fleet: Fleet) -> None:
    fleet.report(("bash", "5.2-1"))
    fleet.report(("bash", "5.2-1"), identity="h2")
    assert fleet.classes() == {Exposure.NOT_HELD: {"h1", "h2"}}
    fleet.report(("bash", "5.2-2"), at=NOON + 1)
    assert fleet.classes() == {Exposure.NOT_HELD: {"h2"}}
    assert fleet.hosts.remove("h2", NOON + 2)
    assert fleet.classes() == {}


def test_what_can_be_had_now_changes_the_class_when_it_is_said_to_have_changed(fleet: Fleet) -> None:
    fleet.report(("bash", "5.2-1"))
    assert set(fleet.classes()) == {Exposure.NOT_HELD}
    fleet.supply = offered("bash", "5.2-2")
    fleet.lookout.supply_changed()
    assert set(fleet.classes()) == {Exposure.FIXABLE}


def test_what_feeds_say_anew_counts_when_it_is_said_to_have_changed(fleet: Fleet) -> None:
    fleet.report(("bash", "5.2-1"))
    assert set(fleet.classes()) == {Exposure.NOT_HELD}
    feed("noble_bash: needed", at=NOON + 60, into=fleet.history)
    fleet.lookout.feeds_changed()
    assert set(fleet.classes()) == {Exposure.NO_FIX}


def test_a_package_that_no_host_had_before_is_judged_by_what_the_feeds_say_of_it(fleet: Fleet) -> None:
    feed("noble_zsh: needed", cve=OTHER, at=NOON + 1, into=fleet.history)
    fleet.report(("bash", "5.2-1"))
    assert fleet.classes(OTHER) == {}
    fleet.report(("bash", "5.2-1"), ("zsh", "1"), at=NOON + 2)
    assert fleet.classes(OTHER) == {Exposure.NO_FIX: {"h1"}}
    assert "zsh" in fleet.asked[-1]


def test_a_host_that_is_silent_is_unknown_and_a_word_from_it_makes_it_known(fleet: Fleet) -> None:
    fleet.report(("bash", "5.2-1"))
    later = NOON + 4 * DAY_S
    feed("noble_bash: released (5.2-2)", at=later, into=fleet.history)
    assert set(fleet.classes(now=later)) == {Exposure.UNKNOWN}
    assert len(fleet.lookout.stale(later)) == 1
    assert fleet.hosts.confirm("h1", bytes(32), later)
    assert set(fleet.classes(now=later)) == {Exposure.NOT_HELD}


def test_a_host_that_is_two_machines_is_never_clean(fleet: Fleet) -> None:
    fleet.report(("bash", "5.2-2"))
    assert [verdict.clean for _, verdict in fleet.lookout.verdicts("h1", NOON)] == [True]
    fleet.hosts.tag("h1", [doubles.TAG])
    for ((_, verdict),) in (fleet.lookout.verdicts("h1", NOON), tuple(fleet.lookout.each(NOON))):
        assert (verdict.clean, verdict.gaps) == (False, (doubles.GAP,))


def test_the_past_is_answered_by_what_was_known_and_installed_then(fleet: Fleet) -> None:
    fleet.report(("bash", "5.2-1"))
    feed("noble_bash: not-affected", at=NOON + DAY_S, into=fleet.history)
    fleet.report(("bash", "5.3"), at=NOON + DAY_S)
    assert fleet.classes(now=NOON + DAY_S) == {}
    past = Lookout(fleet.history, fleet.inner, lambda _: NOTHING, as_of=NOON + 60)
    assert set(past.exposed(CVE, NOON + 60).by_class) == {Exposure.NOT_HELD}
    ((entry, verdict),) = past.verdicts("h1", NOON + 60)
    assert (entry.host.id, [one.version for one in verdict.findings]) == ("h1", ["5.2-1"])


def test_what_is_worst_comes_first_and_what_most_hosts_have_where_that_is_asked_for(fleet: Fleet) -> None:
    said = {CVE: ["Priority: low", "noble_bash: needed"], OTHER: ["Priority: high", "noble_zsh: needed"]}
    pieces = [Piece(f"active/{cve}", "\n".join([f"Candidate: {cve}", *lines]).encode()) for cve, lines in said.items()]
    history = MemoryHistory()
    take_in(history, FEEDS["ubuntu-tracker"], pieces, provenance("ubuntu-tracker", NOON))
    both = MemoryHosts()
    lookout = Lookout(history, both, lambda _: NOTHING)
    hosts = WatchedHosts(both, lookout)
    hosts.report(fleet.told(("bash", "5"), ("zsh", "1")), bytes(32))
    hosts.report(fleet.told(("bash", "5"), identity="h2"), bytes(32), ["web"])
    by_rank, total = lookout.most(NOON, 10, by_hosts=False)
    assert ([one.about for one in by_rank], total) == ([OTHER, CVE], 2)
    assert [(one.about, one.hosts) for one in lookout.most(NOON, 1, by_hosts=True)[0]] == [(CVE, 2)]
    web = lookout.tagged(["web"])
    ((only,), total) = lookout.most(NOON, 10, by_hosts=False, within=web)
    assert (only.about, only.hosts, [len(one) for one in only.by_class.values()], total) == (CVE, 1, [1], 1)
