"""What every measurement is given: the archive and its trees, places to stand, a certificate, how long to wait."""

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.room import DOMAIN, INSIDE, STAGES_MAX, Place, Room
from tests.lab.stage import HTTP_PORT, HTTPS_PORT, ROLES, Scheme, Stage
from tests.lab.trees import Trees
from tests.lab.ways import Client
from tests.simulator.tls import Authority


@dataclass(slots=True, eq=False)
class Laboratory:
    """One run's surroundings, in a room of its own. `work` is gone after the run."""

    room: Room
    trees: Trees
    work: Path
    cap_s: float
    authority: Authority = field(init=False)
    _free: list[int] = field(default_factory=lambda: list(range(STAGES_MAX, 1, -1)))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.authority = Authority(self.work, f"*.{DOMAIN}")
        (self.work / "inside").mkdir()

    @contextlib.contextmanager
    def stage(self, scheme: Scheme = "http", trees: Trees | None = None) -> Iterator[Stage]:
        """Three healthy sources at addresses of their own, for as long as the block runs."""
        with self._lock:
            number = self._free.pop()
        try:
            with Stage(
                trees or self.trees,
                self._places(number, scheme),
                scheme=scheme,
                resolver=self.room.resolver,
                authority=self.authority,
                inside=Place(f"{INSIDE}.{number}", HTTP_PORT),
                folder=self.work / "inside",
            ) as stage:
                yield stage
        finally:
            with self._lock:
                self._free.insert(0, number)  # the longest unused is taken next

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A fresh folder, gone afterwards."""
        made = Path(tempfile.mkdtemp(dir=self.work))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def client(self, root: Path, suite: str | None = None) -> Client:
        """A client that keeps its things there."""
        return Client(root, self.cap_s, suite or self.trees.plan.suite)

    def _places(self, number: int, scheme: Scheme) -> Sequence[Place]:
        ports = [HTTPS_PORT if scheme == "https" and role == ROLES[0] else HTTP_PORT for role in ROLES]
        named = zip(ROLES, ports, strict=True)
        return [self.room.place(number, index, role, port=port) for index, (role, port) in enumerate(named)]
