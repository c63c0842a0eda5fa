"""All sources are gone, for long: what is held is served, what is not is refused at once, and it is said since when."""

import re
import shutil
import statistics
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import judge, refreshed, status_of
from tests.gateway_process import Answer, GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.threats.conftest import journal_of

HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"
PLAIN = "pool/main/p/plain/plain_0.1_amd64.deb"
SOURCES = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"
SOON = "[health]\nalone_after_s = 0.2\n[fetch]\nconnect_timeout_s = 0.5\nfirst_byte_timeout_s = 0.5\n"
"""Compressed time: the shipped settings are 10, 5 and 10 s."""
AT_ONCE_S = 0.05
TIMES = 15
APT = {"User-Agent": "Debian APT-HTTP/1.3 (2.6.1)"}
VALID_S = 5


@dataclass(slots=True)
class Outage:
    """A gateway whose archive has two sources, which can be taken away."""

    gateway: GatewayProcess
    sources: tuple[SourceServer, SourceServer]

    def begins(self) -> None:
        """One refuses, of the other nothing is heard; the gateway has found out."""
        self.sources[0].refuse()
        self.sources[1].blackhole()
        assert not refreshed(self.gateway)
        self.gateway.wait_for(self.is_on)

    def is_on(self) -> bool:
        """As the journal has it."""
        begun, ended = (len(journal_of(self.gateway.state, f"alone-{what}")) for what in ("begun", "ended"))
        return begun > ended

    def asked(self) -> int:
        """Requests that reached a source."""
        return sum(len(source.asked()) for source in self.sources)


@pytest.fixture
def outage(
    archive: SimulatedArchive, source_server: SourceServer, served: ServedArchive, gateway_process: GatewayFactory
) -> Iterator[Outage]:
    with SourceServer(archive.public, prefix="/debian") as other:
        gateway = gateway_process(replace(served, sources=(source_server.url, other.url)), settings=SOON)
        gateway.start()
        yield Outage(gateway, (source_server, other))


def refused_at_once(gateway: GatewayProcess, path: str) -> Answer:
    """Ask often, as an apt does; no single answer of a busy machine counts, the usual one does."""
    seconds = []
    for _ in range(TIMES):
        began = time.monotonic()
        answer = gateway.get(f"/debian/{path}", headers=APT)
        seconds.append(time.monotonic() - began)
        assert answer.status in (403, 503)
    assert statistics.median(seconds) < AT_ONCE_S
    return answer


def metrics(gateway: GatewayProcess) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{gateway.admin_url}/metrics", timeout=10) as answer:
        return str(answer.read(), "ascii")


def test_what_is_held_is_served_and_what_is_not_ends_every_apt_at_once_over_restarts_too(
    outage: Outage, private_apt: AptFactory, archive: SimulatedArchive, oracle: Oracle
) -> None:
    gateway = outage.gateway
    private_apt(SOURCES, proxy=gateway.url).update().check()
    oracle.check(HELLO, gateway.get(f"/debian/{HELLO}").body)
    gateway.get("/debian/pool/main/libg/libgreet1/libgreet1_1.0+ds-1~sim1_amd64.deb")
    outage.begins()
    (begun,) = journal_of(gateway.state, "alone-begun")
    since = begun.data["since"]
    assert isinstance(since, float)
    for restart in (None, gateway.stop, gateway.kill9):
        if restart is not None:
            restart()
            gateway.start()
        apt = private_apt(SOURCES, proxy=gateway.url)
        apt.update().check()
        apt.install("hello").check()
        assert judge(apt, archive, oracle) >= 3
        told = refused_at_once(gateway, PLAIN)
        assert re.match(r"not held, and all 2 sources are out since \d\d:\d\d UTC", told.reason)
        refused_at_once(gateway, "dists/unheard-of/InRelease")
        refused_at_once(gateway, "pool/main/h/hello/changelog")
        (lost,) = status_of(gateway)["alone"]
        assert lost == {"archive": "debian", "since": int(since), "sources": 2, "suites": ["stable"]}
        assert [event.data for event in journal_of(gateway.state, "alone-begun")] == [begun.data]
    assert b"debian is alone since 2" in gateway.command("status", "--state", str(gateway.state)).stdout
    assert len(journal_of(gateway.state, "fetch-failed")) <= 1


def test_an_apt_that_wants_what_is_not_held_ends_with_a_sentence_and_gets_it_once_a_source_is_back(
    outage: Outage, private_apt: AptFactory, archive: SimulatedArchive, oracle: Oracle
) -> None:
    gateway = outage.gateway
    apt = private_apt(SOURCES, proxy=gateway.url, options={"Acquire::Retries": "0"})
    apt.update().check()
    outage.begins()
    lost = apt.install("plain")
    assert lost.exit == 100
    assert "not held, and all 2 sources are out since" in lost.said
    assert 'tidegate_alone{archive="debian"} 1.0' in metrics(gateway)
    outage.sources[0].accept()
    gateway.wait_for(lambda: not outage.is_on())
    apt.install("plain").check()
    assert judge(apt, archive, oracle) >= 2
    assert 'tidegate_alone{archive="debian"} 0.0' in metrics(gateway)
    (begun,), (ended,) = (journal_of(gateway.state, f"alone-{what}") for what in ("begun", "ended"))
    since, again = begun.data["since"], ended.data["since"]
    assert isinstance(since, float)
    assert since == again
    assert ended.data["duration_s"] == pytest.approx(ended.at - since, abs=1.0)
    assert status_of(gateway)["alone"] == []


