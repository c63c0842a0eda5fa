"""The spring of 2026 as the feeds told it, day by day, and hosts that lived through it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from tests.advisories.samples import at, provenance, sample
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.history import History
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.statement import Piece
from tidegate.advisories.taking_in import take_in
from tidegate.fleet.exposure import verdict
from tidegate.fleet.inventory import Form, Host, Inventory, Module, Package, Suite
from tidegate.fleet.knowledge import Knowledge, known_of
from tidegate.fleet.supply import Offer
from tidegate.fleet.verdict import Finding, Verdict

FACTS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "fleet" / "copy-fail.json").read_text(encoding="utf-8")
)
COPY_FAIL = "CVE-2026-31431"
UUTILS = {key.partition(" ")[0]: frozenset(cves) for key, cves in FACTS["rust-coreutils"].items()}
"""The CVEs of rust-coreutils, by release."""
MITIGATED = at("2026-04-30 15:55:28")
OUTAGE = at("2026-04-30 16:33:37")
FIXED = at("2026-05-19 22:20:54")
BEGIN, END = at("2026-04-22 06:00:00"), at("2026-05-21 06:00:00")
DAY_S = 86_400
KMOD: dict[str, str] = FACTS[COPY_FAIL]["mitigation"]["kmod"]
OLD_KMOD = {"jammy": "29-1ubuntu1", "noble": "31+20240202-2ubuntu7.1", "questing": "34.2-2ubuntu1"}
KERNEL = {release: said[1] for release, said in FACTS[COPY_FAIL]["status"]["linux"].items() if said[0] != "ignored"}
OLD_KERNEL = {"jammy": "5.15.0-170.180", "noble": "6.8.0-110.110", "questing": "6.17.0-20.20"}
ALL = frozenset({"kmod", "linux"})


def tracker(when: int) -> Piece:
    """Copy Fail's file of the tracker: needed until its kernels came out."""
    lines = [f"Candidate: {COPY_FAIL}", "Priority: high"]
    for source, said in FACTS[COPY_FAIL]["status"].items():
        for release, (status, note) in said.items():
            if status == "released" and when < FIXED:
                lines.append(f"{release}_{source}: needed")
            else:
                lines.append(f"{release}_{source}: {status} ({note})")
    return Piece(f"active/{COPY_FAIL}", "\n".join(lines).encode())


@cache
def uutils() -> tuple[Piece, ...]:
    """The one real record of the 44, and the others after it."""
    made = []
    for cve in sorted(UUTILS["questing"]):
        record = json.loads(sample("ubuntu-osv/UBUNTU-CVE-2026-35352.json"))
        record["id"], record["upstream"] = f"UBUNTU-{cve}", [cve]
        if cve not in UUTILS["resolute"]:
            record["affected"] = [one for one in record["affected"] if "resolute" not in one["package"]["purl"]]
        made.append(Piece(f"osv/cve/UBUNTU-{cve}.json", json.dumps(record).encode()))
    return tuple(made)


def take(history: History, when: int) -> None:
    """Both feeds, as they were then."""
    notices = [Piece("osv/usn/USN-8226-1.json", sample("ubuntu-osv/USN-8226-1.json"))] if when >= MITIGATED else []
    for feed, pieces in (("ubuntu-tracker", [tracker(when)]), ("ubuntu-osv", [*uutils(), *notices])):
        assert take_in(history, FEEDS[feed], pieces, provenance(feed, when)).problems == ()


@cache
def history() -> MemoryHistory:
    """Every day, and the two hours that mattered."""
    made = MemoryHistory()
    for when in sorted([*range(BEGIN, END, DAY_S), MITIGATED, FIXED]):
        take(made, when)
    return made


@cache
def known(release: str, when: int) -> Knowledge:
    return known_of(history(), "ubuntu", release, when)


