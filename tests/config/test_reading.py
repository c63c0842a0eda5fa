"""A file of settings: what is wrong with it is told in full, at its line, with what to do."""

import tomllib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.config import ConfigError, Problem, Settings, load
from tidegate.config.keys import catalogue, sections, toml_value
from tidegate.config.reading import settings_from

EXAMPLE = """\
[gateway]
listen = "0.0.0.0:3142"

[[archive]]
name = "ubuntu"
keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
suites = ["noble", "noble-updates", "noble-security"]
components = ["main", "universe"]
architectures = ["amd64"]
aliases = ["http://archive.example/ubuntu", "http://security.example/ubuntu"]   # what clients ask for

[[archive.source]]
url = "http://mirror-a.example/ubuntu"
operator = "example"
kind = "mirror"
"""

ARCHIVE = '[[archive]]\nname = "a"\naliases = ["http://a.example/debian"]\n'


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(text, "t.toml")
    return caught.value.problems


def only_problem_of(text: str) -> Problem:
    (problem,) = problems_of(text)
    return problem


def test_an_empty_file_makes_the_defaults() -> None:
    assert load("", "t.toml") == Settings()


def test_the_issues_example_is_read_as_it_stands() -> None:
    settings = load(EXAMPLE, "t.toml")
    assert settings.gateway.listen == "0.0.0.0:3142"
    (ubuntu,) = settings.archive
    assert ubuntu.suites == ("noble", "noble-updates", "noble-security")
    assert ubuntu.keyring == "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    assert [(each.url, each.operator, each.kind) for each in ubuntu.source] == [
        ("http://mirror-a.example/ubuntu", "example", "mirror")
    ]


def test_an_unknown_key_refuses_to_start_and_names_the_nearest() -> None:
    problem = only_problem_of("[gateway]\nlistne = '127.0.0.1:1'\n")
    assert problem.where == "t.toml:2"
    assert problem.key == "gateway.listne"
    assert problem.todo == "Did you mean `listen`?"


def test_an_unknown_table_names_the_nearest() -> None:
    assert only_problem_of("\n[gatway]\n").todo == "Did you mean `gateway`?"


def test_a_key_of_another_table_is_told_where_it_belongs() -> None:
    assert "`keeper.refresh_interval_s`" in only_problem_of("[gateway]\nrefresh_interval_s = 1\n").todo


def test_a_key_like_none_other_is_told_what_is_known() -> None:
    assert "refresh_interval_s" in only_problem_of("[keeper]\nzzz = 1\n").todo


def test_every_problem_is_told_at_once_in_the_order_of_the_text() -> None:
    text = "[gateway]\nworkers = 0\nx = 1\n[keeper]\ngrace_s = 'long'\n[[archive]]\nsuites = 'noble'\n"
    assert [problem.where for problem in problems_of(text)] == [
        "t.toml:2",
        "t.toml:3",
        "t.toml:5",
        "t.toml:6",
        "t.toml:7",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[gateway]\nlisten = 3142\n", "It takes HOST:PORT."),
        ("[gateway]\nlisten = '3142'\n", "It takes HOST:PORT."),
        ("[gateway]\nworkers = 65\n", "It takes a whole number from 1 to 64."),
        ("[gateway]\nworkers = 1.5\n", "It takes a whole number from 1 to 64."),
        ("[gateway]\nworkers = true\n", "It takes a whole number from 1 to 64."),
        ("[gateway]\nwait_max_s = 30\n", "It takes a number above 0 to 29, in seconds."),
        ("[gateway]\nstrict = 'yes'\n", "It takes true or false."),
        ("[trust]\nverifier = 'gpg'\n", 'It takes one of "both", "gpgv", "sequoia".'),
        ("[store]\nfree_bytes_min = -1\n", "It takes a whole number from 0, in bytes."),
        ("[admin]\nhosts = 'localhost'\n", "It takes a list of texts."),
        ("[admin]\nhosts = ['localhost', 1]\n", "It takes a list of texts."),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_what_it_takes(text: str, says: str) -> None:
    assert only_problem_of(text).todo == says


def test_a_whole_number_is_good_enough_for_a_number() -> None:
    assert load("[gateway]\nidle_timeout_s = 65\n", "t").gateway.idle_timeout_s == 65.0


def test_a_missing_name_is_told_at_the_archives_header() -> None:
    problem = only_problem_of("\n\n[[archive]]\naliases = ['http://a.example/']\n")
    assert (problem.where, problem.key) == ("t.toml:3", "archive[0].name")
    assert "missing" in problem.what


def test_a_single_table_where_a_list_is_meant_is_told_about_double_brackets() -> None:
    assert only_problem_of("[archive]\nname = 'a'\n").todo == "Write [[archive]] with double brackets."


def test_a_value_where_a_table_is_meant_is_a_problem() -> None:
    assert "is not a table" in only_problem_of("gateway = 1\n").what


def test_broken_toml_is_told_with_its_line() -> None:
    problem = only_problem_of("[gateway]\nlisten = 0.0.0.0:3142\n")
    assert problem.where == "t.toml:2"
    assert "not TOML" in problem.what


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "{a = " * 3000])
def test_a_value_that_breaks_the_parser_itself_is_a_problem(value: str) -> None:
    assert "not TOML" in only_problem_of(f"[gateway]\nworkers = {value}\n").what


