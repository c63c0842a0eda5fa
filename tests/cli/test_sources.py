"""`tidegate sources` and `tidegate sources probe`: with a gateway and without one, for people and for programs."""

import contextlib
import http.client
import json
import os
import pty
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.commands import tidegate
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.faults import HtmlPage
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.cli import main
from tidegate.cli.exit_codes import ExitCode
from tidegate.store.layout import Layout
from tidegate.web.probe_report import ProbesReport
from tidegate.web.source_report import SourceReport, SourcesReport

COLUMNS = 120
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ServerFactory = Callable[[], SourceServer]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> SimulatedArchive:
    archive = SimulatedArchive(tmp_path_factory.mktemp("mirrored") / "archive", keys)
    archive.add_package("hello", "1.0")
    archive.publish()
    return archive


@pytest.fixture
def serve(mirrored: SimulatedArchive) -> Iterator[ServerFactory]:
    made: list[SourceServer] = []

    def make() -> SourceServer:
        made.append(SourceServer(mirrored.public, prefix="/debian"))
        return made[-1]

    yield make
    for server in made:
        server.close()


def configured(
    tmp_path: Path, keys: Keys, *servers: SourceServer, suites: tuple[str, ...] = ("stable",)
) -> tuple[str, ...]:
    """Options that mean an archive of these sources and a state of its own."""
    served = ServedArchive("debian", tuple(server.url for server in servers), keys.keyring, suites)
    gateway = GatewayProcess(tmp_path / "gateway", (served,))
    return ("--config", str(gateway.config), "--state", str(gateway.state))


# Without a gateway


def test_without_a_gateway_the_command_probes_by_itself_and_leaves_no_state(
    tmp_path: Path, keys: Keys, serve: ServerFactory
) -> None:
    good, dead = serve(), serve()
    dead.refuse()
    options = configured(tmp_path, keys, good, dead)
    ended = tidegate("sources", "probe", "--json", *options).good()
    report = msgspec.json.decode(ended.out, type=ProbesReport)
    assert (report.ok, report.lost) == (True, ())
    outcomes = {one.url: (one.outcome, one.good) for one in report.probes}
    assert outcomes == {good.url: ("newer", True), dead.url: ("failed", False)}
    assert not (tmp_path / "gateway/state").exists()


def test_an_archive_without_a_good_source_is_named_and_ends_with_1(
    tmp_path: Path, keys: Keys, serve: ServerFactory
) -> None:
    portal, dead = serve(), serve()
    portal.fault(HtmlPage())
    dead.refuse()
    ended = tidegate("sources", "probe", *configured(tmp_path, keys, portal, dead))
    assert ended.code == ExitCode.NO
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert {line["source"]: line["outcome"] for line in lines} == {portal.url: "refused", dead.url: "failed"}
    assert {line["level"] for line in lines} == {"warning"}


def test_an_archive_without_a_suite_is_not_called_good(tmp_path: Path, keys: Keys, serve: ServerFactory) -> None:
    ended = tidegate("sources", "probe", "--json", *configured(tmp_path, keys, serve(), suites=()))
    assert (ended.code, ended.json["lost"]) == (ExitCode.NO, ["debian"])


def test_an_archive_that_is_not_configured_is_a_usage_error(tmp_path: Path, keys: Keys, serve: ServerFactory) -> None:
    ended = tidegate("sources", "probe", "--archive", "ubuntu", *configured(tmp_path, keys, serve()))
    assert ended.code == ExitCode.USAGE
    assert "Configured are: debian" in ended.err


def test_options_count_before_the_word_probe_as_well(tmp_path: Path, keys: Keys, serve: ServerFactory) -> None:
    assert tidegate("sources", "--json", *configured(tmp_path, keys, serve()), "probe").good().json["ok"]


def test_a_terminal_sees_each_source_and_a_verdict(
    tmp_path: Path, keys: Keys, serve: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, dead = serve(), serve()
    dead.refuse()
    options = configured(tmp_path, keys, good, dead)
    seen = on_a_terminal(monkeypatch, "sources", "probe", *options)
    assert f"✓ debian  {good.url}  newer" in seen
    assert f"✗ debian  {dead.url}  failed" in seen
    assert "debian: 1 of 2 sources are good" in seen


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str, columns: int = COLUMNS) -> str:
    """All that a command shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(ours, 65_536):
                shown.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    words = ["tidegate", *arguments]
    with (
        os.fdopen(theirs, "w") as terminal,
        patch.object(sys, "argv", words),
        patch.object(sys, "stdout", terminal),
        contextlib.suppress(SystemExit),
    ):
        main()
    reader.join(10)
    os.close(ours)
    return _ANSI.sub("", b"".join(shown).decode())


# With a gateway


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway with a good source, a dead one, and one behind a login page."""

    gateway: GatewayProcess
    good: SourceServer
    dead: SourceServer
    portal: SourceServer

    @property
    def options(self) -> tuple[str, ...]:
        return ("--config", str(self.gateway.config), "--state", str(self.gateway.state))

    def sources(self) -> dict[str, SourceReport]:
        report = msgspec.json.decode(tidegate("sources", "--json", *self.options).good().out, type=SourcesReport)
        return {one.url: one for one in report.sources}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, mirrored: SimulatedArchive, keys: Keys) -> Iterator[Served]:
    good, dead, portal = (SourceServer(mirrored.public, prefix="/debian") for _ in range(3))
    dead.refuse()
    portal.fault(HtmlPage())
    archive = ServedArchive("debian", (good.url, dead.url, portal.url), keys.keyring)
    gateway = GatewayProcess(tmp_path_factory.mktemp("served"), (archive,))
    gateway.start()
    yield Served(gateway, good, dead, portal)
    gateway.kill9()
    for server in (good, dead, portal):
        server.close()


