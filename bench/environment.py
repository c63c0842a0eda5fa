"""What the figures were taken on and with: machine, kernel, versions, settings of the kernel."""

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

from bench.peers.tidegate import COMMAND
from bench.process import BenchError, run

_SYSCTLS = (
    "net/core/somaxconn",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
    "net/ipv4/tcp_congestion_control",
    "vm/dirty_ratio",
)
_PACKAGES = ("nginx", "apt-cacher-ng", "squid", "wrk", "apt", "gpgv")


def machine(work: Path) -> dict[str, str]:
    """Hardware, kernel and the file system that caches and stores lie on."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = re.search(r"^MemTotal:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    found = {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(total[1]) / 1e6:.0f} GB" if total else "unknown",
        "kernel": platform.release(),
        "file system of stores": _file_system(work),
        "system": _system(),
    }
    for name in _SYSCTLS:
        with suppress(OSError):
            found[name.replace("/", ".")] = " ".join(Path("/proc/sys", name).read_text().split())
    return found


def versions() -> dict[str, str]:
    """Every program that takes part, as it or its package names itself."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(BenchError):
            printed = run(["dpkg-query", "-W", "-f", "${Version}", package])
            found[package] = printed.strip()
    with suppress(BenchError):
        found["nginx -V"] = " ".join(run(["nginx", "-V"]).split())
    with suppress(BenchError):
        found["tidegate"] = run([*COMMAND, "version"]).strip()
    with suppress(BenchError):
        here = str(Path(__file__).parent)
        found["tidegate commit"] = run(["git", "-C", here, "describe", "--always", "--dirty"]).strip()
    return found


def load_average() -> str:
    """Over 1, 5 and 15 minutes: whether others were busy on this machine."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


def _system() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.system()


def _file_system(path: Path) -> str:
    """Type of the file system that holds `path`: the longest mount point above it."""
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if path.resolve().is_relative_to(mount) and len(mount) > len(best[0]):
            best = (mount, kind)
    return best[1]
