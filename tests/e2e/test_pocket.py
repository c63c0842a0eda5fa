"""A whole pocket is held: what nothing new costs its sources, and what it costs this machine.

Every run does it with a small pocket; `POCKET_PACKAGES=3500` is one of the size of noble-security main.
"""

import os
import sys
import time
from pathlib import Path

import pytest
from bench.process import memory

from tests.cli.commands import tidegate
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.cli.exit_codes import ExitCode

PACKAGES = int(os.environ.get("POCKET_PACKAGES", "60"))
FILLING_BYTES = 20_000
RSS_BYTES_MAX = 200_000_000
SUITE = "noble-security"
# As fast as it goes: how gently a pocket is fetched is another matter.
SETTINGS = "[hold]\nrequests_per_minute = 1000000\nconnections = 16\n[health]\nprobe_interval_s = 86400.0\n"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def test_refreshing_a_whole_pocket_with_nothing_new_is_one_conditional_request_to_each_source(
    tmp_path: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = SimulatedArchive(tmp_path / "archive", keys)
    archive.suite(SUITE, codename=SUITE)
    for number in range(PACKAGES):
        archive.add_package(f"package-{number}", suite=SUITE, filling_bytes=FILLING_BYTES)
    archive.publish()
    with (
        SourceServer(archive.public, prefix="/debian") as one,
        SourceServer(archive.public, prefix="/debian") as other,
    ):
        sources = (one.url, other.url)
        gateway = GatewayProcess(
            tmp_path / "gateway", [ServedArchive("ubuntu", sources, keys.keyring, (SUITE,))], settings=SETTINGS
        )
        gateway.start()
        try:
            where = ("--config", gateway.config, "--state", gateway.state, "--json")
            begun = time.monotonic()
            assert (
                tidegate("hold", "add", "--all-of", SUITE, *where).good().json["rule"]["amount"]["packages"] == PACKAGES
            )

            peak = 0

            def is_held() -> bool:
                nonlocal peak
                peak = max(peak, memory(gateway.pid).rss)
                return bool(tidegate("hold", "list", *where).json["total"]["held"] == PACKAGES)

            gateway.wait_for(is_held, 900.0)
            held_s = time.monotonic() - begun
            for server in (one, other):
                server.forget()
            assert tidegate("refresh", "--wait", *where).good().json["looks"][0]["outcome"] == "confirmed"
            gateway.wait_for(lambda: bool(one.asked() and other.asked()))
            for server in (one, other):
                (request,) = server.asked()
                assert request.path.endswith(f"dists/{SUITE}/InRelease")
                assert "if-modified-since" in request.headers or "if-none-match" in request.headers
            swept = tidegate("gc", "--dry-run", *where).good().json
            assert swept["removed"] == []
            assert {one["kind"]: one["blobs"] for one in swept["kept_by"]}["wanted"] == PACKAGES
            used = memory(gateway.pid).rss
            peak = max(peak, used)
            with capsys.disabled():
                told = f"{PACKAGES} packages held in {held_s:.1f} s; RSS {used / 1e6:.0f} MB, {peak / 1e6:.0f} at most"
                sys.stdout.write(f"\n{told}; a refresh with nothing new: 1 conditional request to each source\n")
            assert peak < RSS_BYTES_MAX
        finally:
            gateway.kill9()
    assert tidegate("gc", *where).code == ExitCode.OK
