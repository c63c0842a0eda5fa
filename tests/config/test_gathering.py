"""Command line over environment over file over default; and who said what."""

from pathlib import Path

import pytest

from tidegate.config import ConfigError, Override, gather

FILE = """\
[gateway]
listen = "127.0.0.1:1"
workers = 2

[[archive]]
name = "a"
aliases = ["http://a.example/debian"]
"""
LISTEN = "TIDEGATE_GATEWAY__LISTEN"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.toml"
    path.write_text(FILE)
    return path


def test_the_command_line_goes_above_the_environment_above_the_file_above_the_default(
    file: Path, tmp_path: Path
) -> None:
    line = Override("gateway.listen", "127.0.0.1:3", "--listen")
    listens = [
        gather(file, {LISTEN: "127.0.0.1:2"}, [line], root=tmp_path).settings.gateway.listen,
        gather(file, {LISTEN: "127.0.0.1:2"}, root=tmp_path).settings.gateway.listen,
        gather(file, {}, root=tmp_path).settings.gateway.listen,
        gather(None, {}, root=tmp_path).settings.gateway.listen,
    ]
    assert listens == ["127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:3142"]


def test_each_value_remembers_who_set_it(file: Path, tmp_path: Path) -> None:
    gathered = gather(file, {LISTEN: "127.0.0.1:2"}, [Override("store.state", "/s", "--state")], root=tmp_path)
    assert gathered.source_of("store.state") == "--state"
    assert gathered.source_of("gateway.listen") == f"environment {LISTEN}"
    assert gathered.source_of("gateway.workers") == f"{file}:3"
    assert gathered.source_of("archive[0].aliases") == f"{file}:7"
    assert gathered.source_of("gateway.strict") == "default"


def test_a_bad_override_is_told_by_its_own_name(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        gather(file, {"TIDEGATE_GATEWAY__WORKERS": "many"}, root=tmp_path)
    assert [problem.where for problem in caught.value.problems] == ["environment TIDEGATE_GATEWAY__WORKERS"]


def test_an_override_repairs_what_the_file_has_wrong(file: Path, tmp_path: Path) -> None:
    file.write_text(FILE.replace("workers = 2", "workers = 0"))
    assert gather(file, {"TIDEGATE_GATEWAY__WORKERS": "3"}, root=tmp_path).settings.gateway.workers == 3


def test_a_named_file_that_is_not_there_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        gather(tmp_path / "none.toml", {}, root=tmp_path)
    assert "cannot be read" in caught.value.problems[0].what


def test_a_file_that_the_environment_names_must_be_there_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        gather(None, {"TIDEGATE_CONFIG": str(tmp_path / "none.toml")}, root=tmp_path)


def test_the_environment_names_the_file_and_the_command_line_another(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[gateway]\nworkers = 7\n")
    assert gather(None, {"TIDEGATE_CONFIG": str(file)}, root=tmp_path).file == file
    assert gather(other, {"TIDEGATE_CONFIG": str(file)}, root=tmp_path).settings.gateway.workers == 7


def test_the_systems_file_is_read_where_it_exists(tmp_path: Path) -> None:
    system = tmp_path / "etc/tidegate/tidegate.toml"
    system.parent.mkdir(parents=True)
    system.write_text(FILE)
    assert gather(None, {}, root=tmp_path).file == system


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * 1_048_577])
def test_a_file_that_is_no_text_or_too_large_is_a_problem(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        gather(path, {}, root=tmp_path)
    assert caught.value.problems[0].where == str(path)


def host_with(tmp_path: Path, line: str) -> Path:
    sources = tmp_path / "host/etc/apt/sources.list"
    sources.parent.mkdir(parents=True)
    sources.write_text(line + "\n")
    return tmp_path / "host"


def test_without_an_archive_the_hosts_own_sources_are_served(tmp_path: Path) -> None:
    root = host_with(tmp_path, "deb http://a.example/debian stable main")
    gathered = gather(None, {}, root=root)
    assert [archive.name for archive in gathered.settings.archive] == ["a.example-debian"]
    assert gathered.source_of("archive[0].suites") == f"{root}/etc/apt/sources.list:1"
    assert gathered.source_of("archive[0].source[0].url") == f"{root}/etc/apt/sources.list:1"
    assert gathered.source_of("archive[0].deb_src") == "default"


def test_a_file_without_archives_still_leaves_them_to_the_host(tmp_path: Path) -> None:
    root = host_with(tmp_path, "deb http://a.example/debian stable main")
    path = tmp_path / "t.toml"
    path.write_text("[gateway]\nworkers = 3\n")
    gathered = gather(path, {}, root=root)
    assert gathered.settings.gateway.workers == 3
    assert len(gathered.settings.archive) == 1


def test_an_empty_list_of_archives_means_none_at_all(tmp_path: Path) -> None:
    root = host_with(tmp_path, "deb http://a.example/debian stable main")
    path = tmp_path / "t.toml"
    path.write_text("archive = []\n")
    assert gather(path, {}, root=root).settings.archive == ()


def test_archives_of_a_file_are_not_mixed_with_the_hosts(file: Path, tmp_path: Path) -> None:
    root = host_with(tmp_path, "deb http://b.example/debian stable main")
    assert [archive.name for archive in gather(file, {}, root=root).settings.archive] == ["a"]
