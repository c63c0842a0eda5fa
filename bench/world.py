"""What every experiment is given: the archive, the origin, a scratch directory and the plan."""

from dataclasses import dataclass
from pathlib import Path

from bench.archive import Archive, Scale
from bench.origin import Origin


@dataclass(frozen=True, slots=True)
class Plan:
    """How the run was asked for. Method and peers never depend on what comes out."""

    scale: Scale
    rounds: int
    load_s: int
    cache: Path
    external: tuple[tuple[str, str], ...] = ()

    @property
    def quick(self) -> bool:
        """Whether this run only proves that everything works."""
        return self.scale.name == "quick"


@dataclass(frozen=True, slots=True)
class World:
    """One run's surroundings. `work` is removed at its end and lies on the file system of the caches."""

    plan: Plan
    archive: Archive
    origin: Origin
    work: Path
