"""One source of the laboratory: a server, and what it has of the vendor's archive, as faults leave it."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tidegate.drill.scenario import Fault
from tidegate.drill.simulator import faults as simulated
from tidegate.drill.simulator.archive import SimulatedArchive, release_paths
from tidegate.drill.simulator.server import SourceServer
from tidegate.drill.simulator.signing import Key

FROZEN_GENERATION = 1
_ON_THE_WIRE = frozenset({"status", "silence", "slow", "truncate", "corrupt", "html"})


class Mirror:
    """Serves its own copy at `url`. `sync` brings it the newest publication, unless a fault keeps it from that."""

    def __init__(
        self, root: Path, name: str, operator: str, archive: SimulatedArchive, suite: str, forger: Key, host: str
    ) -> None:
        self.name, self.operator = name, operator
        self._archive, self._suite, self._forger = archive, suite, forger
        self._root = root
        root.mkdir(parents=True)
        self._public = root / "public"
        self._built = 0
        self.held = 0
        """The publication that it has."""
        self._since: dict[int, float] = {}
        """Since when it has each publication, and nothing was wrong with it (epoch seconds)."""
        self._active: list[tuple[Fault, Callable[[], None]]] = []
        self.sync(archive.published)
        self.server = SourceServer(self._public, prefix="/ubuntu", host=host, name="localhost")

    @property
    def url(self) -> str:
        """Where the gateway finds it."""
        return self.server.url

    @property
    def works(self) -> bool:
        """No fault is on it."""
        return not self._active

    def newer_since(self, generation: int) -> float | None:
        """Since when it would give something newer than this publication; None: it would not."""
        if not self.works:
            return None
        return min((since for held, since in self._since.items() if held > generation), default=None)

    def sync(self, generation: int) -> None:
        """Have this publication, if it is newer than what is there, and nothing keeps it from that."""
        if any(fault.kind in ("freeze", "tear", "rollback", "forge", "split") for fault, _ in self._active):
            return
        if generation > self.held:
            self.held = generation
            self._since[generation] = time.time()
            self._show(self._archive.generation(generation))

    def begin(self, fault: Fault) -> None:
        """A fault is on it from now on."""
        self._active.append((fault, self._begun(fault)))

    def end(self, fault: Fault) -> None:
        """That fault is over; what was published meanwhile comes."""
        for active in [each for each in self._active if each[0] is fault]:
            self._active.remove(active)
            active[1]()
        self._since = {self.held: time.time()}
        if self.held != self._archive.published or fault.kind not in _ON_THE_WIRE:
            self.held = 0
            self.sync(self._archive.published)

    def close(self) -> None:
        """End the server."""
        for _, undo in self._active:
            undo()
        self._active.clear()
        self.server.close()

    def _begun(self, fault: Fault) -> Callable[[], None]:
        server = self.server
        match fault.kind:
            case "refuse":
                server.refuse()
                return server.accept
            case "blackhole":
                server.blackhole()
                return server.accept
            case "flap":
                return self._flapping(fault)
            case "freeze":
                self._show(self._archive.generation(FROZEN_GENERATION))
                return _nothing
            case "rollback":
                self._show(self._archive.generation(max(1, self._archive.published - 1)))
                return _nothing
            case "tear":
                self._show(self._torn())
                return _nothing
            case "forge" | "split":
                self._show(self._forged(self._forger if fault.kind == "forge" else None))
                return _nothing
            case _:
                active = server.fault(self._simulated(fault))
                return lambda: server.heal(active)

    @staticmethod
    def _simulated(fault: Fault) -> simulated.Fault:
        match fault.kind:
            case "silence":
                return simulated.Silence()
            case "status":
                return simulated.Status(fault.status)
            case "slow":
                return simulated.Trickle(fault.bytes_s)
            case "truncate":
                return simulated.Truncate(fault.after_bytes)
            case "corrupt":
                return simulated.CorruptByte(fault.after_bytes)
            case "html":
                return simulated.HtmlPage()
            case _:
                raise ValueError(fault.kind)

    def _flapping(self, fault: Fault) -> Callable[[], None]:
        from tidegate.drill.simulator.flapping import Flapping

        def on() -> Callable[[], None]:
            self.server.refuse()
            return self.server.accept

        flapping = Flapping(on, on_s=fault.on_s, off_s=fault.off_s)
        return flapping.close

    # What it shows

    def _show(self, tree: Path) -> None:
        fresh = self._public.with_name("public.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(tree.resolve())
        fresh.replace(self._public)

    def _copy(self, generation: int) -> Path:
        self._built += 1
        tree = self._root / f"tree-{self._built}"
        shutil.copytree(self._archive.generation(generation), tree, copy_function=_linked)
        return tree

    def _torn(self) -> Path:
        """The newest Release over the indices of the publication before it."""
        newest = self._archive.generation(self._archive.published)
        tree = self._copy(max(1, self._archive.published - 1))
        for path in release_paths(self._archive.suites[self._suite]):
            _put(tree / path, (newest / path).read_bytes(), (newest / path).stat().st_mtime)
        return tree

    def _forged(self, forger: Key | None) -> Path:
        """The newest publication with another Release: signed by a key that nobody trusts, or, with none, by the real
        one, under the same Date."""
        tree = self._copy(self._archive.published)
        archive, suite = self._archive, self._archive.suites[self._suite]
        inrelease, release, detached = release_paths(suite)
        at = time.time()  # as old as the other, nobody would ask for it: If-Modified-Since
        payload = (tree / release).read_bytes().replace(b"A simulated archive", b"Another archive")
        key = forger or archive.key
        _put(tree / release, payload, at)
        _put(tree / inrelease, archive.signer.clearsign(payload, key), at)
        _put(tree / detached, archive.signer.detached(payload, key), at)
        return tree


def _nothing() -> None:
    """Nothing has to be undone: `sync` does."""


def _linked(source: str, target: str) -> str:
    os.link(source, target)
    return target


def _put(path: Path, data: bytes, mtime: float) -> None:
    path.unlink()
    path.write_bytes(data)
    os.utime(path, (mtime, mtime))
