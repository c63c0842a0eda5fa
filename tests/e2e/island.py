"""A network of its own with one way out, which can be cut: network_namespaces(7), veth(4).

`on_island(MODULE, ORDER)` runs `python -m MODULE` inside. There, the names of the host's own archives stand for the far
end of one pair of virtual interfaces, and what arrives there is relayed to the archives by this process: no route, no
name server, nothing else is in reach. The module gets its order as JSON, calls `landed()` first, and `cut()` when the
bridge is to go; its last line, as JSON, is what `on_island` returns. Root may do this.
"""

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NETWORK = "198.51.100"  # RFC 5737: for documentation, and taken for a public one
PREFIX_BITS = 28
BRIDGES_MAX = 16
HOSTS_MAX = 13
INSIDE = "bridge0"
SETUP_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 10.0
PIECE_BYTES = 1 << 16
Carrier = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
SOURCES_D = Path("/etc/apt/sources.list.d")


def host_sources() -> str:
    """This host's own deb822 sources, without comments."""
    texts = [path.read_text() for path in sorted(SOURCES_D.glob("*.sources"))]
    return re.sub(r"^#.*\n", "", "\n\n".join(texts), flags=re.MULTILINE)


def doors(sources: str) -> dict[str, int]:
    """Where these sources' archives are: ports by host."""
    urls = [urlsplit(url) for line in re.findall(r"^URIs:(.*)$", sources, re.MULTILINE) for url in line.split()]
    return {url.hostname: url.port or {"https": 443}.get(url.scheme, 80) for url in urls if url.hostname}


def may_land() -> bool:
    """Whether this user may make network namespaces, and interfaces that lead into them."""
    return os.geteuid() == 0 and _run("unshare", "--net", "--mount", "ip", "link", check=False).returncode == 0


def on_island(module: str, order: Mapping[str, Any], *, reach: Mapping[str, int], timeout_s: float) -> Any:
    """Have a module of the tests live where only these hosts (ports by name) are in reach; what it said at its end."""
    with tempfile.TemporaryFile() as said, contextlib.ExitStack() as after:
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        inner = after.enter_context(
            subprocess.Popen(
                [*command, sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        )
        after.callback(inner.kill)
        assert inner.stdin is not None
        assert inner.stdout is not None
        told = ""
        if inner.stdout.readline() == "ready\n":
            own, hosts = after.enter_context(_bridge(_only_child(inner.pid), reach))
            inner.stdin.write(json.dumps({"own": own, "hosts": hosts, "order": order}) + "\n")
            inner.stdin.close()
            ended = threading.Timer(timeout_s, inner.kill)
            after.callback(ended.cancel)
            ended.start()
            told = inner.stdout.read()
        inner.wait()
        said.seek(0)
        how = f"ended with {inner.returncode}, within {timeout_s:g} s or by force\n"
        assert inner.returncode == 0, how + told + said.read().decode(errors="replace")
    return json.loads(told.splitlines()[-1])


def landed() -> Any:
    """Inside: wait for the bridge, take the names over; the order."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    told = json.loads(sys.stdin.readline())
    _run("ip", "link", "set", "lo", "up")
    for command in (("address", "add", told["own"], "dev", INSIDE), ("link", "set", INSIDE, "up")):
        _run("ip", *command)
    names = "".join(f"{address} {name}\n" for name, address in told["hosts"].items())
    with tempfile.NamedTemporaryFile("w", suffix=".hosts") as hosts:
        hosts.write(f"127.0.0.1 localhost\n{names}")
        hosts.flush()
        _run("mount", "--bind", hosts.name, "/etc/hosts")  # which outlives the name that it came from
    return told["order"]


def cut() -> None:
    """Inside: the bridge goes, and with it the only route."""
    _run("ip", "link", "set", INSIDE, "down")


def in_reach(reach: Mapping[str, int]) -> bool:
    """Whether any of these can be connected to."""
    for place in reach.items():
        with contextlib.suppress(OSError), socket.create_connection(place, CONNECT_TIMEOUT_S):
            return True
    return False


@contextlib.contextmanager
def _bridge(pid: int, reach: Mapping[str, int]) -> Iterator[tuple[str, dict[str, str]]]:
    """Lay it into the namespace of this process; its address there, and each host's at our end."""
    assert len(reach) <= HOSTS_MAX
    link, first = f"tg{pid}", _free_network()
    hosts = {name: f"{NETWORK}.{number}" for number, name in enumerate(reach, first + 1)}
    _run("ip", "link", "add", link, "type", "veth", "peer", "name", INSIDE, "netns", str(pid))
    try:
        for address in hosts.values():
            _run("ip", "address", "add", f"{address}/{PREFIX_BITS}", "dev", link)
        _run("ip", "link", "set", link, "up")
        with _relays([(hosts[name], name, port) for name, port in reach.items()]):
            yield f"{NETWORK}.{first + HOSTS_MAX + 1}/{PREFIX_BITS}", hosts
    finally:
        _run("ip", "link", "delete", link, check=False)


def _free_network() -> int:
    """Where the first network begins that no other such bridge on this machine has."""
    taken = _run("ip", "-oneline", "address", "show").stdout.decode()
    beginnings = range(0, 256, 256 // BRIDGES_MAX)
    return next(first for first in beginnings if f" {NETWORK}.{first + 1}/{PREFIX_BITS} " not in taken)


@contextlib.contextmanager
def _relays(ways: Sequence[tuple[str, str, int]]) -> Iterator[None]:
    """Carry what arrives at an address to the host of that name, in a thread."""
    loop, done = asyncio.new_event_loop(), asyncio.Event()

    async def relay() -> None:
        ends: set[asyncio.StreamWriter] = set()
        servers = [await asyncio.start_server(_carrier(host, port, ends), at, port) for at, host, port in ways]
        begun.set()
        await done.wait()
        for server in servers:
            server.close()
        while ends:
            ends.pop().transport.abort()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))

    begun = threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(relay(),), name="relay", daemon=True)
    thread.start()
    assert begun.wait(SETUP_TIMEOUT_S)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def _carrier(host: str, port: int, ends: set[asyncio.StreamWriter]) -> Carrier:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.add(writer)
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(host, port)
            ends.add(far_writer)
            await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
            far_writer.close()
            ends.discard(far_writer)
        writer.close()
        ends.discard(writer)

    return carry


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


def _only_child(pid: int) -> int:
    """Of unshare, which waits for the process that lives inside."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def _run(*command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=check, capture_output=True, timeout=SETUP_TIMEOUT_S)
