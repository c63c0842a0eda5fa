"""Carried in by hand: what one gateway held, the real apt installs from another that has no network at all."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import bodies, judge
from tests.e2e.sealed import SOURCES, VENDOR, apt_at, may_seal, run_sealed
from tests.gateway_process import ServedArchive
from tests.oracle import Oracle
from tests.realapt import PrivateApt
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys


def whole_run(apt: PrivateApt) -> None:
    apt.update().check()
    apt.install("hello", "greet-data", "plain").check()
    apt.source("hello", "--download-only").check()


def assert_plain_repository(stick: Path, private_apt: AptFactory) -> None:
    """What the manifest says is so, and apt reads the folder by itself."""
    for one in json.loads((stick / "tidegate-export.json").read_bytes())["files"]:
        data = (stick / one["path"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (one["sha256"], one["size"])
    direct = private_apt(SOURCES.replace(VENDOR, (stick / "debian").as_uri()))
    direct.update().check()
    direct.download("hello").check()


def test_apt_installs_without_any_network_from_what_was_exported_while_a_gateway_served(
    gateway_process: GatewayFactory,
    served: ServedArchive,
    private_apt: AptFactory,
    archive: SimulatedArchive,
    keys: Keys,
    oracle: Oracle,
    tmp_path: Path,
) -> None:
    if not may_seal():
        pytest.skip("this machine makes no network namespaces, or has no ip(8)")
    gateway = gateway_process(served)
    gateway.start()
    whole_run(apt := private_apt(SOURCES, proxy=gateway.url))
    stick = tmp_path / "stick"
    to = ("--to", str(stick), "--config", str(gateway.config), "--state", str(gateway.state))
    done = gateway.command("export", "--json", *to)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["lacking"], report["damaged"], report["suites"][0]["packages"]) == ([], [], 7)
    gateway.stop()
    assert_plain_repository(stick, private_apt)

    damaged = stick / "debian" / next(one.path for one in archive.suites["stable"].packages if one.name == "plain")
    body = damaged.read_bytes()
    damaged.write_bytes(body[:-1] + bytes([body[-1] ^ 0xFF]))
    seen = run_sealed(stick / "debian", keys.keyring, tmp_path / "sealed")

    assert (seen.links, json.loads(seen.routes)) == (("lo",), [])
    assert (seen.state, seen.trouble) == ("served", None)
    assert seen.updated, seen.said
    assert seen.installed, seen.said
    assert not seen.damaged_installed
    second = apt_at(tmp_path / "sealed", keys.keyring, None)
    assert judge(second, archive, oracle) >= 8
    firsts = bodies(apt)
    assert bodies(second) == {name: data for name, data in firsts.items() if not name.startswith("plain_")}
