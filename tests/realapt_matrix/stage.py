"""The archive that is asked for, and one real apt-get asking for it while the server says no."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.realapt import PrivateApt
from tests.realapt_matrix.answers import REASON, STRUCK, WELL, Kind, Scripted
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

CAP_S: Final = 60.0
"""A run is stopped after this long."""
QUIET_S: Final = 40.0
"""Stopped after so long without a request, a run hangs: apt itself waits at most 30 s for an answer."""
POLL_S: Final = 0.05
HOST: Final = "archive.example"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of apt-get went."""

    exit: int | None  # None: stopped at the cap
    seconds: float
    requests: int  # those that met the answer
    hangs: bool  # stopped while it waited for nothing that a server could still give
    says_why: bool  # the reason phrase is in what it printed
    others: bool  # what was well arrived all the same: the other suite, the other packages


def make_archive(root: Path, keys: Keys) -> SimulatedArchive:
    """The archive of the matrix: for each kind the suite that has it, and `well`, which never fails."""
    archive = SimulatedArchive(root, keys)
    archive.suite("stable")
    archive.suite("detached", inrelease=False)
    archive.suite("plain", by_hash=False)
    archive.suite("well")
    for suite in ("stable", "detached", "plain"):
        for name in STRUCK:
            archive.add_package(name, suite=suite, filling_bytes=4096)
    for name in WELL:
        archive.add_package(name, suite="well", filling_bytes=4096)
    archive.add_source("tide-source", suite="stable")
    archive.publish()
    return archive


def play(
    kind: Kind,
    answer: Scripted,
    archive: SimulatedArchive,
    room: Path,
    tree: Path | None,
    *,
    cap_s: float = CAP_S,
    reason: str = REASON,
) -> Outcome:
    """One client (of this machine, or of a debootstrapped tree), one kind of file, one answer.

    `room` is where this machine's client keeps its state; one of a tree keeps it there, and takes it away.
    """
    with SourceServer(archive.public) as server:
        client = PrivateApt(
            room,
            _sources(kind),
            proxy=f"http://127.0.0.1:{server.port}",
            keyring=archive.keys.keyring,
            chroot=tree,
            timeout_s=cap_s,
        )
        try:
            return _played(kind, answer, server, client, reason)
        finally:
            client.close()


def _played(kind: Kind, answer: Scripted, server: SourceServer, client: PrivateApt, reason: str) -> Outcome:
    for words in kind.before:
        client.run("apt-get", *words).check()
    server.fault(answer.fault, kind.strikes, times=answer.times)
    server.forget()
    with _Watch(server) as watch:
        result = client.run("apt-get", *kind.command, directory=client.sources_directory)
    return Outcome(
        exit=None if result.timed_out else result.exit,
        seconds=round(result.seconds, 1),
        requests=len(server.asked(kind.strikes)),
        hangs=result.timed_out and watch.quiet_s >= QUIET_S,
        says_why=reason in result.said,
        others=all(any(client.root.glob(pattern)) for pattern in kind.beside),
    )


def _sources(kind: Kind) -> str:
    return "".join(
        f"{type_} [signed-by=@KEYRING@] http://{HOST}/ {suite} main\n"
        for suite in dict.fromkeys((kind.suite, "well"))
        for type_ in ("deb", "deb-src")
    )


class _Watch:
    """Looks at a server's record while a client runs: how long ago was its last request?"""

    def __init__(self, server: SourceServer) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.quiet_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        seen, moved = 0, time.monotonic()
        while not self._over.wait(POLL_S):
            asked = len(self._server.asked())
            if asked != seen:
                seen, moved = asked, time.monotonic()
            self.quiet_s = time.monotonic() - moved
