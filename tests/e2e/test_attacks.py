"""Publications that nobody may serve: a real apt behind the gateway ends at once and keeps what it had."""

import contextlib
import sqlite3

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import bodies, judge, refreshed, status_of
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.realapt import PrivateApt
from tests.simulator import attacks
from tests.simulator.answer import Style
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer

AT_ONCE_S = 5.0
SOURCES = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"
HOSTILE = Style(conditional=False)
"""Shows what it has, whatever it is asked: a friendlier server says of an older file that nothing newer is there."""
COLD = {
    name: attacks.UNACCEPTABLE[name]
    for name in (
        *("from the future", "expired", "unsigned", "empty", "signed by an unknown key", "signed by an expired key"),
        *("a bad signature beside a good one", "changed after signing", "text before the signed part", "torn"),
        *("only MD5", "a path out of the archive", "oversized"),
    )
}
"""Those that are wrong also for who has never seen the archive."""


@pytest.fixture
def gateway(gateway_process: GatewayFactory, served: ServedArchive) -> GatewayProcess:
    return gateway_process(served)


@pytest.fixture
def apt(private_apt: AptFactory) -> PrivateApt:
    return private_apt(SOURCES)


def behind(gateway: GatewayProcess, apt: PrivateApt) -> None:
    """Send the client through the gateway from now on."""
    text = (apt.root / "apt.conf").read_text()
    (apt.root / "apt.conf").write_text(text + f'Acquire::http::Proxy "{gateway.url}";\n')


@pytest.mark.parametrize("name", attacks.UNACCEPTABLE)
def test_client_keeps_what_it_had_and_is_given_what_was_accepted(
    name: str,
    gateway: GatewayProcess,
    apt: PrivateApt,
    archive: SimulatedArchive,
    oracle: Oracle,
    source_server: SourceServer,
) -> None:
    gateway.start()
    behind(gateway, apt)
    apt.update().check()
    before = bodies(apt)
    accepted = archive.generation(archive.published)
    oracle.admit(accepted)
    source_server.style = HOSTILE
    archive.update_package("hello", "6.6.6", depends="libgreet1")
    attacks.UNACCEPTABLE[name](archive)
    assert not refreshed(gateway)
    assert_said(gateway)
    result = apt.update().check()
    assert result.seconds < AT_ONCE_S
    assert bodies(apt) == before
    assert apt.candidate("hello") == "1.0"
    apt.forget_lists()
    apt.update().check()
    assert bodies(apt) == before
    archive.restore(archive.published - 1)  # what its packages are compared with
    apt.install("hello").check()
    judge(apt, archive, oracle)


@pytest.mark.parametrize("name", COLD)
def test_client_of_a_gateway_that_has_nothing_ends_at_once_and_is_told_why(
    name: str, gateway: GatewayProcess, apt: PrivateApt, archive: SimulatedArchive, source_server: SourceServer
) -> None:
    archive.update_package("hello", "6.6.6", depends="libgreet1")
    attacks.UNACCEPTABLE[name](archive)
    gateway.start(until="/healthz")
    behind(gateway, apt)
    result = apt.update()
    assert not result.timed_out
    assert result.exit == 100
    assert result.seconds < AT_ONCE_S
    assert source_server.url in result.said, "the sentence names who gave it"
    assert apt.lists() == {}
    assert apt.candidate("hello") is None
    assert_said(gateway)


def test_refused_release_is_not_accepted_after_a_restart_or_a_wiped_cache(
    gateway: GatewayProcess,
    apt: PrivateApt,
    archive: SimulatedArchive,
    oracle: Oracle,
    source_server: SourceServer,
) -> None:
    source_server.style = HOSTILE
    archive.update_package("hello", "2.0", depends="libgreet1")
    archive.publish()
    gateway.start()
    behind(gateway, apt)
    archive.restore(1)
    gateway.restart()
    assert not refreshed(gateway)
    apt.update().check()
    assert apt.candidate("hello") == "2.0"
    gateway.stop()
    for path in sorted((gateway.state / "cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    gateway.start(until="/healthz")
    result = apt.update()
    assert (result.exit, result.timed_out) == (100, False)
    assert apt.candidate("hello") == "2.0", "the mark outlives the cache"
    archive.restore(2)
    assert refreshed(gateway)
    apt.update().check()
    judge(apt, archive, oracle)


def assert_said(gateway: GatewayProcess) -> None:
    """The journal knows it, the status says it."""
    (suite,) = status_of(gateway)["suites"]
    assert suite["trouble"], suite
    gateway.wait_for(lambda: bool(kinds(gateway) & {"refused", "incomplete", "source-failed"}))


def kinds(gateway: GatewayProcess) -> set[str]:
    """The kinds of event in the journal."""
    with contextlib.closing(sqlite3.connect(f"file:{gateway.state}/journal.db?mode=ro", uri=True)) as journal:
        return {kind for (kind,) in journal.execute("SELECT kind FROM event")}
