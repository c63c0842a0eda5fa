"""What is seen in the laboratory while a drill goes on: by clients, at the sources, and of the gateway."""

import threading
import time

from tidegate.drill.record import Record, Request, Run, Sample, Staging
from tidegate.drill.scenario import Tempo
from tidegate.drill.world import World


class Watching:
    """Fills a `Record`; clients tell it from their own threads."""

    def __init__(self, world: World, tempo: Tempo) -> None:
        self.record = Record(lanes=world.lanes)
        self._world = world
        self._tempo = tempo
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._shown = 0

    def begin(self) -> None:
        """The story begins now; what was asked before is not part of it."""
        with self._lock:
            self.record.requests.clear()
        self.record.began_at = time.time()
        self._begun = time.monotonic()

    @property
    def clock_s(self) -> float:
        """Seconds by the clock since then."""
        return time.monotonic() - self._begun

    @property
    def story_s(self) -> float:
        """The moment of the story."""
        return self._tempo.story_s(self.clock_s)

    def asked(self, request: Request) -> None:
        """A host asked, and was answered."""
        with self._lock:
            self.record.requests.append(request)

    def ran(self, run: Run) -> None:
        """The real apt ran."""
        with self._lock:
            self.record.runs.append(run)

    def was_shown(self, generation: int) -> None:
        """A host was given this publication; a source may have had a newer one."""
        now = time.time()
        with self._lock:
            self._shown = max(self._shown, generation)
            newer_since = self._world.newer_since(generation) if generation else None
            if newer_since is not None:
                self.record.behind_s = max(self.record.behind_s, now - newer_since)

    def staged(self, step: Staging) -> None:
        """Something was staged."""
        self.record.steps.append(step)

    def counts(self) -> tuple[int, int]:
        """Requests so far, and those that were served."""
        with self._lock:
            return len(self.record.requests), sum(one.is_right for one in self.record.requests)

    def sample(self, states: tuple[str, ...]) -> None:
        """How things stand; `states`: of the sources, as the gateway sees them."""
        clock_s = self.clock_s
        requests, served = self.counts()
        found = Sample(clock_s, self._tempo.story_s(clock_s), requests, served, self._shown, self._world.best, states)
        self.record.samples.append(found)
