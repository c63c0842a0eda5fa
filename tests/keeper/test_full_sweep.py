"""Threat 37, swept: whichever write finds the disk full, nothing is lost, and what is held is served.

Each write of an adoption with its prefetch, a cold fetch and a sweep is told in turn that there is no room: once, or
from then on. Every run looks at a few points of each; all of them (`SWEEP_POINTS=all`) take some minutes.
"""

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import uvloop

from tests.keeper.full_point import MACHINE
from tests.keeper.sweeps import Check, Child, again_with, fill_template, tell
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

CHILD = "tests.keeper.full_child"
POINTS = os.environ.get("SWEEP_POINTS", "3")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_800 if POINTS == "all" else 300),
    pytest.mark.skipif(platform.machine() != MACHINE, reason=f"no calls can be refused on {platform.machine()}"),
]


def chosen(points: int) -> Sequence[int]:
    """All of them, or so many, spread evenly."""
    if POINTS == "all":
        return range(1, points + 1)
    return sorted({1 + round(place * (points - 1) / max(1, int(POINTS) - 1)) for place in range(int(POINTS))})


def sweep(directory: Path, keys: Keys, server: SourceServer, what: str, how: str, check: Check) -> tuple[int, int]:
    """Refuse room at chosen points, `once` or `on`; `check` each. Returns how many there are, and were looked at."""
    with Child(CHILD, str(keys.keyring), server.url, what) as child:

        def run(point: int) -> int:
            there = directory / f"full-{point}"
            shutil.copytree(directory / "template", there)
            status, _, count = child.ask(f"{point} {how} {there}").partition(" ")
            if not count:
                pytest.skip(f"nothing may be traced here: {child.said.strip()}")
            assert status == "0", f"{what} {how} {point}: {status}\n{child.said}"
            check(there)
            shutil.rmtree(there)
            return int(count)

        points = run(0)
        for point in chosen(points):
            run(point)
    return points, len(chosen(points))


@pytest.mark.parametrize("how", ["once", "on"])
@pytest.mark.parametrize("what", ["an adoption", "a cold fetch", "a sweep"])
def test_wherever_the_disk_is_full_nothing_is_lost_and_what_is_held_is_served(
    archive: SimulatedArchive,
    source_server: SourceServer,
    keys: Keys,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
    how: str,
) -> None:
    wanted = archive.add_package("wanted", "1.0").name
    large = archive.add_package("large", "1.0", filling_bytes=1_000_000)
    archive.publish()
    old = archive.release_date()
    others = ["hello", "plain", "libgreet1"] if what == "a sweep" else []
    uvloop.run(fill_template(tmp_path, keys, source_server, [wanted], others))
    if what == "an adoption":
        archive.update_package(wanted, "1.1")
        archive.publish()
    check = again_with(archive, source_server, keys)(old, archive.release_date())
    action = {"an adoption": "look", "a cold fetch": large.path, "a sweep": "gc"}[what]
    points, looked_at = sweep(tmp_path, keys, source_server, action, how, check)
    tell(capsys, f"{what}, the disk full {how}: {looked_at} of {points} points, coherent after each")
    assert points >= 1
