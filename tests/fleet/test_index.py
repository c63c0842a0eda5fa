"""All hosts at once: the same answers as for each host by itself, whatever came, changed and went."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from tests.advisories.samples import NOON, provenance
from tests.fleet.incident import DAY_S, Stock, host, image, meta, module, package, uname
from tests.fleet.test_exposure import notice, osv
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.statement import Piece
from tidegate.advisories.taking_in import take_in
from tidegate.fleet.composition import Composition
from tidegate.fleet.exposure import verdict
from tidegate.fleet.index import Index
from tidegate.fleet.inventory import Inventory, Suite
from tidegate.fleet.knowledge import Knowledge, known_of, nothing_of
from tidegate.fleet.memory_hosts import MemoryHosts
from tidegate.fleet.supply import Offer
from tidegate.fleet.verdict import Exposure

RELEASES = ("noble", "jammy", "unheard-of")
LINES = {
    "CVE-2026-0001": ["noble_bash: released (5.2-2)", "jammy_bash: needed", "noble_zsh: released (2)"],
    "CVE-2026-0002": ["noble_glibc: released (2.39-2)", "esm-apps/noble_zsh: released (3)", "noble_zsh: needed"],
    "CVE-2026-0003": ["noble_linux: released (6.8.0-111.111)", "noble_linux-hwe: needed", "jammy_linux: needs-triage"],
    "CVE-2026-0004": ["noble_linux: needed", "noble_bash: needs-triage"],
    "CVE-2026-0005": ["noble_glibc: needed", "jammy_zsh: ignored (no)"],
}
"""CVE-2026-0004 has Copy Fail's shape, with kmod's notice; for CVE-2026-0005 an ordinary package is the remedy."""
MORE = {"CVE-2026-0006": ["noble_zsh: released (4)", "noble_linux-meta: needed"]}


def told(lines: dict[str, list[str]], at: int) -> MemoryHistory:
    history = MemoryHistory()
    pieces = [Piece(f"active/{cve}", "\n".join([f"Candidate: {cve}", *said]).encode()) for cve, said in lines.items()]
    pieces.append(Piece("active/CVE-2026-0099", b"Candidate: CVE-2026-0099\nnoble_bash: rubbish"))
    take_in(history, FEEDS["ubuntu-tracker"], pieces, provenance("ubuntu-tracker", at))
    mitigates = "It mitigates the fault by keeping algif_aead from loading."
    notices = [notice("USN-1-1", "kmod", "31-2", mitigates), notice("USN-2-1", "bash", "5.2-3", mitigates)]
    for one, cve in zip(notices, ("CVE-2026-0004", "CVE-2026-0005"), strict=True):
        one["upstream"] = [f"UBUNTU-{cve}"]
    return osv(*notices, at=at, into=history)


def knowing(lines: dict[str, list[str]], at: int = NOON) -> dict[tuple[str, str], Knowledge]:
    history = told(lines, at)
    known = {("ubuntu", release): known_of(history, "ubuntu", release) for release in RELEASES[:2]}
    return known | {("ubuntu", RELEASES[2]): nothing_of("ubuntu", RELEASES[2])}


KNOWN = knowing(LINES)
KNOWN_LATER = knowing(LINES | MORE, NOON + 60)
FULL = Stock(
    {
        ("noble", "bash"): (Offer("bash", "amd64", "5.2-3", "5.2-3", True),),
        ("noble", "glibc"): (Offer("libc6", "amd64", "2.39-2", "2.39-2", False),),
        ("noble", "linux-signed"): (
            Offer("linux-image-6.8.0-111-generic", "amd64", "6.8.0-111.111", "6.8.0-111.111", True),
        ),
    }
)
KERNELS = ("6.8.0-110.110", "6.8.0-111.111", "6.8.0-112.112")
PIECES = st.one_of(
    st.builds(package, st.just("bash"), st.sampled_from(["5.2-1", "5.2-2", "5.2-3"]), held=st.booleans()),
    st.builds(package, st.sampled_from(["libc6", "libc-bin"]), st.sampled_from(["2.39-1", "2.39-2"]), st.just("glibc")),
    st.builds(package, st.just("zsh"), st.sampled_from(["1", "2", "3", "4", "2+ppa1"])),
    st.builds(package, st.just("kmod"), st.sampled_from(["31-1", "31-2"])),
    st.builds(package, st.just("linux-libc-dev"), st.sampled_from(KERNELS), st.just("linux")),
    st.builds(package, st.just("linux-firmware"), st.sampled_from(["1", "2"])),
    st.builds(image, st.sampled_from(KERNELS), st.sampled_from(["linux-signed", "linux-signed-hwe"])),
    st.builds(meta),
)
INVENTORIES = st.builds(
    host,
    st.sampled_from(RELEASES),
    runs=st.sampled_from(["", *map(uname, KERNELS), "6.8.0-999-custom"]),
    taken_at=st.sampled_from([NOON, NOON - 2 * DAY_S, NOON - 9 * DAY_S]),
    modules=st.sampled_from([(), (module(),), (module(blocked=True),), (module(loaded=True),)]),
)
SUITES = st.sampled_from([None, frozenset[Suite](), frozenset({Suite("UbuntuESMApps", "noble-apps-security")})])
UNREADABLE = st.sampled_from([(), ("package x: no version",)])


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """A host of any release, with anything on it."""
    made: Inventory = draw(INVENTORIES)
    found = draw(st.lists(PIECES, min_size=1, max_size=8, unique_by=lambda one: (one.binary, one.version)))
    return replace(
        made,
        packages=tuple(sorted(found)),
        host=replace(made.host, suites=draw(SUITES)),
        unreadable=draw(UNREADABLE),
    )


@dataclass
class Fleet:
    """Hosts, and the index that is told of each."""

    hosts: MemoryHosts = field(default_factory=MemoryHosts)
    index: Index = field(default_factory=lambda: Index(KNOWN, FULL))
    known: dict[tuple[str, str], Knowledge] = field(default_factory=lambda: dict(KNOWN))
    supply: Stock = FULL

    def describe(self, composition: Composition) -> None:
        missing, pieces = self.index.undescribed(composition)
        self.index.describe(self.hosts.settings(missing), self.hosts.pieces(pieces))

    def report(self, inventory: Inventory) -> None:
        before = self.hosts.composition(inventory.host.id)
        if not self.hosts.report(inventory, bytes(32)):
            entry = self.hosts.entry(inventory.host.id)
            if entry is not None:
                self.index.seen(entry.number, entry.seen_at)
            return
        made = self.hosts.composition(inventory.host.id)
        assert made is not None
        self.describe(made)
        self.index.put(made, inventory.taken_at, before)

    def remove(self, identity: str) -> None:
        before = self.hosts.composition(identity)
        if before is not None:
            self.hosts.remove(identity, NOON)
            self.index.drop(before)

    def know(self, known: dict[tuple[str, str], Knowledge], supply: Stock) -> None:
        self.known, self.supply = known, supply
        if not self.index.know(known, supply):
            self.index = Index(known, supply)
            compositions = list(self.hosts.compositions())
            for composition, _ in compositions:
                self.describe(composition)
            self.index.fill(compositions)

    def agrees(self, now: int) -> None:
        """Each answer of the index is what the hosts' verdicts come to."""
        exposed: dict[str, dict[Exposure, set[int]]] = defaultdict(lambda: defaultdict(set))
        classes: dict[Exposure, set[int]] = defaultdict(set)
        not_judged, to_do = set[int](), set[int]()
        pairs = Counter[Exposure]()
        numbers = []
        for entry in self.hosts.entries():
            inventory, made = self.hosts.inventory(entry.host.id), self.hosts.composition(entry.host.id)
            assert inventory is not None
            assert made is not None
            knowledge = self.known[inventory.host.distribution, inventory.host.release]
            by_itself = verdict(inventory, knowledge, self.supply, now)
            in_index = self.index.verdict(made, entry.host.id, now)
            assert replace(in_index, gaps=()) == replace(by_itself, gaps=())
            assert sorted(in_index.gaps) == sorted(by_itself.gaps)
            for finding in by_itself.findings:
                pairs[finding.exposure] += 1
                exposed[finding.about][finding.exposure].add(entry.number)
                classes[finding.exposure].add(entry.number)
            if by_itself.unknown_since is not None:
                classes[Exposure.UNKNOWN].add(entry.number)
            if len(by_itself.gaps) > len(knowledge.gaps):
                not_judged.add(entry.number)
            if any(one.can_be_closed for one in by_itself.findings):
                to_do.add(entry.number)
            numbers.append(entry.number)
        assert set(self.index.everybody) == set(numbers)
        assert set(self.index.not_judged()) == not_judged
        assert set(self.index.to_do(now)) == to_do
        counted = Counter[str]()
        for about in [*LINES, *MORE]:
            found = self.index.exposed(about, now)
            assert {one: set(hosts) for one, hosts in found.items()} == exposed.get(about, {})
            known = set().union(*(hosts for one, hosts in exposed[about].items() if one is not Exposure.UNKNOWN))
            counted[about] = len(known)
        assert Counter(dict(self.index.counts(now))) == +counted
        some = BitMap(numbers[::2])
        for about, hosts in self.index.counts(now, within=some):
            known = set().union(*(found for one, found in exposed[about].items() if one is not Exposure.UNKNOWN))
            assert hosts == len(known & set(some))
        assert {one: set(hosts) for one, hosts in self.index.classes(now).items()} == classes
        assert +Counter(self.index.pairs(now)) == pairs


