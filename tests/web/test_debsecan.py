"""The real debsecan, fed by us over loopback, and our own verdict on the same host from the same data.

The same pairs of CVE and binary package, but for what is explained in `EXPLAINED`, one by one.
"""

import random
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
import zstandard

from tests.advisories.samples import at
from tests.web.bulletin import Bulletin
from tidegate.advisories.from_files import take_in_path
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.answers.age import DAY_S
from tidegate.archive.errors import FormatError
from tidegate.fleet.case import foreign
from tidegate.fleet.exposure import verdict
from tidegate.fleet.inventory import Form, Host, Inventory, Package, inventory, package
from tidegate.fleet.kernels import is_kernel
from tidegate.fleet.knowledge import Knowledge, known_of
from tidegate.fleet.supply import Offer
from tidegate.fleet.verdict import Verdict

DATA = Path(__file__).parent.parent / "data" / "answers"
FETCHED = at("2025-02-12 12:00:00")
DEBSECAN_TIMEOUT_S = 60
Pair = tuple[str, str]
Pairs = frozenset[Pair]


class Nothing:
    """No snapshot lists anything: what is open does not depend on what can be had."""

    def offers(self, distribution: str, release: str, source: str) -> Sequence[Offer]:
        return ()


@pytest.fixture(scope="module")
def history() -> MemoryHistory:
    made = MemoryHistory()
    path = DATA / "bookworm-osv.jsonl.zst"
    take_in_path(made, "debian-osv", path, origin="https://feeds.example/debian-osv", fetched_at=FETCHED)
    return made


@pytest.fixture(scope="module")
def knowledge(history: MemoryHistory) -> Knowledge:
    return known_of(history, "debian", "bookworm")


@pytest.fixture(scope="module")
def bulletin(history: MemoryHistory) -> Iterator[Bulletin]:
    with Bulletin(history) as made:
        made.clock = FETCHED + 60
        yield made


def host(packages: Iterable[Package | FormatError | None]) -> Inventory:
    who = Host("host", "host", "debian", "bookworm", suites=frozenset())
    return inventory(who, packages, taken_at=FETCHED, form=Form.REPORT)


def real_packages() -> list[Package]:
    """A real Debian 12 host's."""
    packed = (DATA / "debian12-host.tsv.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=2**20).decode()
    found = []
    for line in text.splitlines():
        binary, version, architecture, source, source_version, _ = line.split("\t")
        one = package(binary, architecture, version, source=source, source_version=source_version)
        assert isinstance(one, Package)
        found.append(one)
    return found


def aged(knowledge: Knowledge, seed: int) -> list[Package]:
    """The same packages in older versions: of each source, one that some CVE was fixed in, or the one just before."""
    chance = random.Random(seed)
    versions: dict[str, str] = {}
    for source in sorted({one.source for one in real_packages()} & knowledge.said.keys()):
        said = [one.statement.fixed for found in knowledge.said[source].values() for one in found]
        fixed = sorted({version for version in said if version})
        if fixed and chance.random() < 0.8:
            versions[source] = chance.choice(fixed) + chance.choice(("", "~", "+deb12u9"))
    found = []
    for one in real_packages():
        version = versions.get(one.source, one.source_version)
        made = package(one.binary, one.architecture, version, source=one.source, source_version=version)
        assert isinstance(made, Package)
        found.append(made)
    return found


def status_file(packages: Iterable[Package]) -> str:
    """dpkg's, as far as debsecan reads it."""
    return "\n".join(
        f"Package: {one.binary}\nStatus: install ok installed\nArchitecture: {one.architecture}\n"
        f"Source: {one.source} ({one.source_version})\nVersion: {one.version}\n"
        for one in packages
    )


def debsecan(
    bulletin: Bulletin, tmp_path: Path, packages: Iterable[Package], *options: str
) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "status").write_text(status_file(packages))
    source = ("--source", f"{bulletin.url}/debsecan/release/1/", "--suite", "bookworm")
    host = ("--status", str(tmp_path / "status"), "--config", "/dev/null", "--whitelist", "/dev/null/none")
    return subprocess.run(
        ["debsecan", *source, *host, *options],
        capture_output=True,
        text=True,
        timeout=DEBSECAN_TIMEOUT_S,
        check=False,
        env={"PATH": "/usr/bin:/bin", "no_proxy": "127.0.0.1"},
    )


def told(bulletin: Bulletin, tmp_path: Path, packages: Iterable[Package]) -> Pairs:
    ran = debsecan(bulletin, tmp_path, packages, "--format", "simple")
    assert (ran.returncode, ran.stderr) == (0, "")
    return pairs_of(ran.stdout)


def pairs_of(printed: str) -> Pairs:
    pairs = (line.split(" ") for line in printed.splitlines())
    return frozenset((cve, binary) for cve, binary in pairs)


