"""`make soak MINUTES=30`: a gateway under constant load, watched; with `--write` docs/soak.md and its picture.

Ends with 1 where a bound is missed. It takes one of two cores or so, and 300 MB of temporary space.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from bench.environment import machine, versions

from tests.soak.audience import Audience
from tests.soak.judging import bounds
from tests.soak.looking import Looking
from tests.soak.page import page
from tests.soak.picture import picture
from tests.soak.samples import LoadSample, Sample, Told
from tests.soak.world import World
from tidegate.drill.process import LabGateway
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.dashboard import KINDS

ROOT = Path(__file__).parents[2]
WHOLE_MINUTES = 30.0
"""A shorter run is no soak, and is not written into the documents."""
LOOK_EVERY_S = 5.0
RATE = 200.0
SETTLE_S = 5.0
"""For what the fleet uses to be fetched."""
PATIENCE_S, POLL_S = 10.0, 0.2
SHOWN = ("python", "apt", "tidegate", "tidegate commit")


class Clients:
    """The process that asks."""

    def __init__(self, port: int, rate: float, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.soak.load", str(port), str(rate), str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.told: list[LoadSample] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.told.append(msgspec.json.decode(line, type=LoadSample))

    @property
    def lives(self) -> bool:
        """Whether it still asks."""
        return self._process.poll() is None

    def end(self) -> None:
        """Nobody asks any more."""
        self._process.kill()
        self._process.wait()
        self._reading.join()


def main(arguments: list[str]) -> int:
    """Soak, judge, tell."""
    options = _options(arguments)
    if options.judge:
        told = msgspec.json.decode(options.judge.read_bytes(), type=Told)
        where = machine(ROOT)
    else:
        with tempfile.TemporaryDirectory(prefix="tidegate-soak-") as folder:
            root = Path(folder)
            told = soak(root, options.minutes, workers=options.workers)
            where = machine(root)
    if options.keep:
        options.keep.write_bytes(msgspec.json.encode(told))
    found = bounds(told)
    for one in found:
        sys.stdout.write(
            f"{'ok    ' if one.is_kept else 'MISSED'} {one.what}: {one.is_at:,.10g}, at most {one.at_most:,.10g}\n"
        )
    for text in told.troubles + told.apt_failed + tuple(text for one in told.load for text in one.errors):
        sys.stdout.write(f"       {text}\n")
    if options.write:
        conditions = {**where, **{name: version for name, version in versions().items() if name in SHOWN}}
        (ROOT / "docs/soak.md").write_text(page(told, found, conditions, options.beside, options.why))
        (ROOT / "docs/img/soak.svg").write_text(picture(told))
    return 0 if all(one.is_kept for one in found) else 1


def soak(root: Path, minutes: float, *, workers: int) -> Told:
    """The load for so many minutes, and all that came of it."""
    at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    world = World(root / "world", minutes)
    fleet_port = _free_port()
    settings = world.settings(status=root / "status", fleet=f"127.0.0.1:{fleet_port}", workers=workers)
    gateway = LabGateway(root / "gateway", settings)
    audience = Audience(root, world, gateway, fleet_port)
    clients = None
    try:
        gateway.start()
        _hold(gateway, world)
        clients = Clients(gateway.port, RATE, world.folder)
        audience.start()
        world.stage()
        samples = tuple(_samples(gateway, clients, minutes))
        world.end()
        audience.end()
        clients.end()
        decisions = _decisions(gateway.state, audience.first_decision)
        _until(lambda: audience.decisions >= decisions)
        gateway.stop()
        return _told(at, minutes, samples, world, audience, clients, gateway, decisions)
    finally:
        if clients is not None:
            clients.end()
        gateway.kill()
        world.close()


def _hold(gateway: LabGateway, world: World) -> None:
    """What the fleet uses is held before anybody counts."""
    command = [sys.executable, "-m", "tidegate", "hold", "add", *world.used]
    command += ["--config", str(gateway.config), "--state", str(gateway.state)]
    subprocess.run(command, check=True, capture_output=True)
    time.sleep(SETTLE_S)


def _samples(gateway: LabGateway, clients: Clients, minutes: float) -> Iterator[Sample]:
    looking = Looking(gateway.pid, gateway.state)
    begun = time.monotonic()
    turn = 0
    while (at_s := time.monotonic() - begun) < minutes * 60 and clients.lives:
        yield looking.look(at_s)
        turn += 1
        time.sleep(max(0.0, begun + turn * LOOK_EVERY_S - time.monotonic()))


def _told(
    at: str,
    minutes: float,
    samples: tuple[Sample, ...],
    world: World,
    audience: Audience,
    clients: Clients,
    gateway: LabGateway,
    decisions: int,
) -> Told:
    path = gateway.state / "journal.db"
    with closing(SqliteJournal(path)) as journal:
        troubles = [f"event {one.seq} {one.what}" for one in journal.check().troubles]
        kinds = Counter(one.kind for one in journal.last(1_000_000))
    troubles += [line[:300] for line in gateway.log.splitlines() if '"level": "error"' in line and _is_ours(line)]
    return Told(
        minutes=minutes,
        at=at,
        samples=samples,
        load=tuple(clients.told),
        publications=world.publications,
        lies=world.lies,
        outages=world.outages,
        apt_runs=audience.apt_runs,
        apt_failed=tuple(audience.apt_failed),
        reports=audience.reports,
        reports_failed=audience.reports_failed,
        pages=audience.pages,
        stream_breaks=audience.breaks,
        stream_decisions=audience.decisions,
        decisions=decisions,
        kinds=dict(kinds.most_common()),
        event_bytes=path.stat().st_size,
        troubles=tuple(troubles),
    )


def _is_ours(line: str) -> bool:
    """That a source lied was staged."""
    return '"event": "violation"' not in line


def _decisions(state: Path, first: int) -> int:
    with closing(SqliteJournal(state / "journal.db")) as journal:
        return sum(one.kind in KINDS for one in journal.read(after=first - 1, limit=1_000_000)) if first else 0


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=WHOLE_MINUTES)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="docs/soak.md and docs/img/soak.svg")
    parser.add_argument("--beside", default="", metavar="WORDS", help="what else the machine did, for the document")
    parser.add_argument("--why", default="", metavar="WORDS", help="of bounds that are missed, for the document")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="all that was measured, as JSON")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="what was kept, instead of another soak")
    options = parser.parse_args(arguments)
    if options.write and options.minutes < WHOLE_MINUTES:
        parser.error(f"less than {WHOLE_MINUTES:g} minutes are no soak, and are not written down")
    return options


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
