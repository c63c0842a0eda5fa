"""The desk: the process beside the gateway that keeps advisories and hosts, and takes nothing from it."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.commands import Ended, tidegate
from tests.conftest import GatewayFactory
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.history import Provenance
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.statement import Piece
from tidegate.advisories.taking_in import take_in

WAIT_S = 60.0
CVE = "CVE-2026-0001"
STATUS = "Package: hello\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.9\n\n"


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {WAIT_S:g} s: {what}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


class Place:
    """A gateway with a face towards hosts."""

    def __init__(self, gateway: GatewayProcess, port: int) -> None:
        self.gateway = gateway
        self.url = f"http://127.0.0.1:{port}/fleet/report"

    def __call__(self, *words: object) -> Ended:
        return tidegate(*words, "--config", self.gateway.config, "--state", self.gateway.state)

    def desks(self) -> list[int]:
        """The processes of the desk."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if b"tidegate.wiring.desk" in words and parent == self.gateway.pid:
                found.append(int(process.name))
        return found

    def report(self, token: str, host: str = "h1", status: str = STATUS) -> str:
        query = f"?host={host}&name={host}&release=debian:bookworm&form=dpkg-status"
        command = ["curl", "-s", "-H", f"Authorization: Bearer {token}", "--data-binary", "@-", self.url + query]
        return subprocess.run(command, input=status, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout

    def exposure(self, *words: object) -> Any:
        return json.loads(self("exposure", *words, "--json").out)


def hear(state: Path, status: str, fixed: str = "") -> None:
    """Debian's tracker says something about hello in bookworm."""
    said = {"status": status, "urgency": "high", **({"fixed_version": fixed} if fixed else {})}
    data = json.dumps({"description": "x", "releases": {"bookworm": said}}).encode()
    piece = Piece(f"hello/{CVE}", data)
    now = int(time.time())
    with closing(SqliteHistory(state / "advisories.db")) as history:
        provenance = Provenance("debian-tracker", "a test", now, os.urandom(32))
        taken = take_in(history, FEEDS["debian-tracker"], [piece], provenance)
        assert taken.problems == ()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("desk")
    archive = SimulatedArchive(root / "archive", keys)
    archive.suite("bookworm", origin="Debian")
    archive.add_package("hello", "1.0", suite="bookworm")
    archive.publish()
    port = free_port()
    with SourceServer(archive.public, prefix="/debian") as source:
        served = ServedArchive("debian", (source.url,), keys.keyring, suites=("bookworm",))
        gateway = GatewayProcess(root / "gateway", (served,), settings=f'[fleet]\nlisten = "127.0.0.1:{port}"\n')
        gateway.start()
        yield Place(gateway, port)
        gateway.kill9()


@pytest.fixture(scope="module")
def token(place: Place) -> str:
    return str(json.loads(place("fleet", "token", "add", "everybody", "--json").out)["secret"])


def test_a_host_reports_with_curl_and_what_it_is_open_to_is_told(place: Place, token: str) -> None:
    hear(place.gateway.state, "resolved", "1.0")
    assert place.report(token) == "taken in: 1 packages of h1\n"
    found = until(lambda: (one := place.exposure("--cve", CVE))["cve"]["hosts"] and one, "the host is open to it")
    assert found["cve"]["classes"] == {"fixable-from-held": 1}
    assert [one["hosts"] for one in found["findings"]] == [["h1"]]
    assert place("exposure").code == 1


def test_what_a_feed_says_anew_counts_within_seconds(place: Place, token: str) -> None:
    place.report(token)
    hear(place.gateway.state, "open")
    until(lambda: place.exposure("--cve", CVE)["cve"]["classes"] == {"no-fix": 1}, "the new word counts")
    hear(place.gateway.state, "resolved", "1.0")
    until(lambda: place.exposure("--cve", CVE)["cve"]["classes"] == {"fixable-from-held": 1}, "the old word again")


def test_a_host_that_updates_and_one_that_is_removed_are_out_of_it_at_once(place: Place, token: str) -> None:
    hear(place.gateway.state, "resolved", "1.0")
    place.report(token, "h2")
    until(lambda: place.exposure("--host", "h2")["hosts"][0]["findings"], "h2 is open to it")
    place.report(token, "h2", STATUS.replace("0.9", "1.0"))
    assert place.exposure("--host", "h2")["hosts"][0]["clean"]
    place("fleet", "remove", "h2").good()
    assert place("exposure", "--host", "h2").code == 2


def got(url: str, *options: str) -> tuple[int, str]:
    """A status and a body, by curl."""
    command = ["curl", "-s", "-w", "\n%{http_code}", *options, url]
    told = subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S).stdout.decode("latin-1")
    body, _, status = told.rpartition("\n")
    return int(status), body


