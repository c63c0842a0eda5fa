"""`tidegate readiness` tells the truth: of a state at rest, of a running gateway, and of what was taken away."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.commands import Ended, tidegate
from tests.e2e.judging import status_of
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.cli.exit_codes import ExitCode
from tidegate.holding.readiness import Readiness

SETTINGS = "[hold]\ncount_interval_s = 0.2\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> SimulatedArchive:
    made = SimulatedArchive(tmp_path_factory.mktemp("readiness") / "archive", keys)
    made.add_package("base-files", fields={"Essential": "yes"})
    made.add_package("web", "1.0", depends="libc (>= 1.0)")
    made.add_package("libc", "1.0")
    made.add_package("unused", "1.0")
    made.add_package("web", "1.1", suite="stable-security", depends="libc (>= 1.0)")
    made.suite("stable", codename="bookworm")
    made.suite("stable-security", codename="bookworm-security")
    made.publish()
    return made


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, archive: SimulatedArchive, keys: Keys
) -> Iterator[GatewayProcess]:
    """One whose clients have asked for all of `web`: its old and its new version, and what it needs."""
    with SourceServer(archive.public, prefix="/debian") as source:
        served = ServedArchive("debian", (source.url,), keys.keyring, suites=("stable", "stable-security"))
        made = GatewayProcess(tmp_path_factory.mktemp("readiness-gateway"), (served,), settings=SETTINGS)
        made.start()
        tidegate("hold", "add", "web", "--closure", "--config", made.config, "--state", made.state).good()
        for name, package in sorted(named(archive).items()):
            if name.startswith(("web", "libc")):
                assert made.get(f"/debian/{package}").status == 200
        yield made
        made.kill9()


@pytest.fixture
def running(gateway: GatewayProcess) -> GatewayProcess:
    if not gateway.running:
        gateway.start()
    return gateway


@pytest.fixture
def at_rest(gateway: GatewayProcess) -> GatewayProcess:
    if gateway.running:
        gateway.stop()
    return gateway


def named(archive: SimulatedArchive) -> dict[str, str]:
    """Packages' paths by their files' names."""
    return {path.rpartition("/")[2]: path for path in archive.paths() if path.endswith(".deb")}


def readiness(gateway: GatewayProcess, *words: object) -> Ended:
    return tidegate("readiness", "--config", gateway.config, "--state", gateway.state, *words)


def report(gateway: GatewayProcess) -> Readiness:
    """As JSON, strictly as the schema has it."""
    return msgspec.json.decode(readiness(gateway, "--json").out, type=Readiness, strict=True)


def percents(told: Readiness) -> dict[str, float | None]:
    return {one.kind.value: one.percent for one in told.stock.shares}


@contextmanager
def without(gateway: GatewayProcess, content: bytes) -> Iterator[None]:
    """As if this blob had never been held."""
    (blob,) = [path for path in (gateway.state / "cache" / "blobs").glob("*/*") if path.read_bytes() == content]
    aside = gateway.state / "aside"
    blob.rename(aside)
    try:
        yield
    finally:
        aside.rename(blob)


def published(archive: SimulatedArchive, path: str) -> bytes:
    return (Path(archive.public) / path).read_bytes()


def test_where_all_that_is_wanted_is_held_the_answer_is_yes(at_rest: GatewayProcess) -> None:
    told = readiness(at_rest).good()
    assert told.out.count("100 %") == 3
    assert "LACKING" not in told.out.partition("Disk:")[2]
    counted = report(at_rest)
    assert percents(counted) == {"security": 100.0, "updates": 100.0, "install": 100.0}
    blobs = (at_rest.state / "cache" / "blobs").glob("*/*")
    assert counted.stock.used_bytes == sum(path.stat().st_size for path in blobs)


def test_what_was_taken_away_lowers_every_number_it_belongs_to_and_is_named(
    at_rest: GatewayProcess, archive: SimulatedArchive
) -> None:
    path = named(archive)["web_1.1_amd64.deb"]
    with without(at_rest, published(archive, path)):
        told = report(at_rest)
        assert percents(told) == {"security": 0.0, "updates": 50.0, "install": 50.0}
        (lack,) = told.stock.lacks
        assert (lack.name, lack.version, lack.suite, lack.path) == ("web", "1.1", "stable-security", path)
        assert [kind.value for kind in lack.kinds] == ["security", "updates", "install"]
        assert lack.todo
        assert readiness(at_rest).code == ExitCode.NO
        assert "web" in readiness(at_rest).out.partition("PACKAGE")[2]
        assert readiness(at_rest, "--critical-below", 0).code == ExitCode.WARNING
        assert readiness(at_rest, "--critical-below", 0, "--warn-below", 0).code == ExitCode.OK


def test_what_only_a_fresh_install_needs_does_not_count_where_that_is_left_out(
    at_rest: GatewayProcess, archive: SimulatedArchive
) -> None:
    with without(at_rest, published(archive, named(archive)["libc_1.0_amd64.deb"])):
        assert percents(report(at_rest)) == {"security": 100.0, "updates": 50.0, "install": 50.0}
        assert readiness(at_rest).code == ExitCode.NO
        told = readiness(at_rest, "--of", "security", "--json").good()
        assert [one["kind"] for one in told.json["stock"]["shares"]] == ["security"]


def test_an_old_version_and_what_nobody_uses_are_not_missed(at_rest: GatewayProcess, archive: SimulatedArchive) -> None:
    with without(at_rest, published(archive, named(archive)["web_1.0_amd64.deb"])):
        assert report(at_rest).verdict == "ok"


def test_a_list_that_was_taken_away_is_critical(at_rest: GatewayProcess, archive: SimulatedArchive) -> None:
    with without(at_rest, published(archive, "dists/stable/InRelease")):
        told = readiness(at_rest)
        assert told.code == ExitCode.NO
        assert "dists/stable/InRelease is not held any more" in told.out


def test_status_metrics_and_admin_port_of_a_running_gateway_agree(running: GatewayProcess) -> None:
    running.wait_for(lambda: (status_of(running)["readiness"] or {}).get("verdict") == "ok")
    shares = {one["kind"]: one["percent"] for one in status_of(running)["readiness"]["shares"]}
    assert shares == percents(report(running)) == {"security": 100.0, "updates": 100.0, "install": 100.0}
    text = admin(running, "/metrics").decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    ratios = {one.labels["kind"]: one.value for one in families["tidegate_readiness_ratio"].samples}
    assert ratios == dict.fromkeys(shares, 1.0)
    whole: Any = msgspec.json.decode(admin(running, "/readiness.json"), type=Readiness)
    assert whole.verdict == "ok"


def admin(gateway: GatewayProcess, path: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(gateway.admin_url + path, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def test_where_no_gateway_ever_was_it_says_so(tmp_path: Path) -> None:
    told = tidegate("readiness", "--state", tmp_path / "none", "--json")
    assert told.code == ExitCode.UNAVAILABLE


def test_a_share_that_there_is_not_is_refused(tmp_path: Path) -> None:
    told = tidegate("readiness", "--state", tmp_path, "--of", "luck")
    assert told.code == ExitCode.USAGE
    assert "security, updates, install" in told.err
