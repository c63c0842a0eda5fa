"""What all hosts together have, for whoever holds it."""

from tests.fleet.hosts_contract import T, had, take
from tests.fleet.incident import package
from tidegate.fleet.installed import Installed, installed
from tidegate.fleet.memory_hosts import MemoryHosts


def test_each_package_is_counted_once_for_each_host_in_whatever_version() -> None:
    hosts = MemoryHosts()
    take(hosts, had(package("bash", "5.1"), package("zsh", "1")))
    take(hosts, had(package("bash", "5.2"), identity="h2", at=T + 60))
    take(hosts, had(package("bash", "5.2"), identity="gone", at=T + 90))
    hosts.remove("gone", T + 100)
    assert sorted(installed(hosts), key=lambda one: one.binary) == [
        Installed("noble", "amd64", "bash", 2, T + 60),
        Installed("noble", "amd64", "zsh", 1, T),
    ]


def test_where_no_host_reported_nothing_is_installed() -> None:
    assert list(installed(MemoryHosts())) == []
