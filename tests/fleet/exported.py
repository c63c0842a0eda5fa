"""A small fleet of every kind of host, written out as Parquet; and the SQL that stands in the documents."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from tests.advisories.samples import NOON
from tests.docs.documents import ROOT
from tests.fleet.incident import DAY_S, host, image, meta, package, uname
from tests.fleet.test_index import FULL, KERNELS, LINES, told
from tidegate.fleet.inventory import Inventory, Suite
from tidegate.fleet.lookout import Lookout
from tidegate.fleet.memory_hosts import MemoryHosts
from tidegate.fleet.supply import Supply
from tidegate.fleet.tables import Tables
from tidegate.fleet.verdict import Exposure
from tidegate.wiring.exposure_export import write_tables
from tidegate.wiring.parquet import ParquetFiles

NOW = NOON + 3600
ESM = frozenset({Suite("UbuntuESMApps", "noble-apps-security")})


@dataclass(frozen=True, slots=True)
class Exported:
    """The files, and who knows the answers."""

    folder: Path
    hosts: MemoryHosts
    lookout: Lookout

    def exposed(self, about: str) -> dict[str, set[int]]:
        """Numbers of hosts by class, by our own index."""
        found = self.lookout.exposed(about, NOW).by_class
        return {exposure.value: set(hosts) for exposure, hosts in found.items()}

    def most(self) -> list[tuple[str, int]]:
        """CVEs by how many hosts have them."""
        return [(one.about, one.hosts) for one in self.lookout.most(NOW, 20, by_hosts=True)[0]]


def inventories() -> Iterator[Inventory]:
    """Of two releases, some silent, some with ESM, with each version of a few packages."""
    versions = product(("noble", "jammy"), ("5.2-1", "5.2-2", "5.2-3"), ("1", "2", "2+ppa1"), KERNELS[:2], KERNELS)
    for number, (release, bash, zsh, runs, newest) in enumerate(versions):
        packages = [
            package("bash", bash),
            package("zsh", zsh),
            package("libc6", "2.39-1", "glibc"),
            image(runs),
            meta(),
        ]
        packages += [image(newest)] if newest != runs else []
        taken_at = NOON - 9 * DAY_S if number % 7 == 0 else NOON
        one = host(release, *packages, runs=uname(runs), taken_at=taken_at)
        suites = ESM if number % 3 == 0 else frozenset[Suite]()
        yield replace(one, host=replace(one.host, id=f"h{number}", suites=suites))


def exported(folder: Path) -> Exported:
    """Write it into a folder that is there."""
    hosts, history = MemoryHosts(), told(LINES, NOON)

    def supply_of(sources: Collection[str]) -> Supply:
        return FULL

    lookout = Lookout(history, hosts, supply_of)
    for one in inventories():
        hosts.report(one, bytes(32))
    write_tables(Tables(hosts, history, lookout, NOW), ParquetFiles(folder), lambda table, rows: None)
    made = Exported(folder, hosts, lookout)
    assert {Exposure.UNKNOWN.value, Exposure.NOT_HELD.value} <= made.exposed("CVE-2026-0002").keys()
    return made


def statements_of(document: str, folder: Path) -> list[str]:
    """The SQL of a document, statement by statement, for the files in a folder."""
    blocks = re.findall(r"^```sql\n(.*?)^```$", (ROOT / "docs" / document).read_text(), re.MULTILINE | re.DOTALL)
    text = "".join(blocks).replace("/exports/latest", str(folder))
    return [one.strip() for one in text.split(";") if one.strip()]
