"""The admin port and the control socket: what they tell, to whom, and that the port changes nothing (threat 41)."""

import contextlib
import http.client
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import GatewayFactory
from tests.e2e.judging import refreshed, status_of
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.web.dashboard import STREAMS_MAX
from tidegate.web.report import StatusReport

HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"
NOBODY = 65_534


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[GatewayProcess]:
    root = tmp_path_factory.mktemp("admin")
    archive = SimulatedArchive(root / "archive", keys)
    archive.add_package("hello", "1.0")
    archive.publish()
    with SourceServer(archive.public, prefix="/debian") as source:
        made = GatewayProcess(root / "gateway", (ServedArchive("debian", (source.url,), keys.keyring),))
        made.start()
        answer = made.get(f"/debian/{HELLO}")
        Oracle(keys.keyring, archive.public).check(HELLO, answer.body)
        assert made.get("/debian/nothing/of/that/name_1_amd64.deb").status == 404
        yield made
        made.kill9()


def admin(
    gateway: GatewayProcess, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=10)
    try:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def test_health_and_readiness_are_told_in_a_word(gateway: GatewayProcess) -> None:
    assert admin(gateway, "/healthz")[::2] == (200, "ok\n")
    assert admin(gateway, "/readyz")[::2] == (200, "ready\n")


def test_gateway_is_healthy_and_not_ready_until_each_configured_suite_is_served(
    gateway_process: GatewayFactory, served: ServedArchive, source_server: SourceServer
) -> None:
    source_server.refuse()
    waiting = gateway_process(served)
    waiting.start(until="/healthz")
    waiting.wait_for(lambda: "Connection refused" in admin(waiting, "/readyz")[2])
    status, _, told = admin(waiting, "/readyz")
    assert status == 503
    assert told.startswith("debian stable: ")
    source_server.accept()
    assert refreshed(waiting)
    assert admin(waiting, "/readyz")[0] == 200


def test_status_keeps_its_schema_to_the_letter(gateway: GatewayProcess) -> None:
    _, headers, text = admin(gateway, "/status.json")
    assert headers["content-type"] == "application/json"
    report = msgspec.json.decode(text, type=StatusReport, strict=True)
    assert msgspec.json.decode(msgspec.json.encode(report)) == msgspec.json.decode(text)
    assert report.running is not None
    assert report.running.pid == gateway.pid
    (suite,), (source,) = report.suites, report.sources
    assert (suite.archive, suite.suite, suite.state, suite.configured) == ("debian", "stable", "served", True)
    assert suite.mark == suite.date
    assert source.state == "good"
    assert report.traffic is not None
    assert report.traffic.by_status == {"200": 1, "404": 1}
    assert report.ready


def test_command_and_port_tell_the_same(gateway: GatewayProcess) -> None:
    told, asked = gateway.status(), status_of(gateway)
    changing = {"at", "traffic"}
    assert without(told, changing) == without(asked, changing)


def without(report: Any, names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in names}


def test_metrics_are_read_by_prometheus(gateway: GatewayProcess) -> None:
    _, headers, text = admin(gateway, "/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(name.startswith("tidegate_") for name in families)
    assert all(family.documentation for family in families.values())
    assert families["tidegate_ready"].samples[0].value == 1.0
    (served,) = families["tidegate_suite_served"].samples
    assert (served.labels, served.value) == ({"archive": "debian", "suite": "stable"}, 1.0)
    answers = {sample.labels["how"]: sample.value for sample in families["tidegate_answers"].samples}
    assert answers["refused"] == 1.0
    fetched = [s.value for s in families["tidegate_source_fetched"].samples if s.name.endswith("_total")]
    assert fetched[0] >= 1


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "localhost.evil.example", "", "127.0.0.1.evil.example", "[evil.example]"],
)
@pytest.mark.parametrize("path", ["/healthz", "/status.json", "/readiness.json", "/metrics"])
def test_page_that_points_its_own_name_at_the_port_learns_nothing(
    gateway: GatewayProcess, host: str, path: str
) -> None:
    status, _, told = admin(gateway, path, host=host)
    assert status in (400, 421)
    assert "debian" not in told


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3143", "127.0.0.1", "[::1]:3143", "192.0.2.1:80"])
def test_addresses_and_known_names_are_answered(gateway: GatewayProcess, host: str) -> None:
    status, headers, _ = admin(gateway, "/healthz", host=host)
    assert status == 200
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/healthz", "/status.json", "/refresh", "/refresh?archive=debian&suite=stable"])
def test_port_changes_nothing(gateway: GatewayProcess, method: str, path: str) -> None:
    assert admin(gateway, path, method=method)[0] in (404, 405)


