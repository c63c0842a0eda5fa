"""The real apt through the gateway: every way in, every kind of repository, and its source gone afterwards."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import bodies, judge, refreshed
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.realapt import PrivateApt, Result
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

ADOPTION_S_MAX = 30.0
AT_ONCE_S = 5.0
VENDOR = "http://archive.example/debian"


def sources(url: str, suite: str = "stable") -> str:
    where = suite if suite.endswith("/") else f"{suite} main"
    return f"deb [signed-by=@KEYRING@] {url} {where}\ndeb-src [signed-by=@KEYRING@] {url} {where}\n"


def whole_run(apt: PrivateApt) -> None:
    apt.update().check()
    apt.install("hello", "greet-data").check()
    apt.source("hello", "--download-only").check()


@pytest.fixture
def gateway(gateway_process: GatewayFactory, served: ServedArchive) -> GatewayProcess:
    made = gateway_process(served)
    made.start()
    return made


@pytest.fixture
def apt(gateway: GatewayProcess, private_apt: AptFactory) -> PrivateApt:
    """A client that has the gateway as its proxy and asks for the vendor's own address."""
    return private_apt(sources(VENDOR), proxy=gateway.url)


# Ways in


class Ways:
    """One gateway and one archive for all ways in."""

    def __init__(self, root: Path, keys: Keys) -> None:
        self.archive = SimulatedArchive(root / "archive", keys)
        self.archive.add_package("hello", "1.0", depends="libgreet1")
        self.archive.add_package("libgreet1", "1.0+ds-1~sim1")
        self.archive.add_package("greet-data", "2:3.0", architecture="all")
        self.archive.add_source("hello", "1.0-1")
        self.archive.publish()
        self.source = SourceServer(self.archive.public, prefix="/debian")
        aliases = (VENDOR, "https://secure.example/debian")
        served = ServedArchive("debian", (self.source.url,), keys.keyring, aliases=aliases)
        self.gateway = GatewayProcess(root / "gateway", (served,))
        self.gateway.start()

    def close(self) -> None:
        self.gateway.kill9()
        self.source.close()


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Ways]:
    made = Ways(tmp_path_factory.mktemp("ways"), keys)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("url", "by_proxy"),
    [
        (VENDOR, True),
        ("{gateway}/debian", False),
        ("{gateway}/archive.example/debian", False),
        ("{gateway}/HTTPS///secure.example/debian", False),
        ("http://HTTPS///secure.example/debian", True),
        ("{source}", True),
    ],
)
def test_apt_updates_installs_and_gets_sources_by_every_way_in(
    ways: Ways, private_apt: AptFactory, url: str, by_proxy: bool
) -> None:
    address = url.format(gateway=ways.gateway.url, source=ways.source.url)
    apt = private_apt(sources(address), proxy=ways.gateway.url if by_proxy else None)
    whole_run(apt)
    assert (apt.unpacked / "usr/share/doc/hello/README").read_text() == "hello 1.0\n"
    assert judge(apt, ways.archive, Oracle(ways.archive.keys.keyring, ways.archive.public)) >= 8


def test_second_client_is_served_from_hits_alone(
    gateway: GatewayProcess,
    apt: PrivateApt,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    oracle: Oracle,
    source_server: SourceServer,
) -> None:
    whole_run(apt)
    judge(apt, archive, oracle)
    assert len(source_server.asked("*.deb")) == 3, "each package was fetched once"
    source_server.forget()
    second = private_apt(sources(VENDOR), proxy=gateway.url)
    whole_run(second)
    assert source_server.asked() == []
    assert bodies(second) == bodies(apt)


def test_unchanged_update_costs_a_304_and_nothing_at_the_source(
    gateway: GatewayProcess, apt: PrivateApt, source_server: SourceServer
) -> None:
    apt.update().check()
    source_server.forget()
    again = apt.update().check()
    assert "Hit:1" in again.stdout
    assert "Get:" not in again.stdout
    assert source_server.asked() == []
    assert gateway.status()["traffic"]["by_status"]["304"] == 1


# News


