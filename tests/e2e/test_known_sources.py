"""What a gateway has learned of its sources holds for its next life, and the journal tells how they fared."""

import json
from dataclasses import replace

from tests.conftest import GatewayFactory
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.faults import CorruptByte
from tests.simulator.server import SourceServer
from tests.threats.conftest import journal_of

HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"
OTHER = "pool/main/p/plain/plain_0.1_amd64.deb"


def states_of(gateway: GatewayProcess, source: SourceServer) -> list[tuple[object, ...]]:
    """Each change of its state that the journal knows."""
    events = journal_of(gateway.state, "source-state")
    return [
        (event.data["before"], event.data["after"], event.data["cause"])
        for event in events
        if event.subject == source.url
    ]


def test_a_source_that_gave_wrong_bytes_is_not_asked_by_the_next_life_either(
    gateway_process: GatewayFactory,
    served: ServedArchive,
    archive: SimulatedArchive,
    source_server: SourceServer,
    oracle: Oracle,
) -> None:
    with SourceServer(archive.public, prefix="/debian") as honest:
        gateway = gateway_process(replace(served, sources=(source_server.url, honest.url)))
        gateway.start()
        source_server.fault(CorruptByte(100), "*.deb")
        oracle.check(HELLO, gateway.get(f"/debian/{HELLO}").body)
        gateway.wait_for(lambda: states_of(gateway, source_server) == [("closed", "open", "violation")])
        gateway.stop()
        kept = json.loads((gateway.state / "sources.json").read_bytes())
        assert kept["sources"][source_server.url]["breaker"]["cause"] == "violation"
        source_server.forget()
        gateway.start()
        oracle.check(OTHER, gateway.get(f"/debian/{OTHER}").body)
        assert source_server.asked("*.deb") == []
        assert honest.asked(OTHER) != []
        assert states_of(gateway, source_server) == [("closed", "open", "violation")]


def test_a_spoiled_memory_is_told_and_keeps_nobody_from_starting(
    gateway_process: GatewayFactory, served: ServedArchive, oracle: Oracle
) -> None:
    gateway = gateway_process(served)
    gateway.state.mkdir(parents=True)
    (gateway.state / "sources.json").write_bytes(b'{"version": 99}')
    gateway.start()
    oracle.check(HELLO, gateway.get(f"/debian/{HELLO}").body)
    assert "what was known of the sources is forgotten" in gateway.log
    gateway.stop()
    assert json.loads((gateway.state / "sources.json").read_bytes())["version"] == 1
