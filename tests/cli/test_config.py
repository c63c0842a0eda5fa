"""`tidegate config`: what is in force, where it comes from, what is wrong with it."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import tidegate
from tests.simulator.keys import Keys
from tidegate.cli.exit_codes import ExitCode


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIDEGATE_CONFIG", "STATE_DIRECTORY", "TIDEGATE_GATEWAY__WORKERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path, keys: Keys) -> Path:
    path = tmp_path / "tidegate.toml"
    path.write_text(
        f"""[gateway]
listen = "127.0.0.1:3999"

[[archive]]
name = "a"
keyring = "{keys.keyring}"
aliases = ["http://a.example/debian"]
suites = ["stable"]
"""
    )
    return path


def test_show_tells_every_setting_and_who_set_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_GATEWAY__WORKERS", "2")
    answer = tidegate("config", "show", "--config", file, "--json").good().json
    found = {each["key"]: (each["value"], each["source"]) for each in answer["settings"]}
    assert answer["file"] == str(file)
    assert found["gateway.listen"] == ("127.0.0.1:3999", f"{file}:2")
    assert found["gateway.workers"] == (2, "environment TIDEGATE_GATEWAY__WORKERS")
    assert found["gateway.strict"] == (False, "default")
    assert found["archive[0].suites"] == (["stable"], f"{file}:8")
    assert found["archive[0].source[0].url"] == ("http://a.example/debian", "default")


def test_show_tells_of_each_feed_and_who_set_it(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text('archive = []\n[[advisories.feed]]\nname = "kev"\nurls = ["https://x.example/kev.json"]\n')
    answer = tidegate("config", "show", "--config", file, "--json").good().json
    found = {each["key"]: (each["value"], each["source"]) for each in answer["settings"]}
    assert found["advisories.known_feeds"] == (False, "default")
    assert found["advisories.feed[0].urls"] == (["https://x.example/kev.json"], f"{file}:4")
    assert found["advisories.feed[0].pages_of"] == ("", "default")
    explained = tidegate("config", "explain", "advisories.feed.urls", "--config", file, "--json").good().json
    assert (explained["variable"], len(explained["values"])) == (None, 1)


def test_show_for_people_leaves_defaults_out_when_asked(file: Path) -> None:
    ended = tidegate("config", "show", "--given", "--config", file).good()
    assert ended.out.splitlines()[0].split() == ["SETTING", "VALUE", "FROM"]
    assert "gateway.listen" in ended.out
    assert "gateway.strict" not in ended.out


def test_check_says_that_the_settings_can_be_used(file: Path) -> None:
    assert "can be used. Archives: a." in tidegate("config", "check", "--config", file).good().out
    answer = tidegate("config", "check", "--config", file, "--json").good().json
    assert answer == {"file": str(file), "archives": ["a"], "notes": []}


def test_check_notes_an_archive_for_which_no_key_is_known(file: Path, keys: Keys) -> None:
    file.write_text(file.read_text().replace(str(keys.keyring), "/none.gpg"))
    ended = tidegate("config", "check", "--config", file).good()
    assert "note: a: the keyring /none.gpg cannot be read" in ended.err
    assert "no key is known" in ended.err


def test_check_of_bad_settings_tells_all_of_it_and_exits_with_78(file: Path) -> None:
    file.write_text("[gateway]\nlistne = 'x'\nworkers = 0\n")
    ended = tidegate("config", "check", "--config", file)
    assert ended.code == 78
    assert f"{file}:2: gateway.listne: there is no such setting\n  Did you mean `listen`?" in ended.err
    assert f"{file}:3: gateway.workers: 0 cannot be used" in ended.err
    assert ended.out == ""


def test_bad_settings_are_told_as_json_when_asked(file: Path) -> None:
    file.write_text("[gateway]\nworkers = 0\n")
    ended = tidegate("config", "check", "--json", "--config", file)
    told = json.loads(ended.err)
    assert told["exit_code"] == ended.code == 78
    assert told["error"][0]["where"] == f"{file}:2"


def test_a_settings_file_that_is_missing_exits_with_78(tmp_path: Path) -> None:
    assert tidegate("config", "show", "--config", tmp_path / "none.toml").code == 78


def test_explain_gives_doc_unit_default_value_and_origin(file: Path) -> None:
    out = tidegate("config", "explain", "gateway.wait_max_s", "--config", file).good().out
    assert "apt gives up at 30 s" in out
    assert "takes     a number above 0 to 29, in seconds" in out
    assert "default   25.0" in out
    assert "variable  TIDEGATE_GATEWAY__WAIT_MAX_S" in out
    assert "now       gateway.wait_max_s = 25.0  (default)" in out


@pytest.mark.parametrize("name", ["archive.suites", "archive[0].suites"])
def test_explain_of_an_archives_setting_gives_the_value_of_each(name: str, file: Path) -> None:
    answer = tidegate("config", "explain", name, "--config", file, "--json").good().json
    assert answer["variable"] is None
    assert answer["values"] == [{"key": "archive[0].suites", "value": ["stable"], "source": f"{file}:8"}]


def test_explain_of_a_misspelt_setting_names_the_nearest(file: Path) -> None:
    ended = tidegate("config", "explain", "gateway.lsten", "--config", file)
    assert ended.code == ExitCode.USAGE
    assert "Did you mean gateway.listen?" in ended.err


def test_explain_of_a_table_lists_its_settings(file: Path) -> None:
    ended = tidegate("config", "explain", "trust", "--config", file)
    assert ended.code == ExitCode.USAGE
    assert "trust.verifier" in ended.err


def test_doc_prints_the_reference() -> None:
    path = Path(__file__).parents[2] / "docs/configuration.md"
    assert tidegate("config", "doc").good().out == path.read_text()
