"""`tidegate gc` before a real gateway: what would go, what goes and why; while it runs and when it does not."""

from pathlib import Path

from tests.cli.commands import Ended, tidegate
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.cli.exit_codes import ExitCode

KEPT_BYTES = 1_000_000
SETTINGS = f"[store]\nquota_bytes = {KEPT_BYTES}\nfree_bytes_min = 0\n"


def gc(gateway: GatewayProcess, *words: object) -> Ended:
    return tidegate("gc", "--config", gateway.config, "--state", gateway.state, *words)


def test_a_store_beyond_its_quota_is_brought_below_it_by_what_was_not_used_for_longest(
    tmp_path: Path, keys: Keys
) -> None:
    archive = SimulatedArchive(tmp_path / "archive", keys)
    paths = [archive.add_package(name, filling_bytes=400_000).path for name in ("alpha", "beta", "gamma")]
    archive.publish()
    with SourceServer(archive.public, prefix="/debian") as source:
        gateway = GatewayProcess(
            tmp_path / "gateway", [ServedArchive("debian", (source.url,), keys.keyring)], settings=SETTINGS
        )
        gateway.start()
        try:
            for path in paths:
                assert gateway.get(f"/debian/{path}").status == 200
            wanted = tidegate("hold", "add", "alpha", "--config", gateway.config, "--state", gateway.state, "--json")
            assert wanted.good().json["rule"]["amount"]["held"] == 1
            for name in ("beta", "gamma"):  # what clients asked for is wanted, too, until that is forgotten
                gc(gateway, "--dry-run")  # has it noted that clients asked
                tidegate("hold", "remove", name, "--config", gateway.config, "--state", gateway.state).good()
            dry = gc(gateway, "--dry-run", "--json").good().json
            (would,) = dry["removed"]
            assert dry["dry_run"] is True
            assert would["path"] in (f"debian {paths[1]}", f"debian {paths[2]}")
            assert would["kind"] == "unwanted"
            assert "that it may have" in would["reason"]
            assert gc(gateway, "--dry-run", "--json").json["held_bytes"] == dry["held_bytes"]
            said = gc(gateway).good()
            assert "Removed 1 file, 4" in said.out
            assert would["path"] in said.out
            after = gc(gateway, "--json").good().json
            assert after["removed"] == []
            assert after["tight"] == ""
            assert after["held_bytes"] == dry["held_bytes"] - would["bytes"] <= KEPT_BYTES
            assert {one["kind"] for one in after["kept_by"]} == {"snapshot", "wanted", "unwanted"}
            for path in paths:  # all of them can be had all the same
                assert gateway.get(f"/debian/{path}").body == archive.read(path)
            assert gateway.stop() == 0
        finally:
            gateway.kill9()
        at_rest = gc(gateway, "--dry-run", "--json").json
        assert at_rest["held_bytes"] == dry["held_bytes"]
        gateway.configure(
            [ServedArchive("debian", (source.url,), keys.keyring)], SETTINGS.replace(str(KEPT_BYTES), "1")
        )
        ended = gc(gateway, "--json")
        assert ended.code == ExitCode.NO
        assert ended.json["lacking_bytes"] > 400_000


def test_where_no_gateway_ever_served_there_is_nothing_to_keep(tmp_path: Path) -> None:
    ended = tidegate("gc", "--state", tmp_path / "nowhere", "--json")
    assert ended.code == ExitCode.UNAVAILABLE
    assert not (tmp_path / "nowhere").exists()
