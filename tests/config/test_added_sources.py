"""Sources beside those written out: mirror lists, known mirrors; what wins, and where each is from."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.config import ConfigError, Gathered, Override, gather, load
from tidegate.config.added_sources import with_added
from tidegate.config.mirror_list import MIRROR_LIST_BYTES_MAX, MIRRORS_MAX, Mirror, parse_mirror_list
from tidegate.presets import named
from tidegate.sources.settings import PRIORITY_LAST, ArchiveSettings, SourceSettings

UBUNTU = """\
[[archive]]
name = "ubuntu"
aliases = ["http://archive.ubuntu.com/ubuntu/"]
"""
KNOWN = "known_mirrors = true\n"
WITH_LIST = 'mirror_list = "/etc/tidegate/mirrors.txt"\n'


class Machine:
    """A root with a file of settings and a mirror list."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def gathered(self, text: str, *overrides: Override) -> Gathered:
        return gather(self.put("t.toml", text), {}, overrides, root=self.root)

    def urls(self, text: str, *overrides: Override) -> list[str]:
        (archive,) = self.gathered(text, *overrides).settings.archive
        return [source.url for source in archive.source if source.enabled]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def known(name: str) -> list[str]:
    preset = named(name)
    assert preset
    return [source.url for source in preset.known_sources]


# Known mirrors


def test_nobody_is_asked_whom_the_owner_did_not_name(machine: Machine) -> None:
    assert machine.urls(UBUNTU) == ["http://archive.ubuntu.com/ubuntu/"]


def test_known_mirrors_come_behind_what_is_written_and_none_of_them_twice(machine: Machine) -> None:
    found = machine.urls(UBUNTU + KNOWN)
    assert found[0] == "http://archive.ubuntu.com/ubuntu/"
    assert found[1:] == [url for url in known("ubuntu") if url != "http://archive.ubuntu.com/ubuntu"]
    (archive,) = machine.gathered(UBUNTU + KNOWN).settings.archive
    assert len({source.operator for source in archive.source}) >= 3
    assert {source.region for source in archive.source} > {"us", "de"}


def test_one_switch_asks_for_the_known_mirrors_of_every_archive_that_does_not_say_otherwise(machine: Machine) -> None:
    for_all = "[fetch]\nknown_mirrors = true\n"
    assert len(machine.urls(UBUNTU + for_all)) > 5
    assert machine.urls(UBUNTU + "known_mirrors = false\n" + for_all) == ["http://archive.ubuntu.com/ubuntu/"]
    assert machine.urls("[[archive]]\nname = 'x'\naliases = ['http://a.example/x']\n" + for_all) == [
        "http://a.example/x"
    ]


def test_the_option_counts_for_the_hosts_own_sources_too(machine: Machine) -> None:
    machine.put("etc/apt/sources.list", "deb http://ftp.xx.debian.org/debian bookworm main\n")
    option = Override("fetch.known_mirrors", True, "--known-mirrors")
    (debian,) = gather(None, {}, [option], root=machine.root).settings.archive
    assert [source.url for source in debian.source] == ["http://ftp.xx.debian.org/debian", *known("debian")]


def test_a_source_that_is_switched_off_keeps_a_known_one_away(machine: Machine) -> None:
    off = '[[archive.source]]\nurl = "https://MIRRORS.wikimedia.org/ubuntu/"\nenabled = false\n'
    found = machine.urls(UBUNTU + KNOWN + off)
    assert "https://mirrors.wikimedia.org/ubuntu" not in found
    assert found[0] == "http://archive.ubuntu.com/ubuntu/"
    assert len(found) == len(known("ubuntu")) - 1


def test_to_want_mirrors_of_an_archive_that_nobody_knows_is_a_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        load("[[archive]]\nname = 'x'\naliases = ['http://a.example/x']\nknown_mirrors = true\n", "t.toml")
    (problem,) = caught.value.problems
    assert (problem.key, problem.where) == ("archive[0].known_mirrors", "t.toml:4")
    assert "ubuntu-ports" in problem.todo


def test_known_mirrors_alone_are_enough_to_fetch_from(machine: Machine) -> None:
    assert machine.urls("[[archive]]\nname = 'ubuntu'\nknown_mirrors = true\n") == known("ubuntu")


# Mirror lists


def test_a_mirror_list_adds_to_what_is_written_in_its_own_order(machine: Machine) -> None:
    machine.put(
        "etc/tidegate/mirrors.txt",
        "# ours\nhttp://b.example/u/ priority:2\nfile:/srv/u\tpriority:1\nhttp://c.example/u\n",
    )
    written = '[[archive.source]]\nurl = "http://a.example/u"\n'
    gathered = machine.gathered(UBUNTU + WITH_LIST + written)
    (archive,) = gathered.settings.archive
    assert [(each.url, each.kind, each.priority) for each in archive.source] == [
        ("http://a.example/u", "mirror", 0),
        ("file:///srv/u", "media", 1),
        ("http://b.example/u", "mirror", 2),
        ("http://c.example/u", "mirror", PRIORITY_LAST),
    ]
    assert gathered.source_of("archive[0].source[0].url").endswith("t.toml:6")
    assert gathered.source_of("archive[0].source[1].url") == "/etc/tidegate/mirrors.txt:3"
    assert gathered.source_of("archive[0].source[1].priority") == "/etc/tidegate/mirrors.txt:3"


