"""The laboratory's world outside of the gateway: a vendor who publishes, its sources and its feeds, and what is wrong
with them."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tidegate.drill.clients import Published
from tidegate.drill.mirror import Mirror
from tidegate.drill.record import Given
from tidegate.drill.scenario import Fault, Publish, Scenario, span_s
from tidegate.drill.simulator import faults as simulated
from tidegate.drill.simulator.archive import SimulatedArchive
from tidegate.drill.simulator.flapping import Flapping
from tidegate.drill.simulator.server import SourceServer
from tidegate.drill.simulator.signing import DrillKeys

SUITE = "noble-security"
PACKAGE_BYTES = 200_000
FIRST_AGE_S = 17 * 86_400
SECOND_AGE_S = 3_600
HOST = "127.0.0.1"
FEED = "feed:"
AT_ONCE_S = 0.01
"""A source that is behind by less than this has a publication with the vendor."""


class World:
    """Made below `root`, a folder of its own, with two publications; `close` it."""

    def __init__(self, scenario: Scenario, root: Path) -> None:
        self._scenario = scenario
        self._root = root
        keys = DrillKeys()
        vendor, self._forger = keys.generate("vendor"), keys.generate("forger")
        self.keyring = root / "vendor.gpg"
        root.mkdir(parents=True, exist_ok=True)
        self.keyring.write_bytes(keys.public(vendor))
        self.archive = SimulatedArchive(root / "vendor", keys, vendor)
        self.archive.suite(SUITE, components=("main",), compressions=("xz",), translations=(), sources=False)
        self.published = Published()
        now = int(time.time())
        for version, age_s in (("0.9", FIRST_AGE_S), ("1.0", SECOND_AGE_S)):
            for package in scenario.clients.uses:
                self.archive.update_package(package, version, suite=SUITE, filling_bytes=PACKAGE_BYTES)
            self._publish_at(now - age_s)
        self.mirrors = {one.name: self._mirror(one.name, one.operator) for one in scenario.source}
        self.feeds = {one.name: self._feed(one.name) for one in scenario.feed}
        self._undo: dict[int, list[Callable[[], None]]] = {}

    @property
    def lanes(self) -> tuple[str, ...]:
        """The sources, for people."""
        return tuple(f"{one.name} ({one.operator})" for one in self._scenario.source)

    @property
    def feed_urls(self) -> list[tuple[str, str]]:
        """Each feed's name, and where it is."""
        return [(name, f"{server.url}/{name}.json") for name, server in self.feeds.items()]

    @property
    def best(self) -> int:
        """The newest publication that a source without a fault has; 0: there is none such."""
        return max((one.held for one in self.mirrors.values() if one.works), default=0)

    def newer_since(self, generation: int) -> float | None:
        """Since when some source would give something newer than this publication; None: none would."""
        found = [since for one in self.mirrors.values() if (since := one.newer_since(generation)) is not None]
        return min(found, default=None)

    def publish(self, one: Publish, factor: float) -> None:
        """The vendor publishes; each source has it when it is due, in a story that runs so many times faster."""
        self.archive.update_package(one.package, one.version, suite=SUITE, filling_bytes=PACKAGE_BYTES)
        generation = self._publish_at(int(time.time()))
        for source in self._scenario.source:
            mirror, behind_s = self.mirrors[source.name], span_s(source.behind) / factor
            if behind_s < AT_ONCE_S:
                mirror.sync(generation)
            else:
                timer = threading.Timer(behind_s, mirror.sync, (generation,))
                timer.daemon = True
                timer.start()

    def begin(self, fault: Fault) -> None:
        """A fault is on what it names here from now on: sources and feeds."""
        undo = self._undo.setdefault(id(fault), [])
        for target in self._scenario.targets(fault):
            if target.startswith(FEED):
                undo.append(_on_feed(self.feeds[target.removeprefix(FEED)], fault))
            elif target in self.mirrors:
                self.mirrors[target].begin(fault)

    def end(self, fault: Fault) -> None:
        """It is over."""
        for undo in self._undo.pop(id(fault), []):
            undo()
        for target in self._scenario.targets(fault):
            if target in self.mirrors:
                self.mirrors[target].end(fault)

    def given(self) -> tuple[Given, ...]:
        """What each source was asked for up to now, and gave."""
        return tuple(
            Given(mirror.url, one.at, one.path, one.status, one.sent_bytes)
            for mirror in self.mirrors.values()
            for one in tuple(mirror.server.requests)
        )

    def close(self) -> None:
        """End every server."""
        for mirror in self.mirrors.values():
            mirror.close()
        for feed in self.feeds.values():
            feed.close()

    def _mirror(self, name: str, operator: str) -> Mirror:
        return Mirror(self._root / "mirrors" / name, name, operator, self.archive, SUITE, self._forger, HOST)

    def _feed(self, name: str) -> SourceServer:
        folder = self._root / "feeds" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.json").write_bytes(msgspec.json.encode({"notices": [], "at": int(time.time())}))
        return SourceServer(folder)

    def _publish_at(self, date: int) -> int:
        generation = self.archive.publish(SUITE, date=date)
        self.published.add(self.archive.generation(generation), generation, f"dists/{SUITE}/InRelease")
        return generation


def _on_feed(server: SourceServer, fault: Fault) -> Callable[[], None]:
    match fault.kind:
        case "refuse":
            return _refusing(server)
        case "blackhole":
            server.blackhole()
            return server.accept
        case "flap":
            return Flapping(lambda: _refusing(server), on_s=fault.on_s, off_s=fault.off_s).close
        case "silence":
            active = server.fault(simulated.Silence())
        case "html":
            active = server.fault(simulated.HtmlPage())
        case "status":
            active = server.fault(simulated.Status(fault.status))
        case _:
            raise ValueError(fault.kind)
    return lambda: server.heal(active)


def _refusing(server: SourceServer) -> Callable[[], None]:
    server.refuse()
    return server.accept
