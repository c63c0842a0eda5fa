"""`tidegate fleet`: hosts from files and reports, tags, tokens; without anything running."""

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zstandard

from tests.cli.commands import Ended, tidegate
from tests.fleet.test_inventory import DATA, REPORT, TRIVY
from tests.web.desk import NOON, Desk
from tidegate.cli.exit_codes import ExitCode
from tidegate.fleet import report
from tidegate.fleet.sqlite_hosts import SqliteHosts
from tidegate.store.sqlite_journal import SqliteJournal

ID = "34e37c21e9a2c7bc7004eea83072665d"
NOBODY = 65_534


class House:
    """A state of its own, in which no gateway ever ran."""

    def __init__(self, root: Path) -> None:
        self.state = root / "state"
        self.config = root / "tidegate.toml"
        self.config.write_text("archive = []\n")

    def __call__(self, *words: object) -> Ended:
        return tidegate("fleet", *words, "--config", self.config, "--state", self.state)

    def token(self, command: str, *words: object) -> Ended:
        return self("token", command, *words)

    def events(self) -> list[tuple[str, str]]:
        journal = SqliteJournal(self.state / "journal.db")
        try:
            return [(one.kind, one.subject) for one in journal.read()]
        finally:
            journal.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def host(house: House, tmp_path: Path) -> str:
    """A host that reported; its name."""
    path = tmp_path / "report"
    path.write_text(REPORT)
    house("add", path).good()
    return "web-1.example"


def listed(house: House, *words: object) -> Any:
    return house("list", "--json", *words).json["hosts"]


def test_where_nothing_ever_reported_the_commands_say_what_to_do(house: House) -> None:
    for words in (["list"], ["show", "x"], ["tag", "x", "--add", "y"], ["remove", "x"]):
        ended = house(*words)
        assert (ended.code, "docs/fleet.md" in ended.err) == (ExitCode.UNAVAILABLE, True)
    assert not house.state.exists()


def test_this_hosts_own_report_comes_in_over_standard_input(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    line = tidegate("fleet", "report-command").good().out
    assert line == report.command() + "\n"
    told = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=60).stdout
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(told)))
    assert "Taken in" in house("add").good().out
    (one,) = listed(house)
    assert (one["form"], one["kernel"], one["name"]) == ("report", os.uname().release, os.uname().nodename)
    assert one["packages"] > 100
    assert one["unknown_since"] is None


def test_a_host_is_listed_and_shown_by_name_and_id(house: House, host: str) -> None:
    out = house("list").good().out
    assert "web-1.example" in out
    assert "ubuntu noble" in out
    for word in (host, ID):
        shown = house("show", word, "--packages").good().out
        assert "esm-apps, esm-infra" in shown
        assert "algif_aead: loaded no, built in no, loadable yes, blocked ?" in shown
        assert "installed, on hold" in shown
    answer = house("show", host, "--json").good().json
    assert [one["binary"] for one in answer["packages"]] == ["kmod", "libkmod2", "linux-image-6.8.0-110-generic"]
    assert answer["modules"][0]["blocked"] is None
    assert house("show", "nobody").code == ExitCode.NO


def test_a_host_that_stopped_reporting_is_unknown_since_then(house: House, host: str) -> None:
    hosts = SqliteHosts(house.state / "fleet.db")
    with hosts._writing() as (write, _):
        write.execute("UPDATE span SET seen_at = seen_at - 864000, since = since - 864000")
    hosts.close()
    ended = house("list", "--silent")
    assert ended.code == ExitCode.WARNING
    assert "unknown since 2" in ended.out
    shown = house("show", host)
    assert (shown.code, "it stopped reporting" in shown.out) == (ExitCode.WARNING, True)
    (one,) = listed(house)
    assert one["unknown_since"] == one["seen_at"]


def test_every_form_and_compression_comes_from_a_file(house: House, tmp_path: Path) -> None:
    status = tmp_path / "status.gz"
    status.write_bytes(gzip.compress((DATA / "postgresql.status").read_bytes()))
    document = tmp_path / "bom.json"
    document.write_text(json.dumps(TRIVY))
    house("add", status, "--host", "db-1", "--release", "ubuntu:jammy", "--kernel", "5.15.0-1-generic").good()
    house("add", document, "--host", "image-1", "--tag", "image").good()
    assert [(one["id"], one["form"], one["tags"]) for one in listed(house)] == [
        ("db-1", "dpkg-status", []),
        ("image-1", "cyclonedx", ["image"]),
    ]
    assert [one["id"] for one in listed(house, "--tag", "image")] == ["image-1"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["/dev/null"], ExitCode.NO, "begins with"),
        (["--form", "rpm", "/dev/null"], ExitCode.USAGE, "report, dpkg-status"),
        (["--release", "noble", "/dev/null"], ExitCode.USAGE, "ubuntu:noble"),
        (["--tag", "a b", "/dev/null"], ExitCode.USAGE, "no tag"),
        (["/nowhere/at/all"], ExitCode.IO_ERROR, "No such file"),
    ],
)
def test_what_cannot_be_taken_in_is_refused_with_a_sentence(
    words: list[str], code: ExitCode, said: str, house: House, host: str
) -> None:
    ended = house("add", *words)
    assert (ended.code, said in ended.err) == (code, True), ended.err
    assert len(listed(house)) == 1


