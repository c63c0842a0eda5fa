"""The drill room's simulated archive, signed by the tests' own cast of keys."""

from pathlib import Path

from tests.simulator.keys import Keys
from tidegate.drill.simulator import archive
from tidegate.drill.simulator.archive import release_paths

__all__ = ["SimulatedArchive", "release_paths"]


class SimulatedArchive(archive.SimulatedArchive):
    """A vendor's archive below `root`, signed by the real gpg."""

    def __init__(self, root: Path, keys: Keys, *, start: int | None = None) -> None:
        super().__init__(root, keys.home, keys.good, start=start)
        self.keys = keys
