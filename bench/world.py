"""What every experiment is given: the archive, the origin, a scratch directory and the plan."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.archive import Archive, Scale, published
from bench.finding import say
from bench.origin import Origin, origin


@dataclass(frozen=True, slots=True)
class Plan:
    """How the run was asked for. Method and peers never depend on what comes out."""

    scale: Scale
    rounds: int
    load_s: int
    cache: Path
    external: tuple[tuple[str, str], ...] = ()
    hosts: tuple[int, ...] = ()
    """Sizes of fleets, where others are wanted than an experiment's own."""

    @property
    def quick(self) -> bool:
        """Whether this run only proves that everything works."""
        return self.scale.name == "quick"


class World:
    """One run's surroundings. `work` is removed at its end and lies on the file system of the caches.

    The archive is made, and its origin started, when an experiment first wants them.
    """

    def __init__(self, plan: Plan, work: Path, stack: ExitStack, origin_port: int | None) -> None:
        self.plan = plan
        self.work = work
        self._stack = stack
        self._origin_port = origin_port

    def fed_by(self, source: Origin) -> "World":
        """The same surroundings with another origin."""
        other = World(self.plan, self.work, self._stack, self._origin_port)
        other.archive, other.origin = self.archive, source
        return other

    @cached_property
    def archive(self) -> Archive:
        """The test archive."""
        say("the test archive")
        return published(self.plan.cache, self.plan.scale)

    @cached_property
    def origin(self) -> Origin:
        """Who serves it."""
        return self._stack.enter_context(origin(self.archive.root.parent, self.work, port=self._origin_port))
