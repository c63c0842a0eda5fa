"""404 only where signed metadata proves absence: what could not be looked at is not absent (threats 2 and 33)."""

from tests.conftest import GatewayFactory
from tests.gateway_process import ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.faults import Status
from tests.simulator.server import SourceServer

OLD_APT = {"User-Agent": "Debian APT-HTTP/1.3 (2.6.1)"}


def test_package_whose_index_cannot_be_had_is_no_404_and_comes_once_it_can(
    archive: SimulatedArchive, source_server: SourceServer, served: ServedArchive, gateway_process: GatewayFactory
) -> None:
    archive.suite("stable", architectures=("amd64", "arm64"))
    path = archive.add_package("other", "1.0", architecture="arm64").path
    archive.publish()
    gateway = gateway_process(served)
    gateway.start()
    target = f"/{served.name}/{path}"
    source_server.fault(Status(503), "*binary-arm64*")
    refused = gateway.get(target, headers=OLD_APT)
    assert refused.status not in (200, 404), (refused.status, refused.reason)
    assert "binary-arm64" in refused.headers["x-tidegate"]
    source_server.heal()
    gateway.wait_for(lambda: gateway.get(target, headers=OLD_APT).status == 200)
    assert gateway.get(target).body == archive.read(path)


def test_source_part_that_no_index_lists_never_passes_through(
    archive: SimulatedArchive, served: ServedArchive, gateway_process: GatewayFactory
) -> None:
    path = "pool/main/x/x_1.0.orig.tar.gz"
    archive.replace(path, b"nobody signed this")
    gateway = gateway_process(served)
    gateway.start()
    assert gateway.get(f"/{served.name}/{path}").status == 404
