"""`tidegate journal`: what it shows, whether it is whole, and what leaves as lines of JSON."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands import Ended, tidegate
from tidegate.cli.exit_codes import ExitCode
from tidegate.store.journal import Happening
from tidegate.store.sqlite_journal import SqliteJournal

TIMEOUT_S = 60.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose journal has thirty events."""
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        journal.append([Happening("prefetch-complete", f"debian suite-{number}", {}) for number in range(28)])
        journal.append([Happening("refused", "debian stable", {"source": "http://a.example", "reason": "too old"})])
        journal.append([Happening("stopped", "gateway", {}, drill="torn-mirror")])
    return tmp_path


def journal(state: Path, *words: object) -> Ended:
    return tidegate("journal", *words, "--state", state)


def test_the_newest_events_are_shown_oldest_first(state: Path) -> None:
    lines = journal(state, "show").good().out.splitlines()
    assert len(lines) == 20
    number, _, told = lines[-2].split(" ", 2)
    assert (number, told) == ("29", 'refused debian stable reason="too old" source=http://a.example')
    assert lines[-1].endswith("[drill torn-mirror] stopped gateway")


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        (["--since", "28"], [28, 29, 30]),
        (["--since", "1h", "--last", "2"], [29, 30]),
        (["--since", "2001-01-01", "--kind", "refused"], [29]),
        (["--kind", "refused", "--kind", "stopped"], [29, 30]),
        (["--since", "2999-01-01"], []),
    ],
)
def test_what_is_wanted_can_be_said(state: Path, words: list[str], seqs: list[int]) -> None:
    assert [one["seq"] for one in journal(state, "show", *words, "--json").good().json["events"]] == seqs


def test_a_moment_or_a_kind_that_there_is_not_is_a_usage_error(state: Path) -> None:
    assert journal(state, "show", "--since", "yesterday").code == ExitCode.USAGE
    ended = journal(state, "show", "--kind", "adoptions")
    assert ended.code == ExitCode.USAGE
    assert "adopted" in ended.err


def test_followed_it_tells_what_is_written_from_then_on(state: Path) -> None:
    command = [sys.executable, "-m", "tidegate", "journal", "show", "--last", "1", "--follow", "--state", str(state)]
    with subprocess.Popen([*command, "--kind", "stopped"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("stopped gateway\n")
        with closing(SqliteJournal(state / "journal.db")) as one:
            one.append([Happening("prefetch-complete", "x", {}), Happening("stopped", "again", {})])
        assert process.stdout.readline().endswith("stopped again\n")
        process.terminate()
        process.wait(TIMEOUT_S)


def test_a_whole_journal_is_told_with_its_head(state: Path) -> None:
    said = journal(state, "verify").good().out.splitlines()
    assert said[0] == "The journal is whole: 30 events, from 1 to 30."
    head = said[1].removeprefix("head: ")
    assert journal(state, "verify", "--noted", head, "--json").good().json["whole"] is True
    assert journal(state, "verify", "--noted", f"29:{head.partition(':')[2]}").code == ExitCode.NO


def test_a_journal_that_was_changed_is_told_with_where(state: Path) -> None:
    with closing(sqlite3.connect(state / "journal.db")) as connection, connection:
        connection.execute("UPDATE event SET data = replace(data, 'old', 'new') WHERE seq = 29")
        connection.execute("DELETE FROM event WHERE seq = 7")
    ended = journal(state, "verify")
    assert ended.code == ExitCode.NO
    lines = ended.out.splitlines()
    assert lines[0] == "The journal is NOT whole: 29 events, from 1 to 30."
    assert [line.split()[1] for line in lines[1:]] == ["7:", "8:", "29:"]
    report = journal(state, "verify", "--json").json
    assert (report["whole"], report["troubles_in_all"]) == (False, 3)


def test_an_export_is_verified_without_the_journal(state: Path, tmp_path: Path) -> None:
    exported = tmp_path / "journal.jsonl"
    exported.write_text(journal(state, "export", "--since", "10").good().out)
    assert [json.loads(line)["seq"] for line in exported.read_text().splitlines()] == list(range(10, 31))
    assert "21 events, from 10 to 30" in tidegate("journal", "verify", "--export", exported).good().out
    exported.write_text(exported.read_text().replace("too old", "too new"))
    assert tidegate("journal", "verify", "--export", exported).code == ExitCode.NO
    exported.write_text("not JSON\n")
    assert tidegate("journal", "verify", "--export", exported).code == ExitCode.IO_ERROR


def test_where_no_gateway_ever_served_that_is_said(tmp_path: Path) -> None:
    assert journal(tmp_path / "nowhere", "show").code == ExitCode.UNAVAILABLE


def test_a_file_that_is_no_journal_is_no_defect_of_ours(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    assert journal(tmp_path, "verify").code == ExitCode.IO_ERROR


def test_a_head_that_is_none_is_a_usage_error(state: Path) -> None:
    assert journal(state, "verify", "--noted", "30:abc").code == ExitCode.USAGE