def test_two_archives_of_one_name_are_a_problem() -> None:
    problem = only_problem_of(ARCHIVE + ARCHIVE.replace("a.example", "b.example"))
    assert problem.where == "t.toml:5"
    assert "names an archive before it already" in problem.what


def test_one_alias_in_two_archives_is_a_problem() -> None:
    problem = only_problem_of(ARCHIVE + ARCHIVE.replace('"a"', '"b"').replace("debian", "debian/"))
    assert problem.key == "archive[1].aliases"


def test_an_archive_without_source_and_alias_is_a_problem() -> None:
    assert "no source to fetch from" in only_problem_of("[[archive]]\nname = 'a'\n").what


def test_aliases_are_asked_themselves_where_no_source_is_named() -> None:
    (archive,) = load(ARCHIVE, "t").archive
    assert [(each.url, each.kind, each.operator) for each in archive.source] == [
        ("http://a.example/debian", "origin", "a.example")
    ]


def test_an_operator_left_out_is_the_hosts_registered_name() -> None:
    text = "[[archive]]\nname = 'a'\n[[archive.source]]\nurl = 'http://de.mirror.vendor.example/debian'\n"
    assert load(text, "t").archive[0].source[0].operator == "vendor.example"


@pytest.mark.parametrize("suite", ["/noble", "no ble", "../noble", "noble//updates", "noble/./updates", ".", "", "/"])
def test_a_suite_that_is_none_is_a_problem(suite: str) -> None:
    assert only_problem_of(ARCHIVE + f"suites = ['{suite}']\n").key == "archive[0].suites"


@pytest.mark.parametrize("suite", ["noble-updates", "bookworm/updates", "./", "ubuntu2204/x86_64/", "./deb/"])
def test_a_suite_as_in_sources_list_is_good(suite: str) -> None:
    assert load(ARCHIVE + f"suites = ['{suite}']\n", "t").archive[0].suites == (suite,)


@pytest.mark.parametrize("keyring", ["debian.gpg", "0xDEADBEEF", "DEADBEEF", "http://key.example/key.asc"])
def test_a_keyring_that_is_neither_path_nor_key_nor_fingerprint_is_a_problem(keyring: str) -> None:
    assert only_problem_of(ARCHIVE + f"keyring = ['{keyring}']\n").key == "archive[0].keyring"


@pytest.mark.parametrize(
    "url", ["http://user:secret@a.example/x", "http://a.example/x?y=1", "http://", "http://a:99999/"]
)
def test_an_address_that_cannot_be_fetched_is_a_problem_and_a_password_is_not_repeated(url: str) -> None:
    text = f"[[archive]]\nname = 'a'\n[[archive.source]]\nurl = '{url}'\n"
    problem = only_problem_of(text)
    assert (problem.key, problem.where) == ("archive[0].source[0].url", "t.toml:4")
    assert "secret" not in str(problem)