def test_past_its_valid_until_a_release_is_served_as_it_is_and_said_to_be_expired(
    archive: SimulatedArchive,
    source_server: SourceServer,
    served: ServedArchive,
    gateway_process: GatewayFactory,
    private_apt: AptFactory,
    oracle: Oracle,
) -> None:
    gateway = gateway_process(served, settings=SOON)
    gateway.start()
    archive.suite("stable").valid_for_s = VALID_S
    archive.publish(date=int(time.time()))
    assert refreshed(gateway)
    before = private_apt(SOURCES, proxy=gateway.url)
    before.update().check()
    before.install("hello").check()
    source_server.refuse()
    refreshed(gateway)
    gateway.wait_for(lambda: journal_of(gateway.state, "suite-expired") != ())
    gateway.kill9()
    gateway.start()
    (suite,) = status_of(gateway)["suites"]
    assert suite["state"] == "expired"
    answer = gateway.get("/debian/dists/stable/InRelease", headers=APT)
    oracle.check("dists/stable/InRelease", answer.body)
    assert re.match(r"stale; suite=stable; expired \d+ s ago", answer.headers["x-tidegate"])
    before.forget_packages()
    before.install("hello").check()  # by the lists that it has
    after = private_apt(SOURCES, proxy=gateway.url)
    told = after.update()
    assert told.exit == 100
    assert "is expired" in told.said
    knowing = private_apt(SOURCES.replace("signed-by", "check-valid-until=no signed-by"), proxy=gateway.url)
    knowing.update().check()
    knowing.install("hello").check()
    assert judge(knowing, archive, oracle) >= 3
    assert len(journal_of(gateway.state, "suite-expired")) == 1


def test_offline_what_no_folder_has_is_refused_for_good_so_that_no_apt_asks_again(
    outage: Outage, archive: SimulatedArchive, keys: Keys, tmp_path: Path
) -> None:
    disc = shutil.copytree(archive.public, tmp_path / "disc")
    (disc / PLAIN).unlink()
    gateway = outage.gateway
    gateway.stop()
    gateway.configure([ServedArchive("debian", (disc.as_uri(),), keys.keyring)], "[fetch]\noffline = true\n")
    gateway.start()
    assert gateway.get(f"/debian/{HELLO}").status == 200
    refused = gateway.get(f"/debian/{PLAIN}", headers=APT)
    assert (refused.status, "answers 404" in refused.reason or "answered 404" in refused.reason) == (403, True)


def test_offline_what_rotted_is_found_out_and_no_longer_given(
    outage: Outage, archive: SimulatedArchive, keys: Keys
) -> None:
    gateway = outage.gateway
    held = gateway.get(f"/debian/{HELLO}").body
    gateway.stop()
    (blob,) = (path for path in gateway.state.rglob("blobs/*/*") if path.read_bytes() == held)
    blob.chmod(0o600)
    blob.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    urls = tuple(one.url for one in outage.sources)
    settings = "[fetch]\noffline = true\n[keeper]\nscrub_interval_s = 0.2\n"
    gateway.configure([ServedArchive("debian", urls, keys.keyring)], settings)
    gateway.start()
    gateway.wait_for(lambda: journal_of(gateway.state, "bit-rot") != ())
    (event,) = journal_of(gateway.state, "bit-rot")
    assert (event.subject, event.data["fetched_again"]) == (sha256(held).hexdigest(), False)
    assert refused_at_once(gateway, HELLO).reason.startswith("not held, and this gateway is offline")


def test_offline_makes_no_connection_whatever_it_is_asked(outage: Outage, keys: Keys) -> None:
    gateway = outage.gateway
    gateway.get(f"/debian/{HELLO}")
    gateway.stop()
    gateway.configure(
        [ServedArchive("debian", tuple(one.url for one in outage.sources), keys.keyring)],
        f"[fetch]\noffline = true\n[gateway]\ntunnel_hosts = ['127.0.0.1:{outage.sources[0].port}']\n",
    )
    for source in outage.sources:
        source.forget()
    connections = [source.accepted_connections for source in outage.sources]
    gateway.start()
    assert gateway.get(f"/debian/{HELLO}").status == 200
    assert gateway.get("/debian/dists/stable/InRelease").status == 200
    assert refused_at_once(gateway, PLAIN).reason.startswith("not held, and this gateway is offline")
    refused_at_once(gateway, "dists/unheard-of/InRelease")
    refused_at_once(gateway, "pool/main/h/hello/changelog")
    refused = gateway.get(f"127.0.0.1:{outage.sources[0].port}", method="CONNECT")
    assert (refused.status, refused.reason) == (403, "no tunnel: this gateway is offline")
    assert not refreshed(gateway)
    assert gateway.command("sources", "probe", "--state", str(gateway.state)).returncode != 0
    told = status_of(gateway)
    assert told["offline"] is True
    assert told["alone"] == [{"archive": "debian", "since": None, "sources": 2, "suites": ["stable"]}]
    assert [source.accepted_connections for source in outage.sources] == connections
