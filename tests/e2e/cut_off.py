"""A server of real Debian held, and the network gone: `python -m tests.e2e.cut_off` on an island.

A gateway that knows nothing but this host's own sources is told to hold a server with its closure. When it says that
it is ready the network goes, and an apt that has never been updated fetches the whole server. Then some files are
taken out of the store. By hand, `python -m tests.e2e.cut_off whole` does it with all of tests/e2e/test_real_closure.py
and prints the figures.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.e2e.island import cut, doors, host_sources, in_reach, landed, on_island
from tests.e2e.judging import judge_all, refreshed, status_of
from tests.gateway_process import GatewayProcess
from tests.realapt import PrivateApt

MODULE = "tests.e2e.cut_off"
WHOLE = "whole"
ADOPT_TIMEOUT_S = 90.0
HOLD_TIMEOUT_S = 300.0
ALONE_TIMEOUT_S = 60.0
APT_TIMEOUT_S = 120.0
TIMES = 15
UNUSED = "hello"
SETTINGS = """\
[hold]
requests_per_minute = 60000
connections = 8
[fetch]
connect_timeout_s = 1.0
first_byte_timeout_s = 2.0
[health]
alone_after_s = 1.0
"""
"""The mirror gives as much as one asks for; and compressed time: the shipped limits are 5, 10 and 10 s."""
KEYRING = re.compile(r"^Signed-By: *(/\S+)$", re.MULTILINE)
_URIS = re.compile(r"^'(\S+)' \S+ \d+ SHA256:([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Refused:
    """What was asked for and is not held."""

    seconds: float
    """The median of some."""
    reasons: list[str]
    said: str
    """By an apt that wanted it."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a client without a past got after the cut."""

    update_s: float
    download_s: float
    curl_s: float
    """The same files by one curl over one connection."""
    packages: int
    bytes: int
    judged: int
    """Lists and packages that gpgv and sha256sum agree to."""
    how: dict[str, int]
    """How its requests were answered."""
    files: dict[str, str]
    """Of each package the path as the gateway has it, and the SHA-256 that apt knows."""
    refused: Refused
    alone: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What happened inside, in order."""

    ready: dict[str, Any]
    """`tidegate readiness --json`, before."""
    in_reach: tuple[bool, bool]
    """Any archive, before and after the cut."""
    served: Served
    taken: list[str]
    """Packages that were taken out of the store then."""
    lacking: dict[str, Any]
    """`tidegate readiness --json`, after that."""
    lacking_exit: int
    lost: str
    """What an apt said that wanted the first of them."""


class Island:
    """One gateway, and clients of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = host_sources()
        self.gateway = GatewayProcess(root / "gateway", (), settings=SETTINGS)

    def apt(self, name: str) -> PrivateApt:
        """A client without a past."""
        return PrivateApt(self.root / name, self.sources, proxy=self.gateway.url, timeout_s=APT_TIMEOUT_S)

    def files(self, apt: PrivateApt, names: Sequence[str]) -> dict[str, str]:
        """What this client would fetch for these: SHA-256 by the path in the gateway's mirror form."""
        options = ("-o", "Acquire::ForceHash=SHA256", "-o", f"Dir::Cache::archives={apt.inside}/tmp")
        said = apt.run("apt-get", "install", "--reinstall", "--print-uris", *options, *names).check().stdout
        return {"/" + urlsplit(url).path.lstrip("/"): digest for url, digest in _URIS.findall(said)}

    def readiness(self) -> tuple[Any, int]:
        """As its command has it, with its exit code."""
        done = self.gateway.command("readiness", "--json", *self._at())
        assert done.stdout, done.stderr.decode(errors="replace")
        return json.loads(done.stdout), done.returncode

    def hold(self, names: list[str]) -> None:
        """Have these with what they depend on, and wait until nothing is missing."""
        done = self.gateway.command("hold", "add", *names, "--closure", *self._at(), timeout_s=HOLD_TIMEOUT_S)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        self.gateway.wait_for(self._is_held, HOLD_TIMEOUT_S)

    def _is_held(self) -> bool:
        done = self.gateway.command("hold", "list", "--json", *self._at())
        return not json.loads(done.stdout)["missing"]

    def _at(self) -> tuple[str, ...]:
        return ("--config", str(self.gateway.config), "--state", str(self.gateway.state))


def run(root: Path, names: Sequence[str], *, taken: int, timeout_s: float) -> Seen:
    """Outside: the whole story, with so many packages taken out of the store at its end."""
    order = {"root": str(root), "names": list(names), "taken": taken}
    told = on_island(MODULE, order, reach=doors(host_sources()), timeout_s=timeout_s)
    return msgspec.convert(told, Seen)


