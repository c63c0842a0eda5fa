"""`tidegate incident`: what it shows, and what people write down through it."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands import Ended, tidegate
from tests.gateway_process import journal_objections
from tidegate.cli.exit_codes import ExitCode
from tidegate.store.journal import Happening
from tidegate.store.sqlite_journal import SqliteJournal

DAY = time.strftime("%Y%m%d", time.gmtime())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose journal has an outage that goes on."""
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        journal.append([Happening("alone-begun", "ubuntu", {"since": time.time() - 100, "sources": 2})])
        counts = {"requests": 4112, "bytes": 5, "lacking": 3}
        journal.append([Happening("served", "gateway", {"since": time.time() - 60, "until": time.time(), **counts})])
    return tmp_path


@pytest.fixture
def name(state: Path) -> str:
    (one,) = incident(state, "list", "--json").json["incidents"]
    assert one["id"].endswith("-1")
    return str(one["id"])


def incident(state: Path, *words: object) -> Ended:
    return tidegate("incident", *words, "--state", state)


def over(state: Path) -> None:
    with closing(SqliteJournal(state / "journal.db")) as journal:
        journal.append([Happening("alone-ended", "ubuntu", {"since": time.time(), "duration_s": 100.0})])


def test_an_open_incident_is_listed_and_the_exit_code_says_so(state: Path, name: str) -> None:
    listed = incident(state, "list")
    assert listed.code == ExitCode.NO
    assert listed.out.splitlines()[1].startswith(f"{name}  open     2  ")
    over(state)
    assert incident(state, "list").code == ExitCode.OK


def test_without_incidents_that_is_said(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "journal.db").close()
    assert incident(tmp_path, "list").good().out == "No incident.\n"


def test_what_is_shown_is_how_bad_since_when_what_it_did_and_what_to_do(state: Path, name: str) -> None:
    said = incident(state, "show", name).good().out
    assert f"{name}: ubuntu: none of its sources answers\nopen, SEV2: " in said
    assert "4,112 requests, of them 3 for what we did not hold" in said
    assert "docs/air-gap.md" in said
    assert "#1  ubuntu: none of its 2 sources has answered since" in said


def test_what_people_write_down_is_in_the_journal_with_who(state: Path, name: str) -> None:
    incident(state, "note", name, "their status page is down as well", "--who", "ada").good()
    written = incident(state, "action", name, "added mirror-c", "--json").good().json
    assert written == {"incident": name, "seq": 4, "claim": ""}
    shown = incident(state, "show", name, "--json").good().json["incident"]
    assert [(one["by"], one["text"]) for one in shown["notes"]] == [("ada", "their status page is down as well")]
    assert shown["actions"][0]["by"]
    assert journal_objections(state) == []


def test_a_claim_is_somebodys_and_has_a_history(state: Path, name: str) -> None:
    assert incident(state, "claim", name, "it was us").code == ExitCode.USAGE
    words = ("--by", "a channel", "--attributes-to", "313 Team", "--confidence", 20, "--who", "ada")
    assert incident(state, "claim", name, "it was us", *words, "--json").good().json["claim"] == "C1"
    incident(state, "claim", name, "wrong weekday", "--revise", "C1", "--status", "disputed", "--who", "bob").good()
    (claim,) = incident(state, "show", name, "--json").json["incident"]["claims"]
    assert (claim["said_by"], claim["attributes_to"]) == ("a channel", "313 Team")
    judged = [(one["status"], one["confidence"], one["by"]) for one in claim["judgements"]]
    assert judged == [("pending", 20, "ada"), ("disputed", 20, "bob")]
    said = incident(state, "show", name).out
    assert "a channel says, holding 313 Team responsible: “it was us” This is a claim, disputed" in said
    assert "20 of 100" in said
    assert incident(state, "claim", name, "x", "--revise", "C7").code == ExitCode.NO
    assert incident(state, "claim", name, "x", "--by", "y", "--status", "proven").code == ExitCode.USAGE
    assert incident(state, "claim", name, "x", "--by", "y", "--confidence", 101).code == ExitCode.USAGE
    assert journal_objections(state) == []


def test_what_goes_on_is_closed_only_by_whoever_insists(state: Path, name: str) -> None:
    refused = incident(state, "close", name, "we are done")
    assert (refused.code, "alone of ubuntu" in refused.err) == (ExitCode.NO, True)
    incident(state, "close", name, "the archive was retired", "--still").good()
    assert incident(state, "show", name, "--json").json["incident"]["state"] == "closed"
    assert incident(state, "close", name, "again", "--still").code == ExitCode.NO


def test_an_incident_that_there_is_not_is_told(state: Path) -> None:
    ended = incident(state, "note", f"{DAY}-99", "x")
    assert (ended.code, "no incident" in ended.err) == (ExitCode.NO, True)


def test_drills_are_listed_when_asked_for(state: Path) -> None:
    with closing(SqliteJournal(state / "journal.db")) as journal:
        journal.append([Happening("alone-begun", "ubuntu", {"since": 1.0, "sources": 2}, drill="frozen-mirror")])
    assert len(incident(state, "list", "--json").json["incidents"]) == 1
    newest = incident(state, "list", "--drills").out.splitlines()[1]
    assert newest.endswith("(drill frozen-mirror)")


def test_words_from_outside_cannot_move_the_cursor(state: Path, name: str) -> None:
    incident(state, "note", name, "a\x1b[2Jb", "--who", "\x1b]0;x\x07").good()
    assert "\x1b" not in incident(state, "show", name).out