def moments() -> Sequence[int]:
    """Every six hours from 30 April to 20 May, and the seconds about the two that mattered."""
    return sorted(
        [*range(at("2026-04-30 00:00:00"), at("2026-05-21 00:00:00"), DAY_S // 4)]
        + [edge + step for edge in (MITIGATED, FIXED, OUTAGE) for step in (-1, 0)]
    )


@dataclass(frozen=True)
class Stock:
    """What is listed, by release and source."""

    listed: dict[tuple[str, str], tuple[Offer, ...]] = field(default_factory=dict)

    def offers(self, distribution: str, release: str, source: str) -> Sequence[Offer]:
        return self.listed.get((release, source), ())


NOTHING = Stock()


def stock(release: str, *, can: bool) -> Stock:
    """The fixed kernel and kmod of a release, listed; and whether they can be had."""
    kernel, kmod = KERNEL[release], KMOD.get(release, "0")
    image = f"linux-image-{uname(kernel)}"
    return Stock(
        {
            (release, "linux-signed"): (
                Offer(image, "amd64", kernel, kernel, can),
                Offer(image.replace("generic", "lowlatency"), "amd64", kernel, kernel, True),
            ),
            (release, "kmod"): (Offer("kmod", "amd64", kmod, kmod, can),),
        }
    )


def uname(version: str, flavour: str = "generic") -> str:
    """`6.8.0-117.117` is `6.8.0-117-generic`."""
    return f"{version.split('~')[0].rpartition('.')[0]}-{flavour}"


def package(binary: str, version: str, source: str = "", **more: Any) -> Package:
    return Package(binary, "amd64", version, source or binary, version, **more)


def image(version: str, source: str = "linux-signed", flavour: str = "generic") -> Package:
    return package(f"linux-image-{uname(version, flavour)}", version, source)


def meta(flavour: str = "generic", source: str = "linux-meta") -> Package:
    return package(f"linux-image-{flavour}", "6.8.0.110.110", source)


def module(
    *, loaded: bool | None = False, built_in: bool | None = False, loadable: bool = True, blocked: bool | None = False
) -> Module:
    return Module("algif_aead", loaded, built_in, loadable, blocked)


def host(
    release: str,
    *packages: Package,
    runs: str,
    taken_at: int,
    modules: Iterable[Module] = (module(),),
    pockets: Iterable[str] | None = (),
) -> Inventory:
    """A host of a release. `runs` is the version of its kernel, or what uname says; `pockets` as suites are named."""
    suites = None if pockets is None else frozenset(Suite("", f"{release}-{name}-security") for name in pockets)
    kernel = uname(runs) if runs.count("-") == 1 else runs
    made = Host("web-1", "web-1.example", "ubuntu", release, kernel, suites=suites)
    return Inventory(made, tuple(sorted(packages)), taken_at, Form.REPORT, tuple(modules))


def ordinary(release: str, when: int, *, kmod: str = "", kernels: Sequence[str] = (), **more: Any) -> Inventory:
    """A host as it was in April, unless said otherwise. The last of the kernels runs, if `runs` is not given."""
    versions = kernels or (OLD_KERNEL[release],)
    packages = [image(one) for one in versions]
    more = dict[str, Any](runs=versions[-1], taken_at=when) | more
    return host(release, *packages, meta(), package("kmod", kmod or OLD_KMOD[release]), **more)


def judge(inventory: Inventory, when: int, supply: Stock = NOTHING) -> Verdict:
    return verdict(inventory, known(inventory.host.release, when), supply, when)


def copy_fail(found: Verdict) -> Finding | None:
    """What is found about Copy Fail; nothing, if nothing is."""
    findings = [one for one in found.findings if one.about == COPY_FAIL]
    assert len(findings) < 2
    return findings[0] if findings else None


def day(text: str) -> int:
    """Noon of a day of 2026, UTC."""
    return int(datetime.strptime(f"2026-{text} 12", "%Y-%m-%d %H").replace(tzinfo=UTC).timestamp())
