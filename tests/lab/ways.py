"""The ways in which a fleet's apt comes by its packages: what is compared."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.gateway_process import GatewayProcess, ServedArchive
from tests.lab.stage import Stage
from tests.lab.trees import ALIAS
from tests.realapt import PrivateApt

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
LOOPBACK = "127.0.0.1"
ACNG = "/usr/sbin/apt-cacher-ng"
ACNG_CONF = """\
CacheDir: {home}/cache
LogDir: {home}/log
SupportDir: /usr/lib/apt-cacher-ng
BindAddress: 127.0.0.1
Port: {port}
ForeGround: 1
PidFile: {home}/pid
SocketPath: {home}/socket
AllowUserPorts: 0
ExThreshold: 4
{authorities}Remap-lab: {alias} ; file:backends_lab
"""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a client stands: its folder, its patience, the archive's suite."""

    root: Path
    timeout_s: float
    suite: str = "stable"

    def apt(self, stage: Stage, place: str, *, proxy: str | None = None) -> PrivateApt:
        """An apt that finds the archive at this place."""
        trust = {"Acquire::https::CaInfo": str(stage.authority.certificate)} if stage.authority else {}
        return PrivateApt(
            self.root / "apt",
            f"deb [signed-by=@KEYRING@] {place} {self.suite} main\n",
            keyring=stage.trees.keyring,
            proxy=proxy,
            options=trust,
            timeout_s=self.timeout_s,
        )


@dataclass(frozen=True, slots=True)
class Way:
    """A name for the table, and how a client of this kind is set up, with what stands between gone afterwards."""

    name: str
    open: Callable[[Stage, Client], AbstractContextManager[PrivateApt]]


@contextlib.contextmanager
def _plain(stage: Stage, client: Client) -> Iterator[PrivateApt]:
    yield client.apt(stage, stage.urls[0])


@contextlib.contextmanager
def _mirror_list(stage: Stage, client: Client) -> Iterator[PrivateApt]:
    listed = client.root / "mirrors.list"
    client.root.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(f"{url}\tpriority:{number}\n" for number, url in enumerate(stage.urls, 1)))
    yield client.apt(stage, f"mirror+file:{listed}")


@contextlib.contextmanager
def _acng(stage: Stage, client: Client) -> Iterator[PrivateApt]:
    home, port = client.root / "acng", _low_port()
    for name in ("conf", "cache", "log"):
        (home / name).mkdir(parents=True)
    authorities = f"CAfile: {stage.authority.certificate}\n" if stage.authority else ""
    (home / "conf/acng.conf").write_text(ACNG_CONF.format(home=home, port=port, alias=ALIAS, authorities=authorities))
    (home / "conf/backends_lab").write_text("".join(f"{url}/\n" for url in stage.urls))
    with (home / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [ACNG, "-c", str(home / "conf")],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
    try:
        _await_port(process, port, home / "printed")
        yield client.apt(stage, ALIAS, proxy=f"http://{LOOPBACK}:{port}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_TIMEOUT_S)


def _await_port(process: "subprocess.Popen[bytes]", port: int, printed: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
            return
        time.sleep(POLL_S)
    raise AssertionError(f"apt-cacher-ng does not listen: {printed.read_text(errors='replace')}")


def _low_port() -> int:
    """A free port that apt-cacher-ng 3.7 can bind: below 32,768."""
    for port in range(20_000 + os.getpid() % 1_000, 32_000):
        if port in _taken:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            _taken.add(port)
            return port
    raise AssertionError("no free port below 32,000")


_taken: set[int] = set()  # given out in this process; whoever got one may not be listening yet

PLAIN = Way("apt, the one source", _plain)
MIRROR_LIST = Way("apt, mirror+file of three", _mirror_list)
THROUGH_ACNG = Way("apt-cacher-ng, three backends", _acng)
PEERS = (PLAIN, MIRROR_LIST, THROUGH_ACNG)


def gateway_over(stage: Stage, root: Path, *, private: bool = False, settings: str = "") -> GatewayProcess:
    """Tidegate over the three sources, each an operator's of its own; suites are adopted when first asked for."""
    trust = f'[fetch]\ntls_ca_file = "{stage.authority.certificate}"\n' if stage.authority else ""
    return GatewayProcess(root, [served(stage, private=private)], settings=trust + settings)


def served(stage: Stage, *, name: str = "lab", alias: str = ALIAS, private: bool = False) -> ServedArchive:
    """The archive of a stage, as a gateway's configuration has it."""
    return ServedArchive(
        name, stage.urls, stage.trees.keyring, suites=(), aliases=(alias,), deb_src=False, private=private
    )
