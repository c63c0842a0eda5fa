"""The archive of the measurements that need large objects, or very many."""

from pathlib import Path
from typing import Final

from tests.lab.trees import HERALD, NEWEST, Plan, Trees
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys

SUITE: Final = "stable"
GIANT_BYTES: Final = 200_000_000
CROWD_BYTES: Final = 50_000_000
GIANTS: Final = ("giant-calm", "giant-struck")
CROWD: Final = "crowd"


def drip(number: int) -> str:
    """The name of one of the many small packages."""
    return f"drip-{number:05}"


def grow(
    root: Path, keys: Keys, *, drips: int, giant_bytes: int = GIANT_BYTES, crowd_bytes: int = CROWD_BYTES
) -> Trees:
    """Publish it."""
    archive = SimulatedArchive(root / "bulk", keys)
    archive.add_package(HERALD, NEWEST, suite=SUITE)
    for name in GIANTS:
        archive.add_package(name, suite=SUITE, filling_bytes=giant_bytes)
    archive.add_package(CROWD, suite=SUITE, filling_bytes=crowd_bytes)
    for number in range(drips):
        archive.add_package(drip(number), suite=SUITE)
    archive.publish()
    return Trees(Plan(suites=(SUITE,), sets=(), parts_bytes=()), archive, archive.public.resolve(), {})


def path_of(trees: Trees, name: str) -> str:
    """Where in the archive a package lies."""
    return next(package.path for package in trees.archive.suites[SUITE].packages if package.name == name)