def test_a_package_that_cannot_be_read_is_told_and_warned_of(house: House, tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text(REPORT.replace("package\tkmod\t31+20240202-2ubuntu7.1", "package\tkmod\tnewest!"))
    ended = house("add", path)
    assert ended.code == ExitCode.WARNING
    assert "package 'kmod'" in ended.err


def test_tags_are_given_and_taken_and_all_hosts_or_none_are_changed(house: House, host: str) -> None:
    house("tag", host, "--add", "web", "--add", "edge").good()
    assert house("tag", ID, "--remove", "edge").good().out == "web-1.example: web\n"
    assert house("tag", host, "nobody", "--add", "lost").code == ExitCode.NO
    assert house("tag", host).code == ExitCode.USAGE
    assert listed(house)[0]["tags"] == ["web"]


def test_a_removed_host_is_forgotten_and_told_in_the_journal(house: House, host: str) -> None:
    assert house("remove", host, "nobody").code == ExitCode.NO
    assert len(listed(house)) == 1
    house("remove", host).good()
    assert listed(house) == []
    assert house.events() == [("host-removed", ID)]


def test_two_hosts_of_one_name_have_to_be_told_apart(house: House, host: str, tmp_path: Path) -> None:
    path = tmp_path / "report"
    house("add", path, "--host", "second").good()
    ended = house("show", host)
    assert (ended.code, "second" in ended.err) == (ExitCode.NO, True)
    house("show", "second").good()


def test_control_bytes_never_reach_a_terminal(house: House, tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_text(REPORT.replace("web-1.example", "web\x1b[31m"))
    ended = house("add", path)
    assert ended.code == ExitCode.NO
    assert "\x1b" not in ended.err


def test_while_the_desk_runs_it_is_asked(house: House, tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_bytes(zstandard.ZstdCompressor().compress(REPORT.encode()))
    house.state.mkdir()
    with Desk(house.state) as desk:
        house("add", path, "--tag", "web").good()
        house("add", DATA / "postgresql.status", "--host", "db 1", "--release", "ubuntu:jammy")
        ended = house("add", DATA / "postgresql.status", "--host", "db-1", "--release", "ubuntu:jammy").good()
        assert "Taken in" in ended.out
        assert [one["seen_at"] for one in listed(house)] == [NOON] * 2
        assert [one["id"] for one in listed(house, "--tag", "web")] == [ID]
        assert "esm-apps" in house("show", "web-1.example", "--at", "2026-05-01T12:00").good().out
        assert "at that time" in house("show", ID, "--at", "2026-04-30").err
        assert house("tag", "db-1", "--add", "db").good().out == "db-1: db\n"
        for words, said in ((["show", "x"], "no host 'x'"), (["add", "/dev/null"], "begins with")):
            ended = house(*words)
            assert (ended.code, said in ended.err) == (ExitCode.NO, True), ended.err
        desk.now += 10 * 86_400
        assert house("list").code == ExitCode.WARNING
        house("remove", ID, "db-1").good()
        assert [subject for _, subject, _ in desk.events] == [ID, "db-1"]


def test_a_list_that_breaks_off_is_an_error_and_not_a_shorter_list(
    house: House, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lines in ([b'{"id":"a"'], []):
        monkeypatch.setattr("tidegate.wiring.ask_fleet.ask_lines", lambda *_, told=lines, **__: iter(told))
        ended = house("list")
        assert (ended.code, ended.out) == (ExitCode.UNAVAILABLE, "")


# Tokens


def test_a_token_is_told_once_and_listed_without_its_secret(house: House) -> None:
    ended = house.token("add", "web", "--tag", "web", "--expires", "2099-01-01").good()
    secret = ended.out.strip()
    assert "not told again" in ended.err
    assert secret not in (house.state / "tokens.json").read_text()
    (one,) = house.token("list", "--json").good().json["tokens"]
    assert (one["name"], one["scope"], one["tags"], one["expired"]) == ("web", "report", ["web"], False)
    assert secret not in house.token("list").good().out
    assert house.token("add", "web").code == ExitCode.USAGE
    house.token("remove", "web").good()
    assert house.token("remove", "web").code == ExitCode.NO
    assert "nobody can report" in house.token("list").good().out
    assert house.events() == [("token-added", "web"), ("token-removed", "web")]


def test_a_spoiled_file_of_tokens_is_told_and_left_alone(house: House) -> None:
    house.token("add", "web").good()
    (house.state / "tokens.json").write_text("{}")
    ended = house.token("add", "other")
    assert (ended.code, "Put it right" in ended.err) == (ExitCode.CONFIG, True)
    assert (house.state / "tokens.json").read_text() == "{}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work for another")
def test_what_root_makes_belongs_to_the_gateways_user(house: House, tmp_path: Path) -> None:
    house.state.mkdir()
    os.chown(house.state, NOBODY, NOBODY)
    path = tmp_path / "report"
    path.write_text(REPORT)
    house("add", path).good()
    house.token("add", "web").good()
    assert {name: (house.state / name).stat().st_uid for name in ("fleet.db", "tokens.json", "journal.db")} == {
        "fleet.db": NOBODY,
        "tokens.json": NOBODY,
        "journal.db": NOBODY,
    }
