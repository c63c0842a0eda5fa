"""A whole feed with something hostile in it: the rest comes in, what is wrong is named, and nothing else happens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.advisories.samples import DATA, NOON, folder, sample, tar
from tidegate.advisories.feeds import EPSS, FEEDS
from tidegate.advisories.from_files import take_in_path
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.statement import Piece
from tidegate.advisories.taking_in import NotTakenInError, TakenIn
from tidegate.archive.errors import FormatError

HUGE_BYTES = 100 * 10**6
DEEP = b"[" * 10_000 + b"]" * 10_000
SURROGATE = b'"\\ud800"'
NAMES = {
    "ubuntu-osv": "osv/cve/UBUNTU-CVE-2026-99999.json",
    "ubuntu-tracker": "active/CVE-2026-99999",
    "ubuntu-vex": "vex/cve/CVE-2026-99999.json",
    "debian-osv": "DSA-9999.json",
}
"""A record's name, of feeds whose records are files."""
MEMBERS = {"debian-tracker": b'"zz": {"CVE-2026-99999": %s}', "kev": b"%s", "ubuntu-notices": b"%s"}
ALL = sorted([*FEEDS, EPSS])


def feed_file(name: str, record: bytes | None = None) -> tuple[str, bytes]:
    """A feed of real records as one file, and its name; `record` is one more."""
    if name in NAMES:
        hostile = [] if record is None else [Piece(NAMES[name], record)]
        return "all.tar", tar([*folder(name), *hostile])
    if name == EPSS:
        lines = sample("epss-2022-02-04.csv")
        return "scores.csv", lines if record is None else lines + record + b"\n"
    whole = sample(f"{name}.json").rstrip()
    if record is None:
        return f"{name}.json", whole
    if name == "debian-tracker":
        return "json", whole[:-1].rstrip() + b', "zz": {"CVE-2026-99999": ' + record + b"}}"
    member = {"kev": b'"vulnerabilities"', "ubuntu-notices": b'"notices"', "ubuntu-security-api": b'"cves"'}[name]
    at = whole.index(b"[", whole.index(member)) + 1
    return f"{name}.json", whole[:at] + record + b", " + whole[at:]


def take(directory: Path, name: str, record: bytes | None = None) -> tuple[MemoryHistory, TakenIn]:
    file, data = feed_file(name, record)
    path = directory / file
    path.write_bytes(data)
    history = MemoryHistory()
    return history, take_in_path(history, name, path, origin="x", fetched_at=NOON)


def test_there_is_a_feed_file_of_each() -> None:
    assert all(feed_file(name) for name in ALL)
    assert (DATA / "ubuntu-osv").is_dir()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "record", [DEEP, SURROGATE, b"{}", b"null", b"\xff\xfe"], ids=["deep", "surrogate", "empty", "null", "bytes"]
)
def test_a_hostile_record_is_named_and_spoils_no_other(tmp_path: Path, name: str, record: bytes) -> None:
    _, clean = take(tmp_path, name)
    if name == "debian-tracker" and record == b"\xff\xfe":
        record = b'"\xff\xfe"'
    if name in ("kev", "ubuntu-notices", "ubuntu-security-api") and record == b"\xff\xfe":
        record = b'{"\xff": "\xfe"}'
    history, taken = take(tmp_path, name, record)
    assert taken.seen == clean.seen
    (problem,) = taken.problems
    assert problem.what.isprintable()
    assert problem.where.isprintable()
    state = history.feed(name)
    assert state is not None
    assert state.unreadable == 1
    assert [one.feed for one in history.unreadable()] == [name]


@pytest.mark.parametrize("name", ["ubuntu-osv", "kev", EPSS])
def test_a_record_of_100_mb_is_passed_over_and_named(tmp_path: Path, name: str) -> None:
    _, clean = take(tmp_path, name)
    _, taken = take(tmp_path, name, b'"' + b"x" * HUGE_BYTES + b'"')
    assert taken.seen == clean.seen
    (problem,) = taken.problems
    assert len(str(problem)) < 1000


BITS = st.sampled_from(
    [
        b"",
        b"\0",
        b"\xff",
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\n",
        b"null",
        b"1e999",
        b"\\ud800",
        b"\x80\0",
    ]
)


@pytest.mark.parametrize("name", ALL)
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_feed_whose_bytes_were_changed_is_taken_in_or_refused_as_a_whole(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    file, whole = feed_file(name)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        whole = whole[:at] + data.draw(BITS) + whole[at + data.draw(st.integers(0, 600)) :]
    path = tmp_path / file
    path.write_bytes(whole)
    history = MemoryHistory()
    try:
        taken = take_in_path(history, name, path, origin="x", fetched_at=NOON)
    except (FormatError, NotTakenInError) as error:
        told = str(error)
    else:
        assert history.feed(name) is not None
        assert all(problem.what.isprintable() for problem in taken.problems)
        return
    assert history.feed(name) is None
    assert told.isprintable()


def test_a_document_of_many_small_things_is_read_in_bounded_time(tmp_path: Path) -> None:
    """What is cheap to send must not be dear to read."""
    stories: list[Callable[[], Any]] = [
        lambda: {"p": {f"CVE-2026-{number}": {"releases": {}} for number in range(10_000, 14_000)}},
        lambda: {f"p{number}": {"CVE-2026-10000": {"releases": {}}} for number in range(4_000)},
    ]
    for story in stories:
        (tmp_path / "json").write_text(json.dumps(story()))
        taken = take_in_path(MemoryHistory(), "debian-tracker", tmp_path / "json", origin="x", fetched_at=NOON)
        assert taken.seen == 4_000
