"""`tidegate postmortem` and `tidegate incident export`, from a journal to files."""

import json
import sys
import time
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.cli.commands import Ended, tidegate
from tidegate.cli.exit_codes import ExitCode
from tidegate.store.journal import Happening
from tidegate.store.sqlite_journal import SqliteJournal

NAME = f"{time.strftime('%Y%m%d', time.gmtime())}-1"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose journal has an outage that is over."""
    now = time.time()
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        journal.append([Happening("alone-begun", "ubuntu", {"since": now - 100, "sources": 2})])
        counts = {"requests": 4112, "bytes": 5, "lacking": 3}
        journal.append([Happening("served", "gateway", {"since": now - 60, "until": now, **counts})])
        journal.append([Happening("alone-ended", "ubuntu", {"since": now - 100, "duration_s": 100.0})])
    return tmp_path


def postmortem(state: Path, *words: object) -> Ended:
    return tidegate("postmortem", NAME, *words, "--state", state)


def test_it_is_markdown_unless_said_otherwise(state: Path) -> None:
    said = postmortem(state).good().out
    assert said.startswith(f"# Post-mortem {NAME}: ubuntu: none of its sources answers\n")
    assert "3 of 4,112 requests" in said
    assert postmortem(state, "--format", "html").good().out.startswith("<!doctype html>")
    assert postmortem(state, "--format", "json").good().json == postmortem(state, "--json").json


def test_what_people_wrote_stays_byte_for_byte(state: Path) -> None:
    file = state / "postmortem.md"
    postmortem(state, "--into", file).good()
    ours = b"\r\nAll of us, \xff\xfe and\tthe dog.\n\n"
    begin, end = b"<!-- human:summary -->", b"<!-- /human:summary -->"
    before, _, rest = file.read_bytes().partition(begin)
    file.write_bytes(before + begin + ours + rest[rest.index(end) :])
    file.chmod(0o640)
    tidegate("incident", "note", NAME, "one more thing", "--state", state).good()
    postmortem(state, "--into", file).good()
    assert begin + ours + end in file.read_bytes()
    assert b"one more thing" in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in state.iterdir() if "postmortem" in one.name] == ["postmortem.md"]


def test_a_file_is_html_if_its_name_says_so(state: Path) -> None:
    postmortem(state, "--into", state / "it.html").good()
    assert (state / "it.html").read_text().startswith("<!doctype html>")


def test_a_place_whose_end_is_gone_leaves_the_file_as_it_is(state: Path) -> None:
    file = state / "postmortem.md"
    file.write_text("<!-- human:summary --> precious")
    ended = postmortem(state, "--into", file)
    assert (ended.code, "human:summary" in ended.err) == (ExitCode.NO, True)
    assert file.read_text() == "<!-- human:summary --> precious"


def test_json_has_no_places_to_write_in(state: Path) -> None:
    assert postmortem(state, "--format", "json", "--into", state / "x").code == ExitCode.USAGE


def test_of_an_incident_that_there_is_not_there_is_none(state: Path) -> None:
    assert tidegate("postmortem", "20000101-1", "--state", state).code == ExitCode.NO


def test_an_export_is_a_stix_bundle(state: Path) -> None:
    words = ("incident", "export", NAME, "--format", "stix", "--state", state)
    said = tidegate(*words, "--author", "Example Inc.").good().out
    assert json.loads(said)["type"] == "bundle"
    assert [one["name"] for one in json.loads(said)["objects"] if one["type"] == "identity"] == ["Example Inc."]
    assert tidegate(*words, "--author", "Example Inc.").out == said


def test_without_the_package_for_it_the_export_says_what_to_install(state: Path) -> None:
    with patch.dict(sys.modules, {"stix2": None}):
        ended = tidegate("incident", "export", NAME, "--state", state)
    assert (ended.code, "tidegate[stix]" in ended.err) == (ExitCode.UNAVAILABLE, True)
