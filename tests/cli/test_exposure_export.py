"""`tidegate exposure export`: Parquet files of one moment, whole or not there at all."""

import builtins
import re
from pathlib import Path

import duckdb
import pytest

from tests.cli.commands import Ended, tidegate
from tests.cli.test_exposure import AFTER, House
from tests.fleet.incident import FIXED, MITIGATED, module, ordinary
from tidegate.cli.exit_codes import ExitCode
from tidegate.wiring.parquet import ParquetFiles

MADE = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.hear(MITIGATED, FIXED)
    return house


def export(house: House, to: Path, *words: object) -> Ended:
    return tidegate("exposure", "export", "--to", to, *words, "--config", house.config, "--state", house.state)


def reported(house: House) -> None:
    house.report("h1", ordinary("noble", AFTER, modules=(module(),)), "lab")


def test_an_export_is_a_folder_of_its_moment_and_the_latest(house: House, tmp_path: Path) -> None:
    reported(house)
    ended = export(house, tmp_path / "out", "--json").good()
    folder = Path(ended.json["folder"])
    assert MADE.fullmatch(folder.name)
    assert (tmp_path / "out" / "latest").resolve() == folder
    assert {one.name for one in (tmp_path / "out").iterdir()} == {folder.name, "latest"}
    for one in ended.json["tables"]:
        assert duckdb.connect().execute(f"SELECT count(*) FROM '{one['file']}'").fetchall() == [(one["rows"],)]
    assert duckdb.connect().execute(f"SELECT id, tags FROM '{folder}/hosts.parquet'").fetchall() == [("h1", ["lab"])]
    assert '"event": "exporting"' in ended.err


def test_only_the_newest_exports_stay(house: House, tmp_path: Path) -> None:
    reported(house)
    older = [tmp_path / "out" / f"2026-05-0{day}T00-00-00Z" for day in (1, 2)]
    for path in (*older, tmp_path / "out" / "somebody-elses"):
        path.mkdir(parents=True)
    ended = export(house, tmp_path / "out", "--json").good()
    assert ended.json["removed"] == [str(older[0])]
    assert {one.name for one in (tmp_path / "out").iterdir()} == {
        older[1].name, Path(ended.json["folder"]).name, "latest", "somebody-elses",
    }  # fmt: skip


def test_an_export_that_breaks_off_leaves_what_was_there(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(house)
    before = export(house, tmp_path / "out", "--json").good().json["folder"]

    def full(self: ParquetFiles, *_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ParquetFiles, "write", full)
    assert export(house, tmp_path / "out").code == ExitCode.IO_ERROR
    assert {one.name for one in (tmp_path / "out").iterdir()} == {Path(before).name, "latest"}
    assert (tmp_path / "out" / "latest").resolve() == Path(before)


def test_whoever_has_no_writer_is_told_what_to_install(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(house)
    imported = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return imported(name, *rest, **more)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(builtins, "__import__", without)
    ended = export(house, tmp_path / "out")
    assert ended.code == ExitCode.UNAVAILABLE
    assert "tidegate[parquet]" in ended.err
    assert not list((tmp_path / "out").iterdir())


def test_where_no_host_ever_reported_there_is_nothing_to_export(house: House, tmp_path: Path) -> None:
    ended = export(house, tmp_path / "out")
    assert ended.code == ExitCode.UNAVAILABLE
    assert "no host has ever reported here" in ended.err
    assert not (tmp_path / "out").exists()


def test_an_option_before_the_command_is_refused_and_not_lost(tmp_path: Path) -> None:
    ended = tidegate("exposure", "--state", tmp_path, "export", "--to", tmp_path / "out")
    assert ended.code == ExitCode.USAGE
    assert "behind export" in ended.err
    assert not (tmp_path / "out").exists()