@pytest.mark.parametrize("path", ["/../etc/passwd", "/%2e%2e/etc/passwd", "/<script>alert(1)</script>"])
def test_unknown_page_reflects_nothing(gateway: GatewayProcess, path: str) -> None:
    status, _, told = admin(gateway, path)
    assert status == 404
    assert "script" not in told


def test_dashboard_is_there_without_any_setting_and_starts_what_it_needs(gateway: GatewayProcess) -> None:
    gateway.wait_for(lambda: admin(gateway, "/")[0] == 200)
    status, headers, told = admin(gateway, "/")
    assert status == 200
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "debian stable" in told
    assert "All is well" in told
    assert admin(gateway, "/style.css")[0] == admin(gateway, "/dashboard.js")[0] == 200
    assert admin(gateway, "/", host="evil.example")[0] == 421
    assert admin(gateway, "/", method="POST")[0] == 405


def test_pages_that_are_closed_make_room_for_others(gateway: GatewayProcess) -> None:
    gateway.wait_for(lambda: admin(gateway, "/")[0] == 200)
    with contextlib.ExitStack() as open_:
        for _ in range(STREAMS_MAX):
            assert stream(gateway, open_) == 200
        assert stream(gateway, open_) == 503
        assert admin(gateway, "/")[0] == 200
    with contextlib.ExitStack() as open_:
        gateway.wait_for(lambda: stream(gateway, open_) == 200)


def stream(gateway: GatewayProcess, open_: contextlib.ExitStack) -> int:
    """Open the stream of decisions, until `open_` is closed; the answer's status."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=10)
    open_.callback(connection.close)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    open_.callback(answer.close)
    return answer.status


def test_control_socket_is_its_owners_alone(gateway: GatewayProcess) -> None:
    path = gateway.state / "control.sock"
    facts = path.stat()
    assert stat.S_ISSOCK(facts.st_mode)
    assert stat.S_IMODE(facts.st_mode) == 0o600
    assert facts.st_uid == os.geteuid()
    assert stat.S_IMODE(gateway.state.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_cannot_open_the_control_socket(gateway: GatewayProcess) -> None:
    program = (
        "import os, socket, sys\n"
        "sock = socket.socket(socket.AF_UNIX)\n"
        "os.fchdir(int(sys.argv[1])); os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))\n"
        "try: sock.connect('control.sock')\n"
        "except PermissionError: sys.exit(42)\n"
    )
    # The directory is handed over open, so that only the socket's own mode stands in the way.
    place = os.open(gateway.state, os.O_RDONLY)
    try:
        gateway.state.chmod(0o755)
        command = ["/usr/bin/env", "python3", "-c", program, str(place), str(NOBODY)]
        done = subprocess.run(command, pass_fds=(place,), check=False, capture_output=True, timeout=20)
        assert done.returncode == 42, done.stderr.decode()
    finally:
        gateway.state.chmod(0o700)
        os.close(place)


def test_control_socket_of_a_killed_gateway_is_replaced(gateway_process: GatewayFactory, served: ServedArchive) -> None:
    gateway = gateway_process(served)
    gateway.start()
    gateway.kill9()
    left = gateway.state / "control.sock"
    assert left.exists()
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(str(left))
    gateway.start()
    assert refreshed(gateway)
    assert gateway.stop() == 0
    assert not left.exists()


def test_state_directory_may_have_a_longer_name_than_a_socket(tmp_path: Path, served: ServedArchive) -> None:
    gateway = GatewayProcess(tmp_path / ("long" * 40), (served,))  # sockaddr_un takes 107 bytes
    gateway.start()
    try:
        assert gateway.status()["ready"]
        assert gateway.stop() == 0
    finally:
        gateway.kill9()


def test_two_gateways_do_not_share_a_store(gateway: GatewayProcess) -> None:
    done = gateway.command(
        *("serve", "--config", str(gateway.config), "--state", str(gateway.state)),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
    )
    assert done.returncode not in (0, 1)
    assert b"another tidegate serves from" in done.stdout + done.stderr
    assert admin(gateway, "/healthz")[0] == 200
