"""`tidegate watch`: asked by the command itself where no gateway runs, and told by exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Ended, tidegate
from tests.watch.site import PAGE, WORDS, Site


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


def test_a_page_is_asked_listed_and_read_without_a_gateway(site: Site, tmp_path: Path) -> None:
    config = tmp_path / "tidegate.toml"
    lines = ("[[watch]]", 'name = "status"', f'url = "{site.url}/"', f'contains = "{WORDS}"', "down_after = 1")
    config.write_text("\n".join(lines))

    def run(*words: object) -> Ended:
        return tidegate("watch", *words, "--config", config, "--state", tmp_path / "state")

    never = run("list", "--json")
    assert (never.code, never.json["watches"][0]["state"]) == (3, "unknown")
    assert run("show", "status").code == 1
    checked = run("check")
    assert checked.code == 0
    assert checked.out.startswith("status: up, first byte after ")
    shown = run("show", "status")
    assert shown.good().out.split() == ["Ubuntu", "status", *WORDS.split()]
    assert f"A copy of {site.url}/, taken at" in shown.err
    run("show", "status", "--to", tmp_path / "page.html").good()
    assert (tmp_path / "page.html").read_bytes() == PAGE

    site.mode = "portal"
    assert run("check", "status", "--json").json["checks"][0]["watch"]["state"] == "down"
    told = run("list")
    assert told.code == 1
    assert "another page, or not all of it" in told.out
    assert "The original is down since" in run("show", "status").err
    events = json.loads(f"[{','.join(tidegate('journal', 'export', '--state', tmp_path / 'state').out.splitlines())}]")
    assert [one["kind"] for one in events if one["kind"].startswith("watch")] == ["watch-down"]
    nobody = run("check", "nobody")
    assert (nobody.code, "no watch 'nobody'" in nobody.err) == (2, True)


def test_settings_by_which_an_error_page_would_be_kept_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "tidegate.toml"
    config.write_text('[[watch]]\nname = "a"\nurl = "https://x.example/"\n[[watch]]\nname = "a"\nurl = "http://u@x/"\n')
    told = tidegate("config", "check", "--config", config)
    assert told.code == 78
    for words in ("nothing tells 'a' from an error page", "'a' is a watch before it already", "is no address"):
        assert words in told.err + told.out