def test_apt_sees_what_was_published_once_it_is_adopted(
    gateway: GatewayProcess, apt: PrivateApt, archive: SimulatedArchive, oracle: Oracle
) -> None:
    apt.update().check()
    assert apt.candidate("hello") == "1.0"
    archive.update_package("hello", "2.0", depends="libgreet1")
    archive.publish()
    apt.update().check()
    assert apt.candidate("hello") == "1.0", "nothing is served before it is looked at"
    assert refreshed(gateway)
    apt.update().check()
    assert apt.candidate("hello") == "2.0"
    apt.install("hello").check()
    judge(apt, archive, oracle)


def test_apt_applies_patches_that_came_through(
    gateway_process: GatewayFactory,
    served: ServedArchive,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    source_server: SourceServer,
    oracle: Oracle,
) -> None:
    archive.suite("stable", pdiff=True)
    for number in range(60):  # a patch must be smaller than the index for apt to want it
        archive.add_package(f"ballast-{number}")
    archive.publish()
    gateway = gateway_process(served)
    gateway.start()
    apt = private_apt(sources(VENDOR), proxy=gateway.url)
    apt.update().check()
    for version in ("2.0", "3.0"):
        archive.update_package("hello", version)
        archive.publish()
    assert refreshed(gateway)
    source_server.forget()
    apt.update().check()
    assert apt.candidate("hello") == "3.0"
    assert len(source_server.asked("*/binary-amd64/Packages.diff/2*.gz")) == 2
    judge(apt, archive, oracle)


@pytest.mark.slow
def test_clients_that_update_while_there_are_publications_never_see_a_torn_archive(
    gateway: GatewayProcess, private_apt: AptFactory, archive: SimulatedArchive, oracle: Oracle
) -> None:
    publications, failed, published = 6, list[str](), threading.Event()
    clients = [private_apt(sources(VENDOR), proxy=gateway.url) for _ in range(2)]

    def loop(apt: PrivateApt) -> None:
        runs = 0
        while not (published.is_set() and runs) and not failed:
            apt.forget_lists()
            apt.forget_packages()
            for result in (apt.update(), apt.download("hello")):
                if not result.ok:
                    failed.append(result.said)
            runs += 1

    threads = [threading.Thread(target=loop, args=(apt,)) for apt in clients]
    for thread in threads:
        thread.start()
    try:
        for number in range(publications):
            archive.update_package("hello", f"{number + 2}.0", depends="libgreet1")
            archive.publish()
            oracle.admit(archive.generation(archive.published))
            assert refreshed(gateway)
    finally:
        published.set()
        for thread in threads:
            thread.join(60)
    assert not failed, failed[0]
    for apt in clients:
        apt.update().check()
        assert apt.candidate("hello") == f"{publications + 1}.0"
        judge(apt, archive, oracle)


# Repositories of other kinds


@pytest.mark.parametrize("suite", ["./", "ubuntu2204/x86_64/"])
def test_apt_installs_from_a_flat_repository(
    tmp_path: Path, keys: Keys, private_apt: AptFactory, gateway_process: GatewayFactory, suite: str
) -> None:
    archive = SimulatedArchive(tmp_path / "flat", keys)
    archive.add_package("cuda-like", "12:1.0", suite=suite)
    archive.add_source("cuda-like", "1.0-1", suite=suite)
    archive.publish()
    with SourceServer(archive.public, prefix="/repos") as server:
        served = ServedArchive(
            "flat", (server.url,), keys.keyring, suites=(suite,), aliases=("http://vendor.example/repos",)
        )
        gateway = gateway_process(served)
        gateway.start()
        apt = private_apt(sources("http://vendor.example/repos", suite), proxy=gateway.url)
        apt.update().check()
        apt.install("cuda-like").check()
        apt.source("cuda-like", "--download-only").check()
    assert judge(apt, archive, Oracle(keys.keyring, archive.public, (suite,))) >= 4


def test_client_that_knows_release_and_its_signature_only_is_served(
    gateway_process: GatewayFactory,
    served: ServedArchive,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    oracle: Oracle,
) -> None:
    archive.suite("stable", inrelease=False)
    archive.publish()
    gateway = gateway_process(served)
    gateway.start()
    apt = private_apt(sources(VENDOR), proxy=gateway.url)
    whole_run(apt)
    judge(apt, archive, oracle)


