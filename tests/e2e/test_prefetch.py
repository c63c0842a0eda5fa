"""The remedy is published, nobody has asked for it yet, and then every source is gone: the whole product."""

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import judge, refreshed, status_of
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
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
