"""Eight days alone, by the clock of the real gateway and of the real apt: all sources gone, past a Valid-Until."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.clock import Clock
from tests.e2e.judging import judge, refreshed, status_of
from tests.e2e.test_alone import APT, PLAIN, refused_at_once
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.realapt import PrivateApt
from tests.realapt.private_apt import Result
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.threats.conftest import journal_of

SOON = "[health]\nalone_after_s = 1.0\n[fetch]\nconnect_timeout_s = 2.0\nfirst_byte_timeout_s = 2.0\n"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

HOUR_S, DAY_S = 3_600, 86_400
VALID_S = 7 * DAY_S
BOTH = ("stable", "stable-security")
SOURCES = "".join(f"deb [signed-by=@KEYRING@] http://archive.example/debian {suite} main\n" for suite in BOTH)
ENDS_S = 15.0
"""No apt takes longer, whatever it is told."""


@dataclass(slots=True)
class Outage:
    """A gateway all of whose sources are gone, and a host that had updated and installed before."""

    gateway: GatewayProcess
    host: PrivateApt
    clock: Clock
    new_host: Callable[[str], PrivateApt]

    def known(self) -> bool:
        """Whether the gateway has looked around by its present clock, and refuses at once."""
        answer = self.gateway.get(f"/debian/{PLAIN}", headers=APT)
        return answer.status == 403 and answer.reason.startswith("not held, and all 2 sources are out since")


def told(gateway: GatewayProcess, kind: str) -> int:
    """How often the journal has it."""
    return len(journal_of(gateway.state, kind))


@pytest.fixture
def outage(
    archive: SimulatedArchive,
    source_server: SourceServer,
    served: ServedArchive,
    gateway_process: GatewayFactory,
    private_apt: AptFactory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Outage]:
    archive.add_package("hello", "1.0", suite=BOTH[1], depends="libgreet1")
    archive.suite(BOTH[1]).valid_for_s = VALID_S
    archive.publish(date=int(time.time()))
    clock = Clock(tmp_path_factory.mktemp("clock") / "ahead")
    with SourceServer(archive.public, prefix="/debian") as other:
        both = replace(served, sources=(source_server.url, other.url), suites=BOTH)
        gateway = gateway_process(both, settings=SOON, environment=clock.environment)
        gateway.start()

        def new_host(sources: str = SOURCES) -> PrivateApt:
            return private_apt(sources, proxy=gateway.url, environment=clock.environment)

        host = new_host()
        host.update().check()
        host.install("hello").check()
        source_server.refuse()
        other.blackhole()
        for suite in BOTH:
            assert not refreshed(gateway, suite)
        gateway.wait_for(lambda: status_of(gateway)["alone"] != [])
        gateway.wait_for(lambda: told(gateway, "alone-begun") > told(gateway, "alone-ended"))
        yield Outage(gateway, host, clock, new_host)


def refused(done: Result) -> str:
    """What an apt said that ended in time, as it should when it is told no."""
    assert done.exit == 100
    assert done.seconds < ENDS_S
    return done.said


def test_fifteen_hours_and_eight_days_alone_over_restarts_and_kills(
    outage: Outage, archive: SimulatedArchive, keys: Keys
) -> None:
    gateway, host, oracle = outage.gateway, outage.host, Oracle(keys.keyring, archive.public, BOTH)
    begun = journal_of(gateway.state, "alone-begun")
    since = begun[-1].data["since"]
    assert isinstance(since, float)
    for jump_s, lasts, restarts in (
        (15 * HOUR_S, "15 h", (None, gateway.kill9)),
        (8 * DAY_S - 15 * HOUR_S, "8 d", (gateway.stop, gateway.kill9)),
    ):
        outage.clock.jump(jump_s)
        expired = outage.clock.ahead_s > VALID_S
        for restart in restarts:
            if restart is not None:
                restart()
                gateway.start()
            gateway.wait_for(outage.known)
            host.forget_packages()
            host.install("hello").check()  # by the lists that it has
            assert judge(host, archive, oracle) >= 4
            assert "not held, and all 2 sources are out since" in refused(host.install("plain"))
            refused_at_once(gateway, PLAIN)
            refused_at_once(gateway, "dists/unheard-of/InRelease")
            fresh = outage.new_host(SOURCES)
            update = fresh.update()
            if expired:
                assert "is expired" in refused(update)
                update = fresh.update("-o", "Acquire::Check-Valid-Until=false")
            update.check()
            fresh.install("hello").check()
            (lost,) = status_of(gateway)["alone"]
            assert (lost["since"], lost["suites"]) == (int(since), list(BOTH))
            said = gateway.command("status", "--state", str(gateway.state)).stdout.decode()
            assert re.search(rf"debian is alone since \S+ \S+ UTC, for {lasts}", said), said
            assert journal_of(gateway.state, "alone-begun") == begun
            assert told(gateway, "suite-expired") == expired
            states = {one["suite"]: one["state"] for one in status_of(gateway)["suites"]}
            assert (states[BOTH[1]] == "expired") is expired
    assert told(gateway, "alone-ended") == len(begun) - 1