def test_with_a_mirror_list_the_aliases_are_what_clients_ask_for_and_no_more(machine: Machine) -> None:
    machine.put("etc/tidegate/mirrors.txt", "http://b.example/u\n")
    assert machine.urls(UBUNTU + WITH_LIST) == ["http://b.example/u"]


def test_a_source_that_is_switched_off_keeps_a_lists_one_away(machine: Machine) -> None:
    machine.put("etc/tidegate/mirrors.txt", "http://b.example/u\nhttp://c.example/u\n")
    off = '[[archive.source]]\nurl = "http://b.example/u/"\nenabled = false\n'
    assert machine.urls(UBUNTU + WITH_LIST + off) == ["http://c.example/u"]


def test_a_list_is_read_anew_with_the_settings(machine: Machine) -> None:
    machine.put("etc/tidegate/mirrors.txt", "http://b.example/u\n")
    assert machine.urls(UBUNTU + WITH_LIST) == ["http://b.example/u"]
    machine.put("etc/tidegate/mirrors.txt", "http://c.example/u\n")
    assert machine.urls(UBUNTU + WITH_LIST) == ["http://c.example/u"]


def test_each_bad_line_of_a_list_is_told_at_its_line_and_a_password_is_not_repeated(machine: Machine) -> None:
    machine.put("etc/tidegate/mirrors.txt", "ftp://b.example/u\nhttp://c.example/u\n\nhttp://me:secret@d.example/u\n")
    with pytest.raises(ConfigError) as caught:
        machine.gathered(UBUNTU + WITH_LIST)
    assert [each.where for each in caught.value.problems] == [
        "/etc/tidegate/mirrors.txt:1",
        "/etc/tidegate/mirrors.txt:4",
    ]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "No such file"),
        ("x" * (MIRROR_LIST_BYTES_MAX + 1), "more than 1,048,576 bytes"),
        ("http://a.example/x\n" * (MIRRORS_MAX + 1), "has 257 mirrors"),
    ],
)
def test_a_list_that_cannot_be_used_is_told_where_it_is_named(text: str | None, what: str, machine: Machine) -> None:
    if text is not None:
        machine.put("etc/tidegate/mirrors.txt", text)
    with pytest.raises(ConfigError) as caught:
        machine.gathered(UBUNTU + WITH_LIST)
    (problem,) = caught.value.problems
    assert problem.where.endswith("t.toml:4")
    assert what in problem.what


def test_tags_that_do_not_count_are_noted(machine: Machine) -> None:
    machine.put("etc/tidegate/mirrors.txt", "http://b.example/u arch:amd64 priority:1 lang:de\n")
    (note,) = machine.gathered(UBUNTU + WITH_LIST).notes
    assert "arch, lang" in note


def test_lines_without_a_priority_are_alike_where_none_has_one_and_last_where_others_have() -> None:
    assert [each.priority for each in parse_mirror_list("http://a.example\nhttp://b.example\n")] == [0, 0]
    assert parse_mirror_list("http://a.example\nhttp://b.example priority:7") == (
        Mirror("http://b.example", 7, 2),
        Mirror("http://a.example", PRIORITY_LAST, 1),
    )


@given(st.text(alphabet=st.characters() | st.sampled_from("\n\t #:/."), max_size=80))
def test_any_text_makes_a_mirror_list_whose_sources_are_each_added_once(text: str) -> None:
    mirrors = parse_mirror_list(text)
    archive = ArchiveSettings(name="x", source=(SourceSettings(url="http://a.example/x"),))
    added = with_added(archive, mirrors, known_mirrors=False)
    urls = [source.url for source in added.archive.source]
    assert len(urls) == len(set(urls)) == 1 + len(added.origins)


# Folders


def test_a_folder_is_a_media_source_however_it_is_written() -> None:
    text = (
        "[[archive]]\nname = 'a'\n[[archive.source]]\nurl = '/media/disc'\n[[archive.source]]\nurl = 'file:///srv/x'\n"
    )
    (archive,) = load(text, "t.toml").archive
    assert [(each.kind, each.operator) for each in archive.source] == [("media", "this host")] * 2


@pytest.mark.parametrize("url", ["/", "/a/../b", "file:///a//b"])
def test_what_is_no_folders_path_is_a_problem(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"[[archive]]\nname = 'a'\n[[archive.source]]\nurl = '{url}'\n", "t.toml")
    assert caught.value.problems[0].key == "archive[0].source[0].url"


def test_an_address_is_no_media() -> None:
    with pytest.raises(ConfigError) as caught:
        load("[[archive]]\nname = 'a'\n[[archive.source]]\nurl = 'http://a.example'\nkind = 'media'\n", "t.toml")
    assert caught.value.problems[0].key == "archive[0].source[0].kind"


def test_an_archive_whose_every_source_is_switched_off_has_none() -> None:
    off = "[[archive.source]]\nurl = 'http://a.example/x'\nenabled = false\n"
    with pytest.raises(ConfigError) as caught:
        load(f"[[archive]]\nname = 'a'\naliases = ['http://a.example/x/']\n{off}", "t.toml")
    assert "has no source" in caught.value.problems[0].what