STEPS = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(["h1", "h2", "h3"]), inventories()),
    st.tuples(st.just("remove"), st.sampled_from(["h1", "h2", "h3"]), st.none()),
    st.tuples(st.just("know"), st.sampled_from(["more", "less", "other remedies"]), st.none()),
)


@given(st.lists(STEPS, min_size=1, max_size=8), st.sampled_from([0, DAY_S, 5 * DAY_S, 640 * DAY_S]))
def test_the_index_says_what_each_hosts_verdict_says_whatever_happened(
    steps: list[tuple[str, str, Any]], later: int
) -> None:
    fleet = Fleet()
    for number, (what, name, inventory) in enumerate(steps):
        if what == "report":
            told_at = inventory.taken_at + number
            fleet.report(replace(inventory, taken_at=told_at, host=replace(inventory.host, id=name)))
        elif what == "remove":
            fleet.remove(name)
        elif name == "more":
            fleet.know(KNOWN_LATER, Stock())
        elif name == "less":
            fleet.know(KNOWN, FULL)
        else:
            fleet.know({release: replace(one, remedies={}) for release, one in KNOWN.items()}, FULL)
        if number % 3 == 0:
            fleet.agrees(NOON + later)
    fleet.agrees(NOON + later)


def test_a_host_that_reports_again_is_known_at_once() -> None:
    fleet, now = Fleet(), NOON + 5 * DAY_S
    told_then = host("noble", package("bash", "5.2-1"), runs="", taken_at=NOON)
    fleet.report(told_then)
    fresh = knowing(LINES, now)
    fleet.know(fresh, FULL)
    assert set(fleet.index.exposed("CVE-2026-0001", now)) == {Exposure.UNKNOWN}
    made = fleet.hosts.composition(told_then.host.id)
    assert made is not None
    fleet.index.seen(made.number, now)
    assert set(fleet.index.exposed("CVE-2026-0001", now)) == {Exposure.FIXABLE}


def test_hosts_that_are_alike_are_judged_once() -> None:
    fleet = Fleet()
    for number in range(50):
        alike = host("noble", package("zsh", "1"), image(KERNELS[0]), runs=uname(KERNELS[0]), taken_at=NOON)
        headers = package("linux-libc-dev", KERNELS[number % 3], "linux")
        packages = tuple(sorted([*alike.packages, headers]))
        fleet.report(replace(alike, packages=packages, host=replace(alike.host, id=f"h{number}")))
    fleet.index.settle()
    assert len(fleet.index.exposed("CVE-2026-0001", NOON)[Exposure.NOT_HELD]) == 50
    assert len(list(fleet.index.cells)) == 2
    assert {one.about: one.hosts for one in fleet.index.counts(NOON)} == dict.fromkeys(
        ["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0004"], 50
    )
