"""A history that happened: nine months of Ubuntu's tracker, transition by transition, asked at every moment."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from tests.advisories.samples import DATA, provenance
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.history import History
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.statement import Piece, Status
from tidegate.advisories.taking_in import take_in

TRACKER = FEEDS["ubuntu-tracker"]

Line = tuple[str, str]
"""Release and source package."""
Lines = dict[Line, tuple[str, str]]
"""Status and note of each."""


def moments() -> Iterator[tuple[int, dict[str, Lines]]]:
    """Each moment at which something changed, with all lines of the CVEs that did."""
    standing: dict[str, Lines] = defaultdict(dict)
    changed: dict[str, Lines] = {}
    now = 0
    for text in (DATA / "ubuntu-tracker-transitions.jsonl").read_text().splitlines():
        transition = json.loads(text)
        at = int(datetime.fromisoformat(transition["t"]).timestamp())
        if at != now and changed:
            yield now, {cve: dict(lines) for cve, lines in changed.items()}
            changed = {}
        now, lines = at, standing[transition["cve"]]
        place = transition["release"], transition["source"]
        if transition["to"] is None:
            lines.pop(place, None)
        else:
            lines[place] = tuple(transition["to"])
        changed[transition["cve"]] = lines
    yield now, changed


def as_file(cve: str, lines: Lines) -> Piece:
    """The tracker's own form."""
    said = (f"{release}_{source}: {status} ({note})" for (release, source), (status, note) in lines.items())
    return Piece(f"active/{cve}", "\n".join([f"Candidate: {cve}", *said]).replace(" ()", "").encode())


def as_lines(history: History, cve: str, at: int) -> Lines:
    """What is answered for a moment, in the tracker's words."""
    found: Lines = {}
    for said in history.said(cve, at):
        one = said.statement
        release = f"{one.place.pocket}/{one.place.release}".lstrip("/")
        found[release, one.package] = one.status.value, one.fixed or one.note
    return found


def replay(history: History) -> dict[tuple[str, int], Lines]:
    """Take everything in, moment by moment; returns what was said of each CVE from each of its moments on."""
    expected: dict[tuple[str, int], Lines] = {}
    for at, changed in moments():
        pieces = [as_file(cve, lines) for cve, lines in changed.items()]
        taken = take_in(history, TRACKER, pieces, provenance(TRACKER.name, at), whole=False)
        assert taken.problems == ()
        expected |= {
            (cve, at): {line: said for line, said in lines.items() if said[0] != "DNE"}
            for cve, lines in changed.items()
        }
    return expected


def test_what_was_known_is_answered_for_each_moment_of_a_real_history(tmp_path: Path) -> None:
    memory = MemoryHistory()
    with closing(SqliteHistory(tmp_path / "history.db")) as sqlite:
        expected = replay(sqlite)
        assert replay(memory) == expected
        for (cve, at), lines in expected.items():
            assert as_lines(sqlite, cve, at) == lines, (cve, at)
            assert as_lines(memory, cve, at) == lines, (cve, at)
        for cve in {cve for cve, _ in expected}:
            assert sqlite.spans(cve) == memory.spans(cve)


def test_a_fix_that_was_taken_back_is_still_told_of(tmp_path: Path) -> None:
    history = MemoryHistory()
    replay(history)
    cves = {cve for _, changed in moments() for cve in changed}
    spans = [said for cve in cves for said in history.spans(cve) if said.statement.status is Status.RELEASED]
    taken_back = [
        said
        for said in spans
        if said.until is not None
        and any(
            later.statement.subject == said.statement.subject and later.statement.status is not Status.RELEASED
            for later in history.said(said.statement.about, said.until)
        )
    ]
    assert taken_back
