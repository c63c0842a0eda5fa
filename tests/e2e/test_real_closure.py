"""A server of real Debian, as this host's own sources name it: our closure against the real apt's choices."""

import os
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.realapt import PrivateApt
from tidegate.holding.apt_judge import judge
from tidegate.holding.closure import closure, resolve
from tidegate.holding.hot_set import Place
from tidegate.holding.universe import HeldIndex, Universe

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(200)]

SERVER = (
    *("openssh-server", "nginx", "postgresql", "python3-venv", "build-essential", "git", "curl", "wget", "vim", "htop"),
    *("rsync", "tmux", "screen", "sudo", "ufw", "fail2ban", "certbot", "redis-server", "mariadb-server", "haproxy"),
    *("bind9", "chrony", "postfix", "dovecot-imapd", "docker.io", "openjdk-17-jre-headless", "php-fpm", "nodejs"),
    *("rabbitmq-server", "prometheus-node-exporter", "unattended-upgrades", "apparmor", "lvm2", "mdadm", "samba"),
    *("nfs-kernel-server", "openvpn", "wireguard-tools", "logrotate", "cron", "rsyslog", "ca-certificates", "gnupg"),
    *("jq", "strace", "tcpdump", "linux-image-amd64", "grub-pc"),
)
ALONE = ("nginx", "fail2ban")
SECONDS_MAX = 1.0
MEMORY_BYTES_MAX = 100 * 2**20
LARGER_MAX = 1.1
SOURCES_D = Path("/etc/apt/sources.list.d")
FETCH_TIMEOUT_S = 20.0

Taken = frozenset[tuple[str, str, str]]
_INSTALLS = re.compile(r"^Inst (\S+) \((\S+) .*\[([a-z0-9]+)\]\)", re.MULTILINE)


def read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            yield chunk


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def apt(tmp_path_factory: pytest.TempPathFactory) -> PrivateApt:
    """A client with nothing installed, that knows all of the host's archives."""
    texts = [path.read_text() for path in sorted(SOURCES_D.glob("*.sources"))]
    if not any(re.search(r"^Suites:.*\bbookworm\b", text, re.MULTILINE) for text in texts):
        pytest.skip("this host's sources do not name bookworm")
    for url in re.findall(r"^URIs: *(\S+)$", "\n".join(texts), re.MULTILINE):
        try:
            urllib.request.urlopen(f"{url}/", timeout=FETCH_TIMEOUT_S).close()
        except OSError as error:
            pytest.skip(f"{url} cannot be reached from here: {error}")
    text = re.sub(r"^#.*\n", "", "\n\n".join(texts), flags=re.MULTILINE)
    made = PrivateApt(tmp_path_factory.mktemp("apt"), text, timeout_s=120.0)
    made.update().check()
    return made


@pytest.fixture(scope="module")
def universe(apt: PrivateApt) -> Universe:
    """What that client knows. Of 63,000 packages and more, in bounded memory."""
    lists = [path for name, path in apt.lists().items() if name.endswith("_Packages")]
    assert sum(path.stat().st_size for path in lists) > 50_000_000
    before = resident_bytes()
    indices = [HeldIndex(Place("debian", path.name, path.name, "main", "amd64"), read(path)) for path in sorted(lists)]
    assert resident_bytes() - before < MEMORY_BYTES_MAX
    return Universe(indices, "amd64")


def apts_choice(apt: PrivateApt, *names: str, recommends: bool = False) -> Taken:
    wish = "--install-recommends" if recommends else "--no-install-recommends"
    said = apt.run("apt-get", "install", "--simulate", wish, *names).check()
    return frozenset((name, version, own) for name, version, own in _INSTALLS.findall(said.stdout))


@pytest.mark.parametrize("recommends", [False, True])
def test_server_can_be_installed_from_its_closure_which_is_what_apt_takes(
    apt: PrivateApt, universe: Universe, recommends: bool
) -> None:
    begun = time.process_time()
    found = closure(universe, SERVER, recommends=recommends)
    assert time.process_time() - begun < SECONDS_MAX
    assert found.problems == ()
    held = {(one.package.name, one.package.version, one.package.architecture) for one in found.packages}
    taken = apts_choice(apt, *SERVER, recommends=recommends)
    assert taken <= held
    assert len(taken) > 400
    assert len(held) <= LARGER_MAX * len(taken)
    stanzas = list(universe.stanzas(one.package for one in found.packages))
    from_held = judge(stanzas, SERVER, universe.architectures, recommends=recommends)
    assert from_held.installable, from_held.said
    assert from_held.takes == taken, "a host that sees nothing but what is held takes the same"


def test_each_server_by_itself_can_be_installed_from_the_closure_of_all(apt: PrivateApt, universe: Universe) -> None:
    held = {one.package for one in closure(universe, SERVER).packages}
    for name in ALONE:
        taken = apts_choice(apt, name)
        assert taken <= {(one.name, one.version, one.architecture) for one in held}
        assert len(resolve(universe, [name]).packages) <= LARGER_MAX * len(taken)


def test_apt_misses_one_package_that_is_taken_away(universe: Universe) -> None:
    packages = [one.package for one in closure(universe, SERVER).packages if one.package.name != "libssl3"]
    said = judge(universe.stanzas(packages), SERVER, universe.architectures)
    assert not said.installable
    assert "libssl3" in said.said
