"""A gateway and a client of it where there is no network: `python -m tests.e2e.sealed FOLDER KEYRING ROOT`.

Run in a network namespace of its own (network_namespaces(7)), which has loopback and not one route. The gateway
knows the folder and nothing else; the real apt updates and installs through it. Prints what it saw, as JSON.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.gateway_process import GatewayProcess, ServedArchive
from tests.realapt import PrivateApt

VENDOR = "http://archive.example/debian"
SOURCES = f"""\
deb [signed-by=@KEYRING@] {VENDOR} stable main
deb-src [signed-by=@KEYRING@] {VENDOR} stable main
"""
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened inside."""

    links: tuple[str, ...]
    """The network's interfaces that are up."""
    routes: str
    state: str
    trouble: str | None
    """What the gateway said of the suite."""
    updated: bool
    installed: bool
    damaged_installed: bool
    said: str
    """By apt, in all of this."""


def may_seal() -> bool:
    """Whether this machine gives its users network namespaces."""
    try:
        done = subprocess.run([*_seal(), "ip", "link"], capture_output=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def _seal() -> list[str]:
    return ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]


def run_sealed(folder: Path, keyring: Path, root: Path) -> Seen:
    """Become another process, inside. Raises AssertionError with what was said there."""
    command = [sys.executable, "-m", "tests.e2e.sealed", str(folder), str(keyring), str(root)]
    done = subprocess.run(
        [*_seal(), *command],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    return Seen(**{**told, "links": tuple(told["links"])})


def apt_at(root: Path, keyring: Path, proxy: str | None) -> PrivateApt:
    """The client; made again outside, it shows what it has."""
    return PrivateApt(root / "apt", SOURCES, keyring=keyring, proxy=proxy)


def _inside(folder: Path, keyring: Path, root: Path) -> Seen:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=TIMEOUT_S)
    served = ServedArchive("debian", (folder.as_uri(),), keyring, aliases=(VENDOR,))
    gateway = GatewayProcess(root, (served,), settings="[keeper]\nrefresh_interval_s = 3600.0\n")
    gateway.start(until="/healthz")
    try:
        gateway.wait_for(lambda: all(one["looked_at"] for one in gateway.status()["suites"]))
        (suite,) = gateway.status()["suites"]
        apt = apt_at(root, keyring, gateway.url)
        update = apt.update()
        wanted = [apt.install("hello", "greet-data"), apt.source("hello", "--download-only")]
        damaged = apt.download("plain")
        return Seen(
            links=tuple(str(one["ifname"]) for one in _ip("link", "show", "up")),
            routes=json.dumps([one for one in (*_ip("route"), *_ip("-6", "route")) if one.get("dev") != "lo"]),
            state=suite["state"],
            trouble=suite["trouble"],
            updated=update.ok,
            installed=all(one.ok for one in wanted),
            damaged_installed=damaged.ok,
            said="".join(one.said for one in (update, *wanted, damaged)),
        )
    finally:
        gateway.kill9()


def _ip(*words: str) -> list[dict[str, object]]:
    done = subprocess.run(["ip", "-json", *words], capture_output=True, check=True, timeout=TIMEOUT_S)
    found: list[dict[str, object]] = json.loads(done.stdout or b"[]")
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_inside(*map(Path, sys.argv[1:4])))) + "\n")