def test_the_running_gateway_probes_and_learns_from_it(served: Served) -> None:
    ended = tidegate("sources", "probe", "--json", *served.options).good()
    outcomes = {one["url"]: one["outcome"] for one in ended.json["probes"]}
    assert outcomes == {served.good.url: "newest", served.dead.url: "failed", served.portal.url: "refused"}
    reports = served.sources()
    assert reports[served.good.url].state == "good"
    assert set(reports[served.good.url].newest) == {"stable"}
    served.gateway.wait_for(lambda: served.sources()[served.portal.url].state == "wrong bytes")
    assert served.sources()[served.dead.url].state in ("out", "on trial")


def test_each_address_of_a_source_has_a_record_of_its_own(served: Served) -> None:
    reports = served.sources()
    assert reports[served.good.url].addresses == {"127.0.0.1": True}
    assert reports[served.dead.url].addresses == {"127.0.0.1": False}


def test_each_exclusion_has_a_reason_its_time_and_what_to_do(served: Served) -> None:
    reports: dict[str, SourceReport] = {}

    def both_are_out() -> bool:
        """At one moment: the dead one is let in for a trial now and then."""
        reports.clear()
        reports.update(served.sources())
        return all(reports[url].excluded for url in (served.dead.url, served.portal.url))

    served.gateway.wait_for(both_are_out)
    assert next(iter(reports)) == served.good.url
    (dead,), (portal,) = reports[served.dead.url].excluded, reports[served.portal.url].excluded
    assert dead.reason.startswith("cannot be reached (")
    assert "Connection refused" in dead.reason
    assert portal.reason.startswith("gave wrong bytes at ")
    assert portal.todo
    for why in (dead, portal):
        assert why.since is not None
        assert why.next_try_at is not None
        assert why.since <= why.next_try_at


def test_the_table_fits_a_terminal_and_says_why(served: Served) -> None:
    served.gateway.wait_for(lambda: served.sources()[served.portal.url].state == "wrong bytes")
    lines = tidegate("sources", *served.options).good().out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("#"))
    assert all(len(line) <= COLUMNS for line in lines[head : head + 4])
    assert lines[head + 1].split()[:2] == ["1", served.good.url]
    assert any(line.startswith(f"  {served.portal.url}: passed over: gave wrong bytes") for line in lines)


def test_a_narrow_terminal_folds_what_is_long_and_leaves_nothing_out(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = on_a_terminal(monkeypatch, "sources", *served.options, columns=80).splitlines()
    head = next(number for number, line in enumerate(lines) if line.split()[:2] == ["#", "source"])
    rows = lines[head : lines.index(lines[head - 1], head)]  # to the blank line
    assert len(rows) >= 5
    assert all(len(line) <= 80 for line in rows)
    assert "…" not in "".join(rows)


def test_the_last_source_that_is_left_is_a_note_of_the_status(served: Served) -> None:
    served.gateway.wait_for(lambda: served.sources()[served.portal.url].state == "wrong bytes")
    notes = served.gateway.status()["notes"]
    assert any(note.startswith(f"debian: of 3 sources only {served.good.url} is left") for note in notes)


def test_metrics_tell_states_as_numbers(served: Served) -> None:
    served.gateway.wait_for(lambda: served.sources()[served.portal.url].state == "wrong bytes")
    connection = http.client.HTTPConnection("127.0.0.1", served.gateway.admin_port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    states = {sample.labels["source"]: sample.value for sample in families["tidegate_source_state"].samples}
    assert (states[served.good.url], states[served.portal.url]) == (0, 3)
    assert states[served.dead.url] in (1, 2)
    times = {sample.labels["source"] for sample in families["tidegate_source_first_byte_seconds"].samples}
    assert served.good.url in times
    (confirmed,) = families["tidegate_suite_confirmed_operators"].samples
    assert confirmed.value == 1


def test_an_archive_that_the_gateway_does_not_serve_is_told(served: Served, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(served.gateway.config.read_text().replace('"debian"', '"ubuntu"'))
    ended = tidegate("sources", "probe", "--config", other, "--state", served.gateway.state, "--archive", "ubuntu")
    assert ended.code == ExitCode.USAGE
    assert "no archive 'ubuntu' is served here" in ended.err


def test_what_was_known_when_the_gateway_ended_is_told_while_none_runs(served: Served) -> None:
    served.gateway.wait_for(lambda: served.sources()[served.portal.url].state == "wrong bytes")
    assert served.gateway.stop() == 0
    assert Layout(served.gateway.state, served.gateway.state).sources.exists()
    reports = served.sources()
    assert reports[served.portal.url].state == "wrong bytes"
    assert reports[served.good.url].first_byte_ms is not None
