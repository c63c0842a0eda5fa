"""`tidegate doctor`: what stands in the way, and what to do about it."""

import os
import resource
import shutil
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands import tidegate
from tests.conftest import GatewayFactory
from tests.gateway_process import ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.cli.doctor.clock import check_clock, kernel_says_synchronised
from tidegate.cli.doctor.keys import SOON_S, check_keys, judge_keys
from tidegate.cli.doctor.ports import check_port
from tidegate.cli.doctor.program import check_descriptors, check_packages, check_verifier
from tidegate.cli.doctor.reporting import check_reporting, check_tokens
from tidegate.cli.doctor.storage import check_directory, check_space, newest_mark
from tidegate.cli.exit_codes import ExitCode
from tidegate.gateway.settings import GatewaySettings
from tidegate.sources.settings import ArchiveSettings
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks
from tidegate.store.tokens import Scope, TokenFile
from tidegate.trust.acceptance import Mark
from tidegate.trust.keyring import Keyring, load_keyring
from tidegate.trust.settings import TrustSettings
from tidegate.web.serving import control_socket

NOW = 1_800_000_000
DAY_S = 86_400
NOBODY = 65_534

# The whole


def settings_for(server: SourceServer, keys: Keys, tmp_path: Path, *, keyring: Path | None = None) -> Path:
    path = tmp_path / "tidegate.toml"
    path.write_text(
        f"""[gateway]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[store]
state = "{tmp_path / "state"}"
free_bytes_min = 0
[[archive]]
name = "sim"
keyring = "{keyring or keys.keyring}"
suites = ["stable"]
[[archive.source]]
url = "{server.url}"
"""
    )
    return path


