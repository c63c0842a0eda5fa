"""The fleet at work: hosts and real apts that ask, each on its own, until they are told that it is over."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tidegate.drill.clients import Apt, Fleet, Host
from tidegate.drill.record import Run
from tidegate.drill.scenario import Clients

HOST_PAUSE_S_MIN = 0.05
APT_PAUSE_S_MIN = 0.5
ANEW_EVERY = 5
"""Each so many updates a host has lost what it had."""
JOIN_S = 90.0


class Crowd:
    """`start`, then `end`. `every_s`: how often each client asks now, seconds by the clock."""

    def __init__(
        self, clients: Clients, fleet: Fleet, root: Path, keyring: Path, *, every_s: Callable[[], float]
    ) -> None:
        self._clients, self._fleet, self._every_s = clients, fleet, every_s
        self._root, self._keyring = root, keyring
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def warm_up(self, is_served: Callable[[], bool], timeout_s: float) -> bool:
        """The fleet as it was before: one host has all it uses. Whether it came to that in time."""
        host = Host(self._fleet)
        deadline = time.monotonic() + timeout_s
        while True:
            host.fetch_all_again()
            host.update()
            if is_served():
                return True
            if time.monotonic() > deadline:
                return False

    def start(self, ran: Callable[[Run], None]) -> None:
        """Everybody asks from now on. `ran`: told of each run of the real apt."""
        self._threads = [threading.Thread(target=self._hosts, daemon=True)]
        count = self._clients.apt if Apt.is_there() else 0
        for i in range(count):
            apt = Apt(self._root / f"apt-{i}", self._fleet, self._keyring)
            self._threads.append(threading.Thread(target=self._apt, args=(apt, ran), daemon=True))
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Nobody begins to ask any more; wait for those who still do."""
        self.tell_end()
        for thread in self._threads:
            thread.join(JOIN_S)

    def tell_end(self) -> None:
        """The same, without waiting."""
        self._done.set()

    def _hosts(self) -> None:
        hosts = [Host(self._fleet) for _ in range(self._clients.hosts)]
        turn = 0
        while not self._done.is_set():
            host = hosts[turn % len(hosts)]
            turn += 1
            if turn // len(hosts) % ANEW_EVERY == 0:
                host.fetch_all_again()
            host.update()
            self._done.wait(max(HOST_PAUSE_S_MIN, self._every_s() / len(hosts)))

    def _apt(self, apt: Apt, ran: Callable[[Run], None]) -> None:
        while not self._done.is_set():
            apt.run(ran)
            self._done.wait(max(APT_PAUSE_S_MIN, self._every_s()))
