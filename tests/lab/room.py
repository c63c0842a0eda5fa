"""A network and a file system view of the laboratory's own (namespaces(7)), so that nothing leaves this machine.

Inside, only loopback exists. It carries the documentation networks of RFC 5737, which count as public, one for
each operator; names resolve as our own name server says; and ports 80 and 443 are free. The kernel ends every
process of the room with its first one. Root may enter, and so may whoever is allowed user namespaces.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.lab.names import Resolver

ENTERED = "TIDEGATE_LAB_ROOM"
NETWORKS = ("198.51.100", "203.0.113", "192.0.2")
INSIDE = "10.0.0"  # what a redirect may not lead to
DOMAIN = "lab.example"
STAGES_MAX = 250  # addresses of a /24, less the ends
RESOLVER_HOST = "127.0.0.1"
RESOLVER_PORT = 53
SETUP_TIMEOUT_S = 10.0
RESOLV_CONF = f"nameserver {RESOLVER_HOST}\n"
HOSTS = "127.0.0.1 localhost\n"
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source listens, and what clients call it; port 0 is any, no name is the address itself."""

    host: str = "127.0.0.1"
    port: int = 0
    name: str = ""


def entered() -> bool:
    """Whether this process is in a room."""
    return ENTERED in os.environ


def enter(module: str, arguments: Sequence[str]) -> NoReturn:
    """Become this module again, inside. Does not return; whoever may not enter is told by unshare(1)."""
    outside = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *outside, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    os.environ[ENTERED] = "1"
    os.execvp(command[0], [*command, sys.executable, "-m", module, *arguments])


class Room:
    """The room's furniture: addresses, name server, the files that say who is asked for names."""

    def __init__(self) -> None:
        assert entered(), "this would change the machine's own network"
        _run("ip", "link", "set", "lo", "up")
        for network in (*NETWORKS, INSIDE):
            _run("ip", "address", "add", f"{network}.1/24", "dev", "lo")
        self.resolver = Resolver(RESOLVER_HOST, RESOLVER_PORT)
        with tempfile.TemporaryDirectory() as folder:
            for target, text in (
                ("/etc/resolv.conf", RESOLV_CONF),
                ("/etc/hosts", HOSTS),
                ("/etc/nsswitch.conf", NSSWITCH),
            ):
                ours = Path(folder, Path(target).name)
                ours.write_text(text)
                _run("mount", "--bind", str(ours), target)  # which outlives the name that it came from

    def place(self, stage: int, source: int, role: str, *, port: int) -> Place:
        """Where the source of this number stands on a stage: an address and a name of its own."""
        assert 1 < stage <= STAGES_MAX
        name, host = f"{role}-{stage}.{DOMAIN}", f"{NETWORKS[source]}.{stage}"
        self.resolver.addresses[name] = host
        return Place(host, port, name)

    def close(self) -> None:
        """The name server stops; the rest goes with the room."""
        self.resolver.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=SETUP_TIMEOUT_S)