def ours(found: Verdict) -> Pairs:
    return frozenset((one.about, binary) for one in found.findings for binary in one.binaries)


# What the two do not agree on, and why.


def of_kernels(pair: Pair, packages: Sequence[Package], _: Knowledge) -> bool:
    """debsecan judges every package that is built from a kernel's source, headers and libraries too; we judge the
    kernel that runs, and this host does not say of any that it runs."""
    return any(one.binary == pair[1] and is_kernel(one) for one in packages)


def unimportant(pair: Pair, packages: Sequence[Package], knowledge: Knowledge) -> bool:
    """debsecan is not told of what Debian calls unimportant or past its end of life; we tell it, with its urgency."""
    sources = {one.source for one in packages if one.binary == pair[1]}
    said = [one.statement for source in sources for one in knowledge.said.get(source, {}).get(pair[0], ())]
    return bool(said) and all(one.urgency in ("unimportant", "end-of-life") for one in said)


def of_third_parties(pair: Pair, packages: Sequence[Package], _: Knowledge) -> bool:
    """debsecan compares versions of a package that bears Debian's name and is not Debian's; we call that unknown. This
    host's nodejs is its maker's."""
    return any(one.binary == pair[1] and foreign(one, "debian") for one in packages)


Reason = Callable[[Pair, Sequence[Package], Knowledge], bool]
ONLY_DEBSECAN: dict[str, Reason] = {"of kernels": of_kernels}
ONLY_OURS: dict[str, Reason] = {"unimportant": unimportant, "of third parties": of_third_parties}


def explained(
    more: Pairs, reasons: dict[str, Reason], packages: Sequence[Package], knowledge: Knowledge
) -> dict[str, int]:
    """How many pairs each reason is for; what none is for stands under its own name."""
    counted: dict[str, int] = defaultdict(int)
    for pair in more:
        reason = next((name for name, holds in reasons.items() if holds(pair, packages, knowledge)), None)
        counted[reason or " ".join(pair)] += 1
    return dict(counted)


@pytest.mark.parametrize("seed", [None, 1, 2, 3, 4])
def test_debsecan_finds_the_same_pairs_but_for_what_is_explained(
    bulletin: Bulletin, knowledge: Knowledge, tmp_path: Path, seed: int | None
) -> None:
    packages = real_packages() if seed is None else aged(knowledge, seed)
    theirs = told(bulletin, tmp_path, packages)
    found = verdict(host(packages), knowledge, Nothing(), FETCHED + 60)
    mine = ours(found)
    assert len(theirs & mine) > 100
    only_theirs = explained(theirs - mine, ONLY_DEBSECAN, packages, knowledge)
    only_mine = explained(mine - theirs, ONLY_OURS, packages, knowledge)
    if seed is None:  # a real host's real list: every difference was looked at, and there are no others
        counted = len(theirs & mine), only_theirs, only_mine
        assert counted == (245, {"of kernels": 22}, {"unimportant": 515, "of third parties": 30})
    assert only_theirs.keys() <= ONLY_DEBSECAN.keys()
    assert only_mine.keys() <= ONLY_OURS.keys()


def test_debsecan_says_which_have_a_fix(bulletin: Bulletin, knowledge: Knowledge, tmp_path: Path) -> None:
    packages = aged(knowledge, 1)
    ran = debsecan(bulletin, tmp_path, packages, "--format", "simple", "--only-fixed")
    assert ran.returncode == 0
    fixed = pairs_of(ran.stdout)
    found = verdict(host(packages), knowledge, Nothing(), FETCHED + 60)
    every = told(bulletin, tmp_path, packages)
    mine = {(one.about, binary) for one in found.findings if one.fixed is not None for binary in one.binaries}
    kernels = {pair for pair in fixed if of_kernels(pair, packages, knowledge)}
    assert fixed - kernels == mine & every
    detail = debsecan(bulletin, tmp_path, packages, "--format", "detail")
    assert "fix is available for the selected suite (bookworm)" in detail.stdout


def test_debsecan_fails_loudly_where_what_is_known_is_too_old(bulletin: Bulletin, tmp_path: Path) -> None:
    clock = bulletin.clock
    bulletin.clock = FETCHED + 21 * 30 * DAY_S
    try:
        ran = debsecan(bulletin, tmp_path, real_packages(), "--format", "simple")
    finally:
        bulletin.clock = clock
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "503" in ran.stderr


def test_debsecan_fails_loudly_for_a_suite_that_no_feed_speaks_of(bulletin: Bulletin, tmp_path: Path) -> None:
    ran = debsecan(bulletin, tmp_path, real_packages(), "--suite", "hoary")
    assert (ran.returncode, ran.stdout) == (1, "")