def test_a_source_of_another_scheme_is_a_problem() -> None:
    text = "[[archive]]\nname = 'a'\n[[archive.source]]\nurl = 'ftp://a.example/x'\n"
    assert only_problem_of(text).todo == "It takes an http:// or https:// address, or a folder: file:///PATH or /PATH."


def test_gateway_and_admin_cannot_share_a_port() -> None:
    text = "[gateway]\nlisten = '127.0.0.1:3142'\n[admin]\nlisten = '127.0.0.1:3142'\n"
    assert only_problem_of(text).key == "admin.listen"


def test_two_ports_left_to_the_kernel_are_not_the_same() -> None:
    load("[gateway]\nlisten = '127.0.0.1:0'\n[admin]\nlisten = '127.0.0.1:0'\n", "t")


def test_a_port_beyond_the_last_is_a_problem() -> None:
    assert "no such port" in only_problem_of("[gateway]\nlisten = '127.0.0.1:65536'\n").what


@pytest.mark.parametrize("host", ["esm.example", "esm.example:99999", "https://esm.example:443", "a b:1"])
def test_a_tunnel_host_that_is_not_host_and_port_is_a_problem(host: str) -> None:
    assert only_problem_of(f"[gateway]\ntunnel_hosts = ['{host}']\n").key == "gateway.tunnel_hosts"


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(only_problem_of(f"[gateway]\nlisten = '{'x' * 5000}'\n").what) < 120


def settings_or_problems(read: Callable[[], Settings]) -> Settings | tuple[Problem, ...]:
    try:
        return read()
    except ConfigError as error:
        return error.problems


def _some_value() -> st.SearchStrategy[Any]:
    scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    )


_NAMES = [key.name.rpartition(".")[2] for key in catalogue().values()]
_TABLE = st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=4), _some_value(), max_size=4)
_SECTIONS = [section.name for section in sections() if "." not in section.name]


@given(
    st.dictionaries(st.sampled_from(_SECTIONS) | st.text(max_size=4), _TABLE | st.lists(_TABLE, max_size=3), max_size=4)
)
def test_any_table_makes_settings_or_problems_and_nothing_else(table: dict[str, Any]) -> None:
    assert settings_or_problems(lambda: settings_from(table, lambda path: "here"))


@given(st.text(max_size=200))
def test_any_text_makes_settings_or_problems_and_nothing_else(text: str) -> None:
    assert settings_or_problems(lambda: load(text, "t"))


def test_every_default_is_written_so_that_it_reads_back() -> None:
    text = "".join(
        f"{section.header}\n"
        + "".join(f"{key.name.rpartition('.')[2]} = {toml_value(key.default)}\n" for key in section.keys)
        for section in sections()
        if not section.is_array
    )
    tomllib.loads(text)
    assert load(text, "t") == Settings()


def test_settings_go_through_json_unchanged() -> None:
    settings = load(EXAMPLE, "t")
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


@pytest.mark.parametrize(
    ("feed", "what"),
    [
        ('name = "own-feed"', "nothing is known of where 'own-feed' is published"),
        ('name = "kev"\nurls = ["ftp://x.example/kev.json"]', "is no address"),
        ('name = "kev"\nurls = ["https://me:secret@x.example/kev.json"]', "is no address"),
        ('name = "kev"\nsignature = "a.asc"\nkeyring = "/k"', "a signature is of a list of digests"),
        ('name = "kev"\ndigests = "a"\nsignature = "a.asc"', "only by a key that is known"),
        ('name = "kev"\n[[advisories.feed]]\nname = "kev"', "is a feed before it already"),
        ('name = "../kev"', "name"),
    ],
)
def test_a_feed_that_cannot_be_kept_is_a_problem(feed: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"[[advisories.feed]]\n{feed}", "t.toml")
    assert what in str(caught.value)
    assert "secret" not in str(caught.value)


def test_feeds_of_every_kind_of_address_can_be_kept() -> None:
    urls = ["https://x.example/a.json", "http://10.0.0.1:8080/b", "/media/disc/feeds", "file:///srv/feeds"]
    settings = load(f'[[advisories.feed]]\nname = "kev"\nurls = {urls}\n[[advisories.feed]]\nname = "epss"', "t.toml")
    assert [feed.name for feed in settings.advisories.feed] == ["kev", "epss"]
