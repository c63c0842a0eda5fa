"""The fixture that runs the real command, and the shape of what it hands to it."""

from tests.conftest import GatewayFactory
from tests.gateway_process import ServedArchive


def test_the_configuration_it_writes_is_accepted_by_tidegate(
    gateway_process: GatewayFactory, served: ServedArchive
) -> None:
    gateway = gateway_process(served, settings="[keeper]\nrefresh_interval_s = 3600.0\n")
    done = gateway.command("config", "check", "--config", str(gateway.config))
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
