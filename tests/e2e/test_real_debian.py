"""Real Debian through the gateway, as this host's own sources name it, and then without any network at all.

One gateway that needs no configuration; a client that updates, installs a small server and gets a source; a second one
from hits; debootstrap; and the same again with every source unreachable.
"""

import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import AptFactory
from tests.e2e.judging import bodies, judge_all, status_of
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import FILENAME, Oracle
from tests.realapt import PrivateApt

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]

SERVER = ("nginx-light", "openssh-server", "rsync", "git", "vim-tiny", "ca-certificates", "python3-minimal")
SOURCE = "hello"
FETCH_TIMEOUT_S = 20.0
DEBOOTSTRAP_TIMEOUT_S = 200.0
SOURCES_D = Path("/etc/apt/sources.list.d")
SCRIPTS = Path("/usr/share/debootstrap/scripts")
NOBODY_THERE = "http://127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Host:
    """What this host's sources say: their text for a client, and the archives by name with their addresses."""

    sources: str
    addresses: Mapping[str, str]
    keyring: Path
    suites: Mapping[str, tuple[str, ...]]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    made = GatewayProcess(tmp_path_factory.mktemp("real"), ())
    made.start(timeout_s=90)
    yield made
    made.kill9()


@pytest.fixture(scope="module")
def host(gateway: GatewayProcess) -> Host:
    text = "\n\n".join(path.read_text() for path in sorted(SOURCES_D.glob("*.sources")))
    text = re.sub(
        r"^Types:.*$", "Types: deb deb-src", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE
    )
    keyring = re.search(r"^Signed-By: *(/\S+)$", text, re.MULTILINE)
    if keyring is None:
        pytest.skip("this host's sources are no deb822 files with a Signed-By path")
    status = status_of(gateway)
    suites: dict[str, tuple[str, ...]] = {}
    for one in status["suites"]:
        suites[one["archive"]] = (*suites.get(one["archive"], ()), one["suite"])
    addresses = {one["archive"]: one["url"] for one in status["sources"]}
    return Host(text, addresses, Path(keyring[1]), suites)


@pytest.fixture(scope="module", autouse=True)
def _reachable(request: pytest.FixtureRequest) -> None:
    """Without a network there is no real Debian to speak of; everything else is a failure of ours."""
    for path in SOURCES_D.glob("*.sources"):
        for url in re.findall(r"^URIs: *(\S+)$", path.read_text(), re.MULTILINE):
            try:
                urllib.request.urlopen(f"{url}/", timeout=FETCH_TIMEOUT_S).close()
            except OSError as error:
                pytest.skip(f"{url} cannot be reached from here: {error}")


def server_fetched(apt: PrivateApt) -> None:
    apt.update().check()
    apt.download(*SERVER).check()
    apt.source(SOURCE, "--download-only").check()


@pytest.fixture(scope="module")
def first(gateway: GatewayProcess, host: Host, tmp_path_factory: pytest.TempPathFactory) -> PrivateApt:
    """The first client, for which everything had to be fetched."""
    apt = PrivateApt(tmp_path_factory.mktemp("first"), host.sources, proxy=gateway.url, timeout_s=200.0)
    apt.update().check()
    apt.install(*SERVER).check()
    apt.source(SOURCE, "--download-only").check()
    return apt


def test_real_client_installs_a_small_server_and_gets_a_source(host: Host, first: PrivateApt) -> None:
    assert (first.unpacked / "usr/sbin/sshd").exists()
    assert len(first.debs()) > 50
    assert judge_all(first, host.keyring, [one for suites in host.suites.values() for one in suites]) > 60
    assert any(path.suffix == ".dsc" for path in first.sources_directory.iterdir())


def test_second_real_client_is_served_from_hits_alone(
    gateway: GatewayProcess, host: Host, private_apt: AptFactory, first: PrivateApt
) -> None:
    before = status_of(gateway)
    apt = private_apt(host.sources, proxy=gateway.url, timeout_s=100.0)
    server_fetched(apt)
    assert bodies(apt) == bodies(first)
    after = status_of(gateway)
    assert fetched(after) == fetched(before)
    told = after["traffic"]["by_how"]
    assert {how for how in told if told[how] != before["traffic"]["by_how"].get(how, 0)} == {"hit"}


def fetched(status: Mapping[str, list[Mapping[str, int]]]) -> int:
    return sum(source["fetched"] for source in status["sources"])


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("debootstrap") is None, reason="debootstrap as root is not there")
def test_debootstrap_builds_a_system_through_the_gateway(gateway: GatewayProcess, host: Host, tmp_path: Path) -> None:
    archive, suites = next((name, found) for name, found in host.suites.items() if (SCRIPTS / found[0]).exists())
    command = ["debootstrap", "--variant=minbase", f"--keyring={host.keyring}", "--download-only"]
    done = subprocess.run(
        [*command, suites[0], str(tmp_path / "tree"), f"{gateway.url}/{archive}"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEBOOTSTRAP_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:].decode()
    tree = tmp_path / "tree"
    debs = {deb.name: deb for deb in (tree / "var/cache/apt/archives").glob("*.deb")}
    assert len(debs) > 50
    (packages,) = (tree / "var/lib/apt/lists").glob("*_binary-*_Packages")
    path = f"dists/{suites[0]}/" + packages.name.partition(f"_dists_{suites[0]}_")[2].replace("_", "/")
    oracle = Oracle(host.keyring, {path: packages.read_bytes()}.get, suites[:1])
    (inrelease,) = (tree / "var/lib/apt/lists").glob("*InRelease")
    oracle.check(f"dists/{suites[0]}/InRelease", inrelease.read_bytes())
    published = {found.rpartition("/")[2]: found for found in FILENAME.findall(packages.read_text())}
    for name, deb in debs.items():
        oracle.check(published[re.sub(r"_\d+%3a", "_", name)], deb.read_bytes())


def test_everything_comes_again_byte_for_byte_without_any_network(
    gateway: GatewayProcess, host: Host, private_apt: AptFactory, first: PrivateApt
) -> None:
    gateway.configure(
        [
            ServedArchive(
                name,
                (f"{NOBODY_THERE}/{name}",),
                host.keyring,
                suites=suites,
                components=("main",),
                aliases=(host.addresses[name],),
            )
            for name, suites in host.suites.items()
        ]
    )
    gateway.restart()
    apt = private_apt(host.sources, proxy=gateway.url, timeout_s=100.0)
    server_fetched(apt)
    assert bodies(apt) == bodies(first), "which gpgv and sha256sum have judged"
    after = status_of(gateway)
    assert fetched(after) == 0
    assert {one["state"] for one in after["sources"]} == {"out"}
