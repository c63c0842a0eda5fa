"""Releases that no gateway may adopt, or pass off as fresh."""

import time
from pathlib import Path

import pytest

from tests.simulator import attacks
from tests.simulator.faults import HtmlPage
from tests.simulator.keys import Keys
from tests.threats.conftest import HELLO, INRELEASE, Siege

MEMORY_BYTES_MAX = 160 << 20
BOMB_BYTES = 256 << 20


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def test_captive_portal_is_neither_a_release_nor_a_package(siege: Siege) -> None:
    before = siege.get(INRELEASE).body
    with siege.server.faulty(HtmlPage()):
        assert not siege.look()["ok"]
        assert siege.get(INRELEASE).body == before
        assert siege.gateway.get(f"/debian/{HELLO}").status != 200
    assert siege.get(HELLO).status == 200


def test_key_that_an_update_offers_is_not_learned(siege: Siege, keys: Keys) -> None:
    offered = keys.home.public(keys.good, keys.second, keys.unknown)
    siege.archive.add_package("archive-keyring", files={"usr/share/keyrings/archive-keyring.gpg": offered})
    siege.archive.publish()
    assert siege.look()["ok"]
    assert siege.get("pool/main/a/archive-keyring/archive-keyring_1.0_amd64.deb").status == 200
    attacks.signed_by_unknown(siege.archive)
    look = siege.look()
    assert not look["ok"]
    assert "unknown-key" in look["outcome"]


@pytest.mark.slow
def test_release_that_expires_while_it_is_served_is_said_to_be_stale(siege: Siege) -> None:
    siege.archive.suite("stable", valid_for_s=10)
    siege.archive.update_package("hello", "1.1")
    siege.archive.publish(date=int(time.time()))
    assert siege.look()["ok"]
    siege.gateway.wait_for(lambda: "expired" in siege.get(INRELEASE).headers["x-tidegate"])
    assert siege.get(INRELEASE).headers["x-tidegate"].startswith("stale")
    siege.gateway.wait_for(lambda: siege.gateway.status()["suites"][0]["state"] == "expired")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["xz", "gz", "zst", "bz2"])
def test_index_that_is_a_bomb_is_not_adopted_and_costs_no_memory(siege: Siege, ending: str) -> None:
    before = siege.get(INRELEASE).body
    attacks.index_bomb(siege.archive, ending, size_bytes=BOMB_BYTES)
    look = siege.look()
    assert not look["ok"]
    assert "incomplete" in look["outcome"]
    assert f"Packages.{ending}" in look["outcome"]
    assert siege.get(INRELEASE).body == before
    assert _peak_bytes(siege.gateway.pid) < MEMORY_BYTES_MAX
