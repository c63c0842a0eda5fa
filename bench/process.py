"""Starting, watching and ending what is measured; figures come from /proc."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PACKAGES = "nginx-light apt-cacher-ng squid wrk gpg gpgv"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.002
SERVER_PORTS = range(20_000, 32_000)
PORT_TRIES = 100
LOG_TAIL_BYTES = 2_000
LOG_BYTES_MAX = 64 << 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """What keeps an experiment from being carried out, in a sentence."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process tree in bytes. `pss` counts a shared page once, `rss` once per process."""

    rss: int
    pss: int
    processes: int


@dataclass(frozen=True, slots=True)
class Server:
    """A process group that we started, with everything it prints in `log`."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """The first process of the tree."""
        return self.process.pid

    def await_port(self, port: int) -> None:
        """Return once `port` on loopback accepts a connection; BenchError when the process ends first."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.must_run()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
                return
            time.sleep(POLL_S)
        raise BenchError(f"{self.name} does not listen on {port} after {START_TIMEOUT_S:.0f} s: {self.tail()}")

    def must_run(self) -> None:
        """BenchError with the end of its log when the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise BenchError(f"{self.name} ended with {code}: {self.tail()}")

    def tail(self) -> str:
        """The end of what it printed."""
        with suppress(OSError):
            return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()
        return "(no log)"

    def stop(self) -> None:
        """End the process group: SIGTERM, then SIGKILL after `STOP_TIMEOUT_S`."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, how)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_TIMEOUT_S)
                break
        with suppress(ProcessLookupError):  # a child that outlived its parent
            os.killpg(self.pid, signal.SIGKILL)


def spawn(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Server:
    """Start `argv` in a session of its own, printing to the end of `log`."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            _found(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,
        )
    return Server(name, process, log)


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None, timeout_s: float = 600.0) -> str:
    """Run a command to its end and return what it printed; BenchError when it fails."""
    done = subprocess.run(
        _found(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=None if env is None else {**os.environ, **env},
        timeout=timeout_s,
        check=False,
    )
    printed = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise BenchError(f"`{' '.join(argv)}` ended with {done.returncode}: {printed[-LOG_TAIL_BYTES:].strip()}")
    return printed


def _found(argv: Sequence[str]) -> list[str]:
    """`argv` with its program's path; BenchError when it is not installed."""
    program = shutil.which(argv[0]) or shutil.which(argv[0], path="/usr/sbin:/sbin")
    if program is None:
        raise BenchError(f"{argv[0]} is not installed; what the bench needs: apt-get install {PACKAGES}")
    return [program, *argv[1:]]


def free_port() -> int:
    """A TCP port on loopback that nobody holds right now.

    Below the range that the kernel gives to clients, so that none of ten thousand of them takes it, and
    below 32,768: apt-cacher-ng 3.7 cannot bind a port above that.
    """
    for port in random.sample(SERVER_PORTS, PORT_TRIES):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise BenchError(f"no free port found between {SERVER_PORTS.start} and {SERVER_PORTS.stop}")


def trim(log: Path) -> None:
    """Empty a log that grew past `LOG_BYTES_MAX`; every server appends, so it goes on from zero."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES_MAX:
            os.truncate(log, 0)


def tree(pid: int) -> tuple[int, ...]:
    """`pid` and all its living descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = _stat(int(entry.name))
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found.extend(parents.get(parent, ()))
    return tuple(found)


def cpu_s(pid: int) -> float:
    """CPU seconds (user and system) of the tree so far, its reaped children included."""
    ticks = 0
    for member in tree(pid):
        with suppress(OSError):
            ticks += sum(int(field) for field in _stat(member)[11:15])  # utime stime cutime cstime
    return ticks / TICKS_PER_S


def memory(pid: int) -> Memory:
    """What the tree holds in memory now."""
    rss = pss = processes = 0
    for member in tree(pid):
        with suppress(OSError):
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
            rss += sizes["Rss"] * 1024
            pss += sizes["Pss"] * 1024
            processes += 1
    return Memory(rss, pss, processes)


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) `stat` after the command's name: [0] is state, [1] the parent."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