def _inside() -> Seen:
    order = landed()
    island, reach = Island(Path(order["root"])), doors(host_sources())
    gateway, names = island.gateway, order["names"]
    gateway.start(timeout_s=ADOPT_TIMEOUT_S)
    try:
        island.hold(names)
        ready, _ = island.readiness()
        before = in_reach(reach)
        cut()
        after = in_reach(reach)
        served = _served(island, names)
        spared, (lacking, code), lost = _spoiled(island, served.files, order["taken"])
        return Seen(ready, (before, after), served, spared, lacking, code, lost)
    finally:
        gateway.kill9()


def _served(island: Island, names: Sequence[str]) -> Served:
    """What a client without a past gets once nothing is in reach."""
    gateway, apt = island.gateway, island.apt("client")
    answered = status_of(gateway)["traffic"]["by_how"]
    update, download = apt.update().check(), apt.download(*names).check()
    after = status_of(gateway)
    keyring = KEYRING.search(island.sources)
    assert keyring is not None
    files = island.files(apt, names)
    return Served(
        update_s=update.seconds,
        download_s=download.seconds,
        curl_s=_by_curl(gateway, files, island.root),
        packages=len(apt.debs()),
        bytes=sum(deb.stat().st_size for deb in apt.debs()),
        judged=judge_all(apt, Path(keyring[1]), [one["suite"] for one in after["suites"]]),
        how={how: more for how, n in after["traffic"]["by_how"].items() if (more := n - answered.get(how, 0))},
        files=files,
        refused=_refused(island, apt),
        alone=status_of(gateway)["alone"],
    )


def _refused(island: Island, apt: PrivateApt) -> Refused:
    """One package that nobody held is asked for once all sources are known to be out: often, and by an apt."""
    gateway = island.gateway
    suites = [(one["suite"], one["archive"]) for one in status_of(gateway)["suites"]]
    assert {refreshed(gateway, *one) for one in suites} == {False}
    gateway.wait_for(lambda: {archive for _, archive in suites} == _alone(gateway), ALONE_TIMEOUT_S)
    (path, *_) = (path for path in island.files(apt, [UNUSED]) if f"/{UNUSED}_" in path)
    seconds, reasons = [], set()
    for _ in range(TIMES):
        begun = time.monotonic()
        answer = gateway.get(path)
        seconds.append(time.monotonic() - begun)
        reasons.add(f"{answer.status} {answer.reason}")
    return Refused(sorted(seconds)[TIMES // 2], sorted(reasons), apt.download(UNUSED).said)


def _alone(gateway: GatewayProcess) -> set[str]:
    return {one["archive"] for one in status_of(gateway)["alone"]}


def _spoiled(island: Island, files: Mapping[str, str], count: int) -> tuple[list[str], tuple[Any, int], str]:
    """Take some files out of the store at rest: which, what readiness says then, and what an apt that wants one."""
    gateway = island.gateway
    gateway.stop()
    taken = random.Random(0).sample(sorted(files), count)
    for path in taken:
        digest = files[path]
        (blob,) = island.root.rglob(f"blobs/{digest[:2]}/{digest[2:]}")
        blob.unlink()
    said = island.readiness()
    gateway.start()
    wanting = island.apt("wanting")
    wanting.update().check()
    name = taken[0].rpartition("/")[2].partition("_")[0]
    return taken, said, wanting.download(name).said


def _by_curl(gateway: GatewayProcess, files: Iterable[str], root: Path) -> float:
    """Seconds for all of them over one connection, given to nobody."""
    wants = root / "curl"
    wants.write_text("".join(f'url = "{gateway.url}{path}"\noutput = "/dev/null"\n' for path in files))
    begun = time.monotonic()
    subprocess.run(["curl", "--silent", "--fail", "--config", str(wants)], check=True, timeout=APT_TIMEOUT_S)
    return time.monotonic() - begun


def _by_hand() -> None:
    """The whole server, for docs/readiness.md."""
    from tests.e2e.test_real_closure import SERVER

    with tempfile.TemporaryDirectory(prefix="tidegate-") as root:
        seen = run(Path(root), SERVER, taken=20, timeout_s=1_200.0)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(seen)).decode() + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == [WHOLE]:
        _by_hand()
    else:
        sys.stdout.write(msgspec.json.encode(_inside()).decode() + "\n")