def test_repository_without_by_hash_is_served(
    gateway_process: GatewayFactory,
    served: ServedArchive,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    oracle: Oracle,
) -> None:
    archive.suite("stable", by_hash=False, compressions=("gz",))
    archive.publish()
    gateway = gateway_process(served)
    gateway.start()
    apt = private_apt(sources(VENDOR), proxy=gateway.url)
    whole_run(apt)
    judge(apt, archive, oracle)


def test_suite_that_nobody_configured_is_adopted_when_it_is_first_asked_for(
    gateway: GatewayProcess, private_apt: AptFactory, archive: SimulatedArchive, keys: Keys
) -> None:
    archive.add_package("later", "1.0", suite="testing")
    archive.publish()
    apt = private_apt(sources(VENDOR, "testing"), proxy=gateway.url)
    result = apt.update().check()
    assert result.seconds < ADOPTION_S_MAX
    apt.install("later").check()
    judge(apt, archive, Oracle(keys.keyring, archive.public, ("stable", "testing")))
    adopted = [one for one in gateway.status()["suites"] if one["suite"] == "testing"]
    assert [(one["state"], one["configured"]) for one in adopted] == [("served", False)]


def test_suite_that_does_not_exist_ends_apt_at_once_and_leaves_the_others_alone(
    gateway: GatewayProcess, private_apt: AptFactory
) -> None:
    apt = private_apt(sources(VENDOR, "nowhere") + sources(VENDOR), proxy=gateway.url)
    result = apt.update()
    ends_with_a_sentence(result)
    assert apt.candidate("hello") == "1.0"


def ends_with_a_sentence(result: Result) -> None:
    assert not result.timed_out
    assert result.exit == 100
    assert result.seconds < AT_ONCE_S
    assert "\nErr:" in f"\n{result.stdout}"
    assert "nowhere" in result.said


# Its source gone


def test_same_bytes_come_again_when_the_source_is_gone_and_after_a_restart(
    gateway: GatewayProcess,
    apt: PrivateApt,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    oracle: Oracle,
    source_server: SourceServer,
) -> None:
    whole_run(apt)
    judge(apt, archive, oracle)
    source_server.refuse()
    for restart in (False, True):
        if restart:
            gateway.restart()
        again = private_apt(sources(VENDOR), proxy=gateway.url)
        whole_run(again)
        assert bodies(again) == bodies(apt)
    assert not refreshed(gateway)
    assert bodies(apt) == bodies(again)


def test_apt_ends_within_seconds_and_says_why_where_nothing_can_be_given(
    gateway_process: GatewayFactory, served: ServedArchive, private_apt: AptFactory, source_server: SourceServer
) -> None:
    source_server.refuse()
    gateway = gateway_process(served)
    gateway.start(until="/healthz")
    apt = private_apt(sources(VENDOR), proxy=gateway.url)
    result = apt.update()
    assert not result.timed_out
    assert result.exit == 100
    assert result.seconds < AT_ONCE_S
    assert source_server.url in result.said, "the sentence names the source"
    assert "Connection refused" in result.said
    source_server.accept()
    assert refreshed(gateway)
    apt.update().check()


@pytest.mark.slow  # apt asks again after 1, 2 and 4 s
def test_package_that_cannot_be_had_ends_apt_with_a_sentence_and_is_had_later(
    gateway_process: GatewayFactory,
    served: ServedArchive,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    oracle: Oracle,
    source_server: SourceServer,
) -> None:
    gateway = gateway_process(served, settings="[health]\nbackoff_cap_s = 1.0\n")
    gateway.start()
    apt = private_apt(sources(VENDOR), proxy=gateway.url)
    apt.update().check()
    source_server.refuse()
    result = apt.download("hello")
    assert (result.exit, result.timed_out) == (100, False)
    assert "Connection refused" in result.said
    source_server.accept()
    gateway.wait_for(
        lambda: gateway.get("/debian/pool/main/h/hello/hello_1.0_amd64.deb").status == 200
    )  # within the cap, or a probe's second
    apt.download("hello").check()
    judge(apt, archive, oracle)