def test_people_read_on_the_admin_port_which_hosts_have_it_and_hosts_read_only_what_it_is(
    place: Place, token: str
) -> None:
    hear(place.gateway.state, "resolved", "1.0")
    place.report(token, "secret-host")
    until(lambda: place.exposure("--cve", CVE)["cve"]["hosts"], "a host is open to it")
    admin, face = place.gateway.admin_url, place.url.removesuffix("/fleet/report")
    status, page = got(f"{admin}/advisories/{CVE}")
    assert (status, "secret-host" in page, "fixable-from-held" in page) == (200, True, True)
    status, page = got(f"{face}/advisories/{CVE}")
    assert (status, "hello" in page, "secret-host" in page) == (200, True, False)
    assert got(f"{admin}/style.css") == got(f"{face}/style.css")
    assert got(f"{face}/debsecan/release/1/bookworm")[0] == 200
    told = json.loads(got(f"{admin}/exposure.json?cve={CVE}")[1])
    assert told["cve"]["classes"]["fixable-from-held"] >= 1


def test_the_fleet_is_told_as_a_table_as_openvex_and_as_metrics_on_the_admin_port_alone(
    place: Place, token: str
) -> None:
    hear(place.gateway.state, "resolved", "1.0")
    place.report(token)
    until(lambda: place.exposure("--host", "h1")["hosts"][0]["findings"], "h1 is open to it")
    admin, face = place.gateway.admin_url, place.url.removesuffix("/fleet/report")
    rows = [one for one in csv.DictReader(io.StringIO(got(f"{admin}/exposure.csv")[1])) if one["host"] == "h1"]
    assert [(one["cve"], one["class"]) for one in rows] == [(CVE, "fixable-from-held")]
    vex = json.loads(got(f"{admin}/exposure.openvex.json")[1])
    assert {one["status"] for one in vex["statements"] if "h1" in one["products"][0]["@id"]} == {"affected"}
    metrics = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(got(f"{admin}/metrics")[1])
        for sample in family.samples
    }
    assert metrics["tidegate_exposure_hosts", "fixable-from-held"] >= 1
    assert metrics["tidegate_feed_records", "debian-tracker"] == 1
    assert metrics["tidegate_ready",] == 1
    for path in ("/exposure.csv", "/exposure.openvex.json", "/metrics"):
        assert got(face + path)[0] == 404


def test_what_hosts_have_is_held_for_them_and_it_is_said_why(place: Place, token: str) -> None:
    place.report(token)
    place.gateway.stop()
    place.gateway.start()
    told = until(
        lambda: (one := place("hold", "why", "hello", "--json")).code == 0 and "host" in one.out and one,
        "the hot set knows what hosts have",
    )
    assert "installed" in told.out


@pytest.mark.parametrize("path", ["/advisories", "/exposure.json", "/metrics", "/nothing"])
def test_a_page_elsewhere_that_points_its_name_here_learns_nothing(place: Place, path: str) -> None:
    forged = ("-H", "Host: evil.example")
    assert got(place.gateway.admin_url + path, *forged)[0] == 421
    assert got(place.url.removesuffix("/fleet/report") + path, *forged)[0] == 421


def test_a_host_reports_to_the_gateway_by_whatever_name_it_knows_it(place: Place, token: str) -> None:
    named = ("-H", "Host: tidegate.corp.example:3144", "-H", f"Authorization: Bearer {token}")
    query = "?host=h4&release=debian:bookworm&form=dpkg-status"
    assert got(place.url + query, *named, "--data-binary", STATUS) == (200, "taken in: 1 packages of h4\n")


