"""Publications that nobody may serve: a real apt behind the gateway ends at once and keeps what it had."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import bodies, judge, refreshed, status_of
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator import attacks
from tests.simulator.answer import Style
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

AT_ONCE_S = 5.0
SOURCES = "deb [signed-by=@KEYRING@] http://archive.example/debian {} main\n"
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


@dataclass(frozen=True, slots=True)
class Battlefield:
    """One archive with a suite for each attack, one source that shows it, one gateway."""

    archive: SimulatedArchive
    source: SourceServer
    gateway: GatewayProcess

    def oracle(self, suite: str) -> Oracle:
        """The judge of one suite."""
        return Oracle(self.archive.keys.keyring, self.archive.public, (suite,))


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Battlefield]:
    root = tmp_path_factory.mktemp("attacks")
    archive = SimulatedArchive(root / "archive", keys)
    numbers = range(len(attacks.UNACCEPTABLE))
    warm = tuple(f"warm{number}" for number in numbers)
    for suite in (*warm, *(f"cold{number}" for number in numbers)):
        archive.add_package("hello", "1.0", suite=suite, depends="libgreet1")
        archive.add_package("libgreet1", "1.0", suite=suite)
    archive.publish()
    with SourceServer(archive.public, prefix="/debian", style=HOSTILE) as source:
        aliases = ("http://archive.example/debian",)
        served = ServedArchive("debian", (source.url,), keys.keyring, suites=warm, aliases=aliases)
        gateway = GatewayProcess(root / "gateway", (served,))
        gateway.start()
        yield Battlefield(archive, source, gateway)
        gateway.kill9()


def attack(field: Battlefield, name: str, suite: str) -> None:
    """Publish news that are broken in one way; each suite's are of its own, or a torn one could be made whole."""
    field.archive.update_package("hello", f"6.6.6+{suite}", suite=suite, depends="libgreet1")
    attacks.UNACCEPTABLE[name](field.archive, suite)


@pytest.mark.parametrize("name", attacks.UNACCEPTABLE)
def test_client_keeps_what_it_had_and_is_given_what_was_accepted(
    name: str, field: Battlefield, private_apt: AptFactory
) -> None:
    suite = f"warm{list(attacks.UNACCEPTABLE).index(name)}"
    apt, oracle = private_apt(SOURCES.format(suite), proxy=field.gateway.url), field.oracle(suite)
    apt.update().check()
    before = bodies(apt)
    oracle.admit(field.archive.generation(field.archive.published))
    attack(field, name, suite)
    assert not refreshed(field.gateway, suite)
    assert_said(field.gateway, suite)
    result = apt.update().check()
    assert result.seconds < AT_ONCE_S
    assert bodies(apt) == before
    apt.forget_lists()
    apt.update().check()
    assert bodies(apt) == before
    assert apt.candidate("hello") == "1.0"
    apt.install("hello").check()
    judge(apt, field.archive, oracle)


@pytest.mark.parametrize("name", COLD)
def test_client_of_a_gateway_that_has_nothing_ends_at_once_and_is_told_why(
    name: str, field: Battlefield, private_apt: AptFactory
) -> None:
    suite = f"cold{list(attacks.UNACCEPTABLE).index(name)}"
    attack(field, name, suite)
    apt = private_apt(SOURCES.format(suite), proxy=field.gateway.url)
    result = apt.update()
    assert not result.timed_out
    assert result.exit == 100
    assert result.seconds < AT_ONCE_S
    assert field.source.url in result.said, "the sentence names who gave it"
    assert apt.lists() == {}
    assert apt.candidate("hello") is None


@pytest.fixture
def gateway(gateway_process: GatewayFactory, served: ServedArchive) -> GatewayProcess:
    return gateway_process(served)


def test_refused_release_is_not_accepted_after_a_restart_or_a_wiped_cache(
    gateway: GatewayProcess,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    oracle: Oracle,
    source_server: SourceServer,
) -> None:
    source_server.style = HOSTILE
    archive.update_package("hello", "2.0", depends="libgreet1")
    archive.publish()
    gateway.start()
    apt = private_apt(SOURCES.format("stable"), proxy=gateway.url)
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


def assert_said(gateway: GatewayProcess, suite: str) -> None:
    """The journal knows it, the status says it."""
    (told,) = (one for one in status_of(gateway)["suites"] if one["suite"] == suite)
    assert told["trouble"], told
    gateway.wait_for(lambda: bool(kinds(gateway, suite) & {"refused", "incomplete", "source-failed"}))


def kinds(gateway: GatewayProcess, suite: str) -> set[str]:
    """The kinds of event that the journal has of a suite."""
    with contextlib.closing(sqlite3.connect(f"file:{gateway.state}/journal.db?mode=ro", uri=True)) as journal:
        found = journal.execute("SELECT kind FROM event WHERE subject = ?", (f"debian {suite}",))
        return {kind for (kind,) in found}
