"""The remedy is published, nobody has asked for it yet, and then every source is gone: the whole product."""

import re
import subprocess

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import judge, refreshed, status_of
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.realapt import PrivateApt
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer

SETTINGS = "[keeper]\nrefresh_interval_s = 3600.0\n[hold]\nwait_s = 0.0\n"


def missing(gateway: GatewayProcess) -> object:
    (suite,) = status_of(gateway)["suites"]
    return suite["missing"]


def noted(gateway: GatewayProcess) -> None:
    """What clients have asked for up to now is in the hot set."""
    done = gateway.command("hold", "list", "--json", "--state", str(gateway.state))
    assert b"greet-data" in done.stdout, done.stderr.decode()


def test_a_host_that_asks_after_all_sources_are_gone_gets_what_was_published_before(
    archive: SimulatedArchive,
    served: ServedArchive,
    source_server: SourceServer,
    gateway_process: GatewayFactory,
    private_apt: AptFactory,
    oracle: Oracle,
) -> None:
    gateway = gateway_process(served, settings=SETTINGS)
    gateway.start()
    line = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"
    early, late = (private_apt(line, proxy=gateway.url) for _ in range(2))
    early.update().check()
    early.install("hello", "greet-data").check()
    noted(gateway)
    for name, version in {"hello": "1.1", "libgreet1": "1.1", "greet-data": "3:0", "plain": "0.2"}.items():
        options = {"depends": "libgreet1"} if name == "hello" else {}
        archive.update_package(name, version, **options)
    archive.publish()
    assert refreshed(gateway)
    assert missing(gateway) == 0
    source_server.close()
    late.update().check()
    late.install("hello", "greet-data").check()
    assert {path.name for path in late.debs()} == {
        "hello_1.1_amd64.deb",
        "libgreet1_1.1_amd64.deb",
        "greet-data_3%3a0_all.deb",
    }
    assert judge(late, archive, oracle) >= 4
    assert not source_server.asked("*/plain_*.deb"), "nobody had used that one"


def installed(apt: PrivateApt) -> None:
    """What this host has fetched is installed on it, as far as dpkg's status tells."""
    controls = (
        subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True, timeout=30).stdout
        for deb in apt.debs()
    )
    status = "\n".join(re.sub(r"\n", "\nStatus: install ok installed\n", one, count=1) for one in controls)
    (apt.root / "state/status").write_text(status)


def test_an_upgrade_that_needs_what_nobody_had_before_goes_through_after_all_sources_are_gone(
    archive: SimulatedArchive,
    served: ServedArchive,
    source_server: SourceServer,
    gateway_process: GatewayFactory,
    private_apt: AptFactory,
    oracle: Oracle,
) -> None:
    gateway = gateway_process(served, settings=SETTINGS)
    gateway.start()
    apt = private_apt("deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n", proxy=gateway.url)
    apt.update().check()
    apt.install("hello", "greet-data").check()
    installed(apt)
    noted(gateway)
    archive.add_package("libfresh2", "2.0", depends="libfresh-data")
    archive.add_package("libfresh-data", "2.0", architecture="all")
    archive.update_package("hello", "1.1", depends="libfresh2 (>= 2)")
    archive.publish()
    assert refreshed(gateway)
    assert missing(gateway) == 0
    source_server.close()
    apt.update().check()
    apt.forget_packages()
    apt.run("apt-get", "dist-upgrade", "--download-only").check()
    assert {path.name.partition("_")[0] for path in apt.debs()} == {"hello", "libfresh2", "libfresh-data"}
    assert judge(apt, archive, oracle) >= 4
    why = gateway.command("hold", "why", "libfresh-data", "--state", str(gateway.state))
    assert b"needed by an upgrade of hello" in why.stdout
