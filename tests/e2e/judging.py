"""What a real apt holds after a run, handed to the oracle file by file."""

import contextlib
import http.client
import json
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.gateway_process import GatewayProcess
from tests.oracle import FILENAME, Oracle
from tests.realapt import PrivateApt
from tests.simulator.archive import SimulatedArchive

LOOK_TIMEOUT_S = 30.0
_EPOCH = re.compile(r"_\d+%3a")


def judge(apt: PrivateApt, archive: SimulatedArchive, oracle: Oracle) -> int:
    """Assert that a signed Release accounts for every list, package and source that this client has; how many."""
    before = oracle.checked
    for name, path in apt.lists().items():
        suite = re.search(r"_dists_(?P<rest>.+)\Z", name)
        if suite:
            oracle.check("dists/" + suite["rest"].replace("_", "/"), path.read_bytes())
    published = {path.rpartition("/")[2]: path for path in archive.paths() if not path.startswith("dists/")}
    for fetched in (*apt.debs(), *_sources(apt.sources_directory)):
        oracle.check(published[_EPOCH.sub("_", fetched.name)], fetched.read_bytes())
    return oracle.checked - before


def judge_all(apt: PrivateApt, keyring: Path, suites: Iterable[str]) -> int:
    """The same by a chain of this client's own lists, which begins with its Releases."""
    lists: dict[str, bytes] = {}
    for name, path in apt.lists().items():
        lists["dists/" + name.partition("_dists_")[2].replace("_", "/")] = path.read_bytes()
    oracle = Oracle(keyring, lists.get, suites)
    for listed, body in lists.items():
        oracle.check(listed, body)
    indices = [body.decode() for path, body in lists.items() if path.endswith("/Packages")]
    published = {path.rpartition("/")[2]: path for text in indices for path in FILENAME.findall(text)}
    for deb in apt.debs():
        oracle.check(published[_EPOCH.sub("_", deb.name)], deb.read_bytes())
    return oracle.checked


def bodies(apt: PrivateApt) -> dict[str, bytes]:
    """Everything that this client was served, by file name."""
    files = (*apt.lists().values(), *apt.debs(), *_sources(apt.sources_directory))
    return {path.name: path.read_bytes() for path in files}


def refreshed(gateway: GatewayProcess, suite: str = "stable", archive: str = "debian") -> bool:
    """Have the gateway look for news, through its control socket, and wait; whether the look went well."""
    connection = http.client.HTTPConnection("control", timeout=LOOK_TIMEOUT_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(LOOK_TIMEOUT_S)
    with contextlib.closing(connection):
        connection.sock.connect(str(gateway.state / "control.sock"))
        connection.request("POST", "/refresh?" + urllib.parse.urlencode({"archive": archive, "suite": suite}))
        answer = connection.getresponse()
        told = json.loads(answer.read())
    assert answer.status == 200, told
    return bool(told["ok"])


def status_of(gateway: GatewayProcess) -> Any:
    """What the admin port tells."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{gateway.admin_url}/status.json", timeout=LOOK_TIMEOUT_S) as answer:
        return json.load(answer)


def _sources(directory: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in directory.iterdir() if path.is_file()))
