"""What stands outside of the gateway: a vendor that publishes each minute, its sources, what is wrong with them."""

import hashlib
import threading
import time
from pathlib import Path

from tests.soak.load import MISS_EVERY_S, SUITE
from tidegate.drill.clients import Published
from tidegate.drill.mirror import Mirror
from tidegate.drill.process import ALIAS
from tidegate.drill.scenario import Fault
from tidegate.drill.simulator.archive import SimulatedArchive
from tidegate.drill.simulator.signing import DrillKeys

HOST = "127.0.0.1"
USED = 24
USED_BYTES = 60_000
UNUSED_BYTES = 10_000
UNUSED_A_MINUTE = 60 / MISS_EVERY_S + 1
PUBLISH_EVERY_S = 60.0
OUT_S, WELL_S = 10.0, 20.0
LIE_EVERY_S, LIE_S = 90.0, 15.0
FIRST_AGE_S = 3_600
SOURCES = (("origin", "vendor"), ("steady", "university"), ("flapping", "provider"), ("lying", "exchange"))
REFRESH_S = 15.0
VIOLATION_S = 30.0


class World:
    """Made below `root`, a folder of its own; `stage` until it is closed."""

    def __init__(self, root: Path, minutes: float) -> None:
        root.mkdir(parents=True)
        keys = DrillKeys()
        vendor, forger = keys.generate("vendor"), keys.generate("forger")
        self.keyring = root / "vendor.gpg"
        self.keyring.write_bytes(keys.public(vendor))
        self.archive = SimulatedArchive(root / "vendor", keys, vendor)
        self.archive.suite(SUITE, components=("main",), compressions=("xz",), translations=(), sources=False)
        self.published = Published()
        self.folder = root / "for-clients"
        self.folder.mkdir()
        self.used = tuple(f"used{number}" for number in range(USED))
        unused = [f"unused{number}" for number in range(int((minutes + 2) * UNUSED_A_MINUTE))]
        for name in self.used:
            self.archive.add_package(name, "1.0", suite=SUITE, filling_bytes=USED_BYTES)
        for name in unused:
            self.archive.add_package(name, "1.0", suite=SUITE, filling_bytes=UNUSED_BYTES)
        (self.folder / "used").write_text("\n".join(self.used))
        (self.folder / "unused").write_text("\n".join(unused))
        self._publish_at(int(time.time()) - FIRST_AGE_S)
        self.mirrors = {
            name: Mirror(root / name, name, operator, self.archive, SUITE, forger, HOST) for name, operator in SOURCES
        }
        self.publications = self.lies = self.outages = 0
        self._over = threading.Event()
        self._staging = [threading.Thread(target=one) for one in (self._publish, self._flap, self._lie)]

    def stage(self) -> None:
        """From now on, until it is closed."""
        for one in self._staging:
            one.start()

    def end(self) -> None:
        """Nothing happens any more."""
        self._over.set()
        for one in self._staging:
            if one.is_alive():
                one.join()

    def close(self) -> None:
        """End the sources."""
        self.end()
        for mirror in self.mirrors.values():
            mirror.close()

    def settings(self, *, status: Path, fleet: str, workers: int) -> str:
        """As shipped, but for what has to happen more often in half an hour than in a year."""
        lines = ["[gateway]", f"workers = {workers}", "[keeper]", f"refresh_interval_s = {REFRESH_S}"]
        lines += ["[health]", f"violation_s = {VIOLATION_S}", "[fleet]", f'listen = "{fleet}"']
        lines += ["[status]", f'directory = "{status}"', "update_s = 60", "update_open_s = 60"]
        lines += ["[[archive]]", 'name = "ubuntu"', f'keyring = "{self.keyring}"', f'suites = ["{SUITE}"]']
        lines += ['components = ["main"]', 'architectures = ["amd64"]', f'aliases = ["{ALIAS}"]']
        for one in self.mirrors.values():
            lines += ["[[archive.source]]", f'url = "{one.url}"', f'operator = "{one.operator}"', "private = true"]
        return "\n".join(lines) + "\n"

    def _publish(self) -> None:
        while not self._over.wait(PUBLISH_EVERY_S):
            self.publications += 1
            name = self.used[self.publications % USED]
            version = f"1.{self.publications}"
            self.archive.update_package(name, version, suite=SUITE, filling_bytes=USED_BYTES)
            generation = self._publish_at(int(time.time()))
            for mirror in self.mirrors.values():
                mirror.sync(generation)

    def _publish_at(self, date: int) -> int:
        generation = self.archive.publish(SUITE, date=date)
        tree, inrelease = self.archive.generation(generation), f"dists/{SUITE}/InRelease"
        self.published.add(tree, generation, inrelease)
        with (self.folder / "signed").open("a") as file:  # before any source has it
            file.write(hashlib.sha256((tree / inrelease).read_bytes()).hexdigest() + "\n")
        return generation

    def _flap(self) -> None:
        """On the wire, so that it goes on syncing."""
        server = self.mirrors["flapping"].server
        while not self._over.wait(WELL_S):
            self.outages += 1
            server.refuse()
            self._over.wait(OUT_S)
            server.accept()

    def _lie(self) -> None:
        fault = Fault(at="+0s", until="+1s", on=("lying",), kind="corrupt", after_bytes=500)
        while not self._over.wait(LIE_EVERY_S - LIE_S):
            self.lies += 1
            self.mirrors["lying"].begin(fault)
            self._over.wait(LIE_S)
            self.mirrors["lying"].end(fault)