def test_a_healthy_host_has_nothing_bad_and_exits_with_0(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    ended = tidegate("doctor", "--json", "--config", settings_for(source_server, keys, tmp_path)).good()
    states = {check["name"]: check["state"] for check in ended.json["checks"]}
    assert "bad" not in states.values()
    assert {"settings", "clock", "state", "disk", "keys of sim", "gateway.listen", "source of sim"} <= set(states)
    assert all(check["todo"] for check in ended.json["checks"] if check["state"] != "ok")


def test_it_changes_nothing(source_server: SourceServer, keys: Keys, tmp_path: Path) -> None:
    tidegate("doctor", "--config", settings_for(source_server, keys, tmp_path)).good()
    assert not (tmp_path / "state").exists()


def test_a_source_that_does_not_answer_is_bad_and_decides_the_exit_code(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    config = settings_for(source_server, keys, tmp_path)
    source_server.close()
    ended = tidegate("doctor", "--config", config)
    assert ended.code == ExitCode.NO
    (line,) = [line for line in ended.out.splitlines() if "source of sim" in line]
    assert line.startswith("BAD ")
    assert source_server.url in line


def test_a_dead_source_beside_a_good_one_is_a_warning_as_is_the_last_one_left(
    source_server: SourceServer, archive: SimulatedArchive, keys: Keys, tmp_path: Path
) -> None:
    config = settings_for(source_server, keys, tmp_path)
    with SourceServer(archive.public, prefix="/debian") as dead:
        dead.refuse()
        config.write_text(f'{config.read_text()}operator = "one"\n[[archive.source]]\nurl = "{dead.url}"\n')
        checks = tidegate("doctor", "--config", config, "--json").good().json["checks"]
    assert [check["state"] for check in checks if check["name"] == "source of sim"] == ["ok", "warn"]
    (hanging,) = [check for check in checks if check["name"] == "sources of sim"]
    assert (hanging["state"], source_server.url in hanging["saw"]) == ("warn", True)


def test_sources_of_a_single_operator_are_a_warning(source_server: SourceServer, keys: Keys, tmp_path: Path) -> None:
    checks = tidegate("doctor", "--config", settings_for(source_server, keys, tmp_path), "--json").good().json["checks"]
    (hanging,) = [check for check in checks if check["name"] == "sources of sim"]
    assert (hanging["state"], hanging["saw"].startswith("all sources are ")) == ("warn", True)


def test_a_suite_that_the_source_does_not_have_is_a_warning(
    source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    config = settings_for(source_server, keys, tmp_path)
    config.write_text(config.read_text().replace('"stable"', '"sable"'))
    checks = tidegate("doctor", "--config", config, "--json").good().json["checks"]
    (check,) = [check for check in checks if check["name"] == "source of sim"]
    assert check["state"] == "warn"
    assert "dists/sable/InRelease" in check["saw"]


def test_a_keyring_that_is_missing_is_bad(source_server: SourceServer, keys: Keys, tmp_path: Path) -> None:
    ended = tidegate("doctor", "--config", settings_for(source_server, keys, tmp_path, keyring=Path("/none.gpg")))
    assert ended.code == ExitCode.NO
    assert "/none.gpg cannot be read" in ended.out


def test_settings_that_cannot_be_used_are_told_beside_what_can_be_checked_without(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("[gateway]\nworkers = 0\nlistne = 1\n")
    ended = tidegate("doctor", "--config", path, "--json")
    checks = ended.json["checks"]
    assert ended.code == ExitCode.NO
    assert [check["state"] for check in checks if check["name"] == "settings"] == ["bad", "bad"]
    assert [check["state"] for check in checks if check["name"] == "packages"] == ["ok"]


def test_a_host_without_any_archive_is_told_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text(f"archive = []\n[store]\nstate = '{tmp_path}/state'\nfree_bytes_min = 0\n")
    ended = tidegate("doctor", "--config", path, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    assert ended.code == ExitCode.NO
    assert "no archive" in ended.out


def test_a_running_gateway_has_its_own_ports(
    gateway_process: GatewayFactory, served: ServedArchive, archive: SimulatedArchive
) -> None:
    gateway = gateway_process(served)
    gateway.start()
    common = ("--config", gateway.config, "--state", gateway.state, "--json")
    ports = ("--listen", f"127.0.0.1:{gateway.port}", "--admin", f"127.0.0.1:{gateway.admin_port}")
    checks = {check["name"]: check for check in tidegate("doctor", *common, *ports).json["checks"]}
    for name in ("gateway.listen", "admin.listen"):
        assert checks[name]["state"] == "ok"
        assert "serves from this state" in checks[name]["saw"]


# Clock


def test_a_clock_before_the_newest_accepted_release_is_bad() -> None:
    check = check_clock(NOW, NOW + 2 * DAY_S, [NOW], is_synchronised=True)
    assert check.state == "bad"
    assert "2 days before" in check.saw


@pytest.mark.parametrize(
    ("off_s", "state"), [(0, "ok"), (29, "ok"), (30, "warn"), (-45, "warn"), (600, "bad"), (-DAY_S, "bad")]
)
def test_the_clock_is_judged_by_what_sources_say(off_s: int, state: str) -> None:
    assert check_clock(NOW, NOW - DAY_S, [NOW + off_s] * 3, is_synchronised=False).state == state


def test_one_source_with_a_wrong_clock_does_not_make_ours_wrong() -> None:
    assert check_clock(NOW, None, [NOW, NOW + 1, NOW + 90 * DAY_S], is_synchronised=False).state == "ok"


def test_without_sources_the_kernels_word_is_taken() -> None:
    assert check_clock(NOW, None, [], is_synchronised=True).state == "ok"
    assert check_clock(NOW, None, [], is_synchronised=False).state == "warn"


def test_the_kernel_can_be_asked() -> None:
    assert kernel_says_synchronised() in {True, False, None}


# State, cache, disk


def test_a_directory_to_be_made_is_good(tmp_path: Path) -> None:
    (check,) = check_directory("state", tmp_path / "a/b")
    assert (check.state, "will be made" in check.saw) == ("ok", True)


def test_a_directory_that_others_may_write_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (check,) = check_directory("state", tmp_path)
    assert (check.state, check.todo) == ("warn", f"chmod go-w {tmp_path}")


def test_a_file_in_the_directorys_place_is_bad(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert check_directory("state", tmp_path / "state")[0].state == "bad"


def test_a_directory_that_this_user_cannot_write_is_bad(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    me = os.geteuid()
    os.seteuid(NOBODY if me == 0 else me)  # root may write anywhere
    try:
        (check,) = check_directory("state", tmp_path / "state")
    finally:
        os.seteuid(me)
    assert (check.state, "cannot be written by this user" in check.saw) == ("bad", True)


def test_a_disk_below_the_limit_is_bad_and_near_it_a_warning(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert check_space(tmp_path / "cache", 2 * free).state == "bad"
    assert check_space(tmp_path / "cache", free // 2).state == "warn"
    assert check_space(tmp_path / "cache", 0).state == "ok"


def test_the_newest_mark_is_that_of_all_suites(tmp_path: Path) -> None:
    assert newest_mark(tmp_path) is None
    marks = SqliteMarks(Layout(tmp_path, tmp_path).marks)
    for suite, date in (("a", NOW), ("b", NOW - 1)):
        marks.rise("x", suite, Mark(date, bytes(32), None, None, None, None, (), date))
    marks.close()
    assert newest_mark(tmp_path) == NOW


# Keys


def test_an_expired_key_beside_good_ones_is_fine(keys: Keys) -> None:
    check = check_keys(ArchiveSettings(name="sim", keyring=str(keys.keyring)), int(time.time()))
    assert (check.state, check.saw) == ("ok", "2 good of 3 certificates")


def ring_of(data: bytes) -> Keyring:
    ring = load_keyring(data, "test")
    assert isinstance(ring, Keyring)
    return ring


def test_a_keyring_of_expired_keys_alone_is_bad(keys: Keys) -> None:
    check = judge_keys("sim", ring_of(keys.home.public(keys.expired)), int(time.time()))
    assert (check.state, "expired" in check.saw) == ("bad", True)


def test_the_last_key_to_expire_soon_is_a_warning(keys: Keys) -> None:
    ring = ring_of(keys.home.public(keys.expired))
    assert judge_keys("sim", ring, keys.expired_at - SOON_S + 60).state == "warn"
    assert judge_keys("sim", ring, keys.expired_at - SOON_S - 60).state == "ok"


def test_an_archive_for_which_no_key_is_known_is_bad() -> None:
    check = check_keys(ArchiveSettings(name="nobodys"), NOW)
    assert (check.state, "none is known" in check.saw) == ("bad", True)


def test_a_wellknown_archive_has_the_keys_that_ship() -> None:
    assert check_keys(ArchiveSettings(name="debian"), int(time.time())).state == "ok"


# Ports


def test_a_free_port_is_good() -> None:
    assert check_port("gateway.listen", "127.0.0.1:0").state == "ok"
    assert check_port("gateway.listen", ":0").state == "ok"


def test_a_port_taken_by_another_program_is_bad() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        check = check_port("gateway.listen", f"127.0.0.1:{port}")
    assert (check.state, "is taken, not by" in check.saw) == ("bad", True)


def test_an_address_that_is_not_this_hosts_is_bad() -> None:
    assert check_port("gateway.listen", "192.0.2.1:3142").state == "bad"


# The program


def test_this_environment_has_what_it_needs() -> None:
    assert {check.name: check.state for check in check_packages()} == {"python": "ok", "packages": "ok"}


def test_too_few_descriptors_for_the_settings_are_a_warning_with_the_number_wanted() -> None:
    settings = GatewaySettings(connections_max=1000, open_files_max=1000)
    check = check_descriptors(settings, limit=2000)
    assert (check.state, "LimitNOFILE=2512" in check.todo) == ("warn", True)
    assert check_descriptors(settings, limit=2512).state == "ok"
    assert check_descriptors(settings, limit=resource.RLIM_INFINITY).state == "ok"


def test_gpgv_wanted_and_absent_is_bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert check_verifier(TrustSettings(verifier="both")).state == "ok"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_verifier(TrustSettings(verifier="both")).state == "bad"
    assert check_verifier(TrustSettings(verifier="sequoia")).state == "ok"


# Reports of hosts


def checked(file: TokenFile, now: int = NOW) -> tuple[str, str]:
    check = check_tokens(file, now)
    return check.state, check.saw


def test_whether_hosts_can_report_is_told_by_their_tokens(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    assert checked(file) == ("warn", "there is none: no host can report")
    file.add("web", Scope.REPORT, NOW, expires_at=NOW + 86_400)
    assert checked(file) == ("warn", "the last one expires in 1 day")
    assert checked(file, NOW + 86_400) == ("warn", "all have expired: no host can report")
    file.add("db", Scope.REPORT, NOW)
    assert checked(file) == ("ok", "2 let hosts report")
    (tmp_path / "tokens.json").write_text("{}")
    assert checked(file)[0] == "bad"


def test_the_port_for_reports_is_checked_only_where_there_is_one(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path / "cache")
    assert list(check_reporting("", layout, NOW)) == []
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        port, _ = check_reporting(listen, layout, NOW)
        assert port.state == "bad"
        with closing(control_socket(layout.desk)) as desk:
            desk.listen()
            port, _ = check_reporting(listen, layout, NOW)
            assert port.state == "ok"
