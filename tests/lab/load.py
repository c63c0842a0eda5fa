"""Constant load on a gateway one of whose sources is dead for minutes: how often is the dead one asked?"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.lab.bulk import SUITE, drip, path_of
from tests.lab.download import download
from tests.lab.faults import BLACKHOLED, REFUSED, SILENT, UNAVAILABLE, Fault
from tests.lab.laboratory import Laboratory
from tests.lab.stage import ROLES, Stage
from tests.lab.syn import SynCounter
from tests.lab.trees import ALIAS, Trees
from tests.lab.ways import gateway_over
from tidegate.sources.breaker import requests_max
from tidegate.sources.settings import HealthSettings

PER_S = 2.0
DEAD: tuple[Fault, ...] = (REFUSED, BLACKHOLED, SILENT, UNAVAILABLE)
UNCOUNTED = (REFUSED, BLACKHOLED)  # the source itself sees nothing of these


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of death. `promised` is what docs/breaker.md says for so long."""

    fault: str
    seconds: float
    asked: int  # by clients, of the gateway; each for an object that it did not hold
    answered: int  # with the right bytes
    slowest_s: float
    at_the_dead: int  # requests, or attempts to connect
    promised: int


def drips(seconds: float) -> int:
    """How many small packages so long a load asks for."""
    return int(seconds * PER_S)


def measure(laboratory: Laboratory, trees: Trees, seconds: float) -> list[Load]:
    """Every kind of death at the same time, each with a gateway of its own."""
    with ThreadPoolExecutor(len(DEAD)) as pool:
        return list(pool.map(lambda fault: _one(laboratory, trees, fault, seconds), DEAD))


def _one(laboratory: Laboratory, trees: Trees, fault: Fault, seconds: float) -> Load:
    with laboratory.stage(trees=trees) as stage, laboratory.folder() as folder:
        gateway = gateway_over(stage, folder / "gateway")
        counter = SynCounter(stage.sources[0].place)
        try:
            gateway.start(until="/healthz")
            laboratory.client(folder, SUITE).apt(stage, ALIAS, proxy=gateway.url).update().check()
            count = _count(stage, fault, counter)
            stage.strike(fault, ROLES[0])
            before = count()
            taken = _load(gateway.port, trees, seconds)
            at_the_dead = count() - before
        finally:
            counter.close()
            gateway.kill9()
    slowest = max(taken, default=0.0)
    promised = requests_max(seconds, HealthSettings())
    return Load(fault.name, seconds, drips(seconds), len(taken), round(slowest, 3), at_the_dead, promised)


def _count(stage: Stage, fault: Fault, counter: SynCounter) -> Callable[[], int]:
    if fault in UNCOUNTED:
        return lambda: counter.count
    return lambda: len(stage.sources[0].server.asked())


def _load(port: int, trees: Trees, seconds: float) -> list[float]:
    """Ask at a constant pace, whatever becomes of it; the seconds of each that was answered with the right bytes."""
    taken: list[float] = []
    clients: list[threading.Thread] = []

    def ask(path: str) -> None:
        with contextlib.suppress(OSError, AssertionError):  # whoever got nothing is missing from the list
            got = download(port, f"{ALIAS}/{path}")
            if got.status == 200 and got.body == trees.archive.read(path):
                taken.append(got.seconds)

    begun = time.monotonic()
    for number in range(drips(seconds)):
        time.sleep(max(0.0, begun + number / PER_S - time.monotonic()))
        clients.append(threading.Thread(target=ask, args=(path_of(trees, drip(number)),), daemon=True))
        clients[-1].start()
    for client in clients:
        client.join()
    return taken
