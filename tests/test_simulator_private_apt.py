"""The private apt is shielded from the machine it runs on, bounded in time, and leaves nothing behind."""

import contextlib
import os
import re
from pathlib import Path

import pytest

from tests.conftest import AptFactory
from tests.realapt import PrivateApt
from tests.simulator import faults
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer


def entry(server: SourceServer) -> str:
    return f"deb [signed-by=@KEYRING@] {server.url} stable main\n"


def processes_in(folder: str) -> list[str]:
    """What runs with a configuration in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"APT_CONFIG={folder}/".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_nothing_of_the_machine_s_configuration_is_read(private_apt: AptFactory, tmp_path: Path) -> None:
    apt = private_apt("")
    dump = apt.run("apt-config", "dump").check().stdout
    settings = dict(re.findall(r'^(\S+) "(.*)";$', dump, re.MULTILINE))
    assert settings["Acquire::Check-Valid-Until"] == "true"
    assert "Acquire::GzipIndexes" not in settings
    assert not [name for name in settings if name.startswith(("DPkg::Post-Invoke", "APT::Update::Post-Invoke"))]
    here = apt.inside
    places = {k: v for k, v in settings.items() if k.startswith(("Dir::Etc", "Dir::State", "Dir::Cache"))}
    assert all(not value.startswith("/") or value.startswith(here) for value in places.values()), places


def test_a_proxy_in_the_environment_is_not_used(
    source_server: SourceServer, private_apt: AptFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    private_apt(entry(source_server)).update().check()


def test_the_proxy_that_is_given_is_used_in_absolute_form(source_server: SourceServer, private_apt: AptFactory) -> None:
    proxy = source_server.url.removesuffix("/debian")
    text = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"
    private_apt(text, proxy=proxy).update().check()
    assert source_server.requests[0].target == "http://archive.example/debian/dists/stable/InRelease"


def test_a_client_that_hangs_is_ended_with_everything_it_started(
    source_server: SourceServer, private_apt: AptFactory
) -> None:
    source_server.fault(faults.Silence())
    apt = private_apt(entry(source_server), timeout_s=1.5)
    result = apt.update()
    assert result.timed_out
    assert not result.ok
    assert result.seconds < 10
    assert processes_in(apt.inside) == []


def test_an_unreachable_server_is_an_error(source_server: SourceServer, private_apt: AptFactory) -> None:
    source_server.refuse()
    result = private_apt(entry(source_server), options={"Acquire::Retries": "0"}).update()
    assert result.exit == 100
    assert "Connection refused" in result.said


def test_lists_and_packages_can_be_looked_at_and_forgotten(
    source_server: SourceServer, private_apt: AptFactory
) -> None:
    apt = private_apt(entry(source_server))
    assert apt.candidate("hello") is None
    apt.update().check()
    assert [name.rpartition("_")[2] for name in apt.lists()] == ["InRelease", "Packages"]
    apt.download("hello").check()
    assert len(apt.debs()) == 2
    apt.forget_packages()
    apt.forget_lists()
    assert (apt.lists(), apt.debs()) == ({}, ())


def test_an_apt_in_a_tree_of_its_own_has_its_root_inside_that_tree(
    source_server: SourceServer, tmp_path: Path, keys: Keys
) -> None:
    apt = PrivateApt(tmp_path, entry(source_server), keyring=keys.keyring, chroot=Path("/"))
    try:
        assert apt.root.parent == Path("/var/tmp")
        apt.update().check()
        apt.install("hello").check()
        assert (apt.unpacked / "usr/share/doc/hello/README").exists()
        assert apt.version() >= (1, 0)
    finally:
        apt.close()
    assert not apt.root.exists()


def test_a_plain_user_can_run_it(source_server: SourceServer, private_apt: AptFactory) -> None:
    apt = private_apt(entry(source_server))
    if os.geteuid() == 0:  # then become nobody first; a plain user's run is the test already
        for path in (apt.root, *apt.root.rglob("*")):
            os.chown(path, 65_534, 65_534)
        for parent in apt.root.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(0o711)  # pytest's own folders; the system's are open already
        apt.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "apt-get", "update").check()
        return
    apt.update().check()