def test_the_admin_port_reads_and_changes_nothing(place: Place, token: str) -> None:
    place.report(token)
    for path in ("/fleet/remove?host=h1", "/fleet/tag?host=h1&add=x", "/fleet/add"):
        assert got(place.gateway.admin_url + path, "-X", "POST")[0] == 405
        assert got(place.gateway.admin_url + path)[0] == 405
    assert place.exposure("--host", "h1")["hosts"][0]["tags"] == []


def test_without_a_token_nobody_reports_and_nothing_else_is_there(place: Place) -> None:
    assert "unknown" in place.report("wrong")
    for path in ("/exposure.json", "/fleet/list", "/status.json"):
        assert got(place.url.replace("/fleet/report", path))[0] == 404


def test_a_desk_that_dies_takes_nothing_with_it_and_another_takes_its_place(place: Place, token: str) -> None:
    (desk,) = place.desks()
    os.kill(desk, signal.SIGKILL)
    assert place.gateway.get("/debian/dists/bookworm/InRelease").status == 200
    until(lambda: place.desks() not in ([], [desk]), "another desk")
    until(lambda: place.report(token, "h3").startswith("taken in"), "it takes reports")
    assert "the desk ended" in place.gateway.log
    assert place.exposure("--host", "h3")["hosts"][0]["host"] == "h3"


def test_a_gateway_that_is_killed_takes_its_desk_with_it_and_the_next_start_knows_all_hosts(
    place: Place, token: str
) -> None:
    place.report(token)
    (desk,) = place.desks()
    place.gateway.kill9()
    until(lambda: not Path("/proc", str(desk), "exe").exists(), "the desk is gone")
    at_rest = place.exposure()
    place.gateway.start()
    until(lambda: place("fleet", "list").code == 0, "the desk answers")
    assert place.exposure()["hosts"] == at_rest["hosts"] > 0
    (desk,) = place.desks()
    place.gateway.stop()
    assert not Path("/proc", str(desk), "exe").exists()
    place.gateway.start()


def test_a_feed_is_kept_as_the_settings_say_and_hosts_are_judged_by_it(
    gateway_process: GatewayFactory, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    feed = tmp_path / "tracker.json"
    said = {"status": "open", "urgency": "high"}
    feed.write_text(json.dumps({"hello": {CVE: {"description": "x", "releases": {"bookworm": said}}}}))
    port = free_port()
    settings = (
        f'[fleet]\nlisten = "127.0.0.1:{port}"\n'
        f'[[advisories.feed]]\nname = "debian-tracker"\nurls = ["{feed}"]\ninterval_s = 60.0\n'
    )
    gateway = gateway_process(ServedArchive("debian", (source_server.url,), keys.keyring), settings=settings)
    gateway.start()
    place = Place(gateway, port)
    told = until(lambda: (one := place("advisories", "status", "--json")).code == 0 and one, "the feed is taken in")
    assert [(one["name"], one["records"]) for one in told.json["feeds"]] == [("debian-tracker", 1)]
    secret = json.loads(place("fleet", "token", "add", "everybody", "--json").out)["secret"]
    place.report(secret)
    until(lambda: place.exposure("--cve", CVE)["cve"]["classes"] == {"no-fix": 1}, "the host is judged by it")
    said["status"], said["fixed_version"] = "resolved", "2.0"
    feed.write_text(json.dumps({"hello": {CVE: {"description": "x", "releases": {"bookworm": said}}}}))
    place("advisories", "refresh", "debian-tracker").good()
    until(
        lambda: place.exposure("--cve", CVE)["cve"]["classes"] == {"published-not-held": 1}, "and by what it says anew"
    )


def test_where_there_is_nothing_for_it_to_do_there_is_no_desk(
    gateway_process: GatewayFactory, source_server: SourceServer, keys: Keys
) -> None:
    gateway = gateway_process(ServedArchive("debian", (source_server.url,), keys.keyring))
    gateway.start()
    assert Place(gateway, 0).desks() == []
