"""`tidegate verify`: what is in a Release, judged as the gateway would."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import tidegate
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tidegate.archive.release import parse_release
from tidegate.cli.exit_codes import ExitCode
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks
from tidegate.trust.acceptance import Mark
from tidegate.trust.frame import Frame, split_clearsigned

Settings = Callable[..., Path]


@pytest.fixture
def settings(tmp_path: Path, keys: Keys) -> Settings:
    def write(**more: str) -> Path:
        path = tmp_path / "tidegate.toml"
        extra = "".join(f"{name} = {value}\n" for name, value in more.items())
        path.write_text(
            f"""[store]
state = "{tmp_path / "state"}"
[[archive]]
name = "sim"
keyring = "{keys.keyring}"
suites = ["stable"]
aliases = ["http://sim.example/debian"]
{extra}"""
        )
        return path

    return write


def release_file(archive: SimulatedArchive, name: str) -> Path:
    return archive.public / "dists/stable" / name


def test_a_good_inrelease_is_accepted_by_the_archive_whose_keys_signed_it(
    archive: SimulatedArchive, settings: Settings, keys: Keys
) -> None:
    ended = tidegate("verify", release_file(archive, "InRelease"), "--config", settings()).good()
    assert ": accepted\n" in ended.out
    assert "the keys of sim; without an earlier Release of ours" in ended.out
    assert f"signature    good: {keys.good.fingerprint}" in ended.out


def test_a_release_and_its_signature_are_one_whichever_is_named(archive: SimulatedArchive, settings: Settings) -> None:
    files = release_file(archive, "Release"), release_file(archive, "Release.gpg")
    for named in (files[:1], files[1:], files):
        (one,) = tidegate("verify", *named, "--config", settings(), "--json").good().json["files"]
        assert (one["file"], one["signature"]) == (str(files[0]), str(files[1]))
        assert one["explanation"]["frame"] == "detached"


def test_a_release_without_a_signature_is_refused_with_exit_code_1(
    archive: SimulatedArchive, settings: Settings, tmp_path: Path
) -> None:
    bare = tmp_path / "Release"
    bare.write_bytes(release_file(archive, "Release").read_bytes())
    ended = tidegate("verify", bare, "--config", settings())
    assert ended.code == ExitCode.NO
    assert ": refused (unsigned)" in ended.out


def test_a_release_signed_by_an_unknown_key_is_refused(
    archive: SimulatedArchive, settings: Settings, keys: Keys
) -> None:
    archive.sign("stable", keys.unknown)
    ended = tidegate("verify", release_file(archive, "InRelease"), "--config", settings(), "--json")
    (one,) = ended.json["files"]
    assert ended.code == ExitCode.NO
    assert one["archive"] is None
    assert one["explanation"]["reason"] == "unknown-key"


def test_one_refused_file_among_good_ones_decides_the_exit_code(
    archive: SimulatedArchive, settings: Settings, tmp_path: Path
) -> None:
    portal = tmp_path / "InRelease"
    portal.write_text("<html>Log in</html>\n")
    ended = tidegate("verify", release_file(archive, "InRelease"), portal, "--config", settings(), "--json")
    assert ended.code == ExitCode.NO
    assert [one["explanation"]["verdict"] for one in ended.json["files"]] == ["accepted", "refused"]


def test_keyrings_given_go_instead_of_an_archives(archive: SimulatedArchive, keys: Keys, settings: Settings) -> None:
    file = release_file(archive, "InRelease")
    (one,) = tidegate("verify", file, "--keyring", keys.armored, "--config", settings(), "--json").good().json["files"]
    assert one["archive"] is None
    assert one["explanation"]["verdict"] == "accepted"


def test_an_archive_that_is_not_known_is_a_usage_error(archive: SimulatedArchive, settings: Settings) -> None:
    ended = tidegate("verify", release_file(archive, "InRelease"), "--archive", "smi", "--config", settings())
    assert ended.code == ExitCode.USAGE
    assert "sim" in ended.err


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert tidegate("verify", tmp_path / "InRelease").code == ExitCode.USAGE


def mark_of(raw: bytes, *, later_s: int) -> Mark:
    """What would stand in the state had the same Release been accepted `later_s` later than it is dated."""
    frame = split_clearsigned(raw, 2**23, 16)
    assert isinstance(frame, Frame)
    release = parse_release(frame.payload)
    names = (release.origin, release.label, release.suite, release.codename)
    return Mark(release.date + later_s, bytes(32), *names, signers=(), accepted_at=release.date)


@pytest.mark.parametrize(("later_s", "reason"), [(3600, "older-than-accepted"), (0, "split-view"), (-3600, None)])
def test_the_newest_release_accepted_so_far_is_compared_with(
    later_s: int, reason: str | None, archive: SimulatedArchive, settings: Settings, tmp_path: Path
) -> None:
    file = release_file(archive, "InRelease")
    (tmp_path / "state").mkdir()
    marks = SqliteMarks(Layout(tmp_path / "state", tmp_path).marks)
    marks.rise("sim", "stable", mark_of(file.read_bytes(), later_s=later_s))
    marks.close()
    (one,) = tidegate("verify", file, "--config", settings(), "--json").json["files"]
    assert one["compared"] is True
    assert one["explanation"]["reason"] == reason


def test_another_suite_than_was_asked_for_is_told(archive: SimulatedArchive, settings: Settings) -> None:
    file = release_file(archive, "InRelease")
    (one,) = tidegate("verify", file, "--suite", "testing", "--config", settings(), "--json").json["files"]
    assert [alarm["reason"] for alarm in one["explanation"]["alarms"]] == ["wrong-suite"]
