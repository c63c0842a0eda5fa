"""Whatever a record holds, its reader answers or refuses it with a reason: and nothing else."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.advisories.samples import sample
from tidegate.advisories import debian_osv, debian_tracker, kev, ubuntu_notices, ubuntu_osv, ubuntu_tracker, ubuntu_vex
from tidegate.advisories.statement import Parsed, Record, Statement, Status
from tidegate.archive.errors import FormatError
from tidegate.archive.versions import compare

Parse = Callable[[bytes, str], Parsed]

DEBIAN_ENTRY = {
    "description": "text",
    "releases": {"bookworm": {"status": "resolved", "fixed_version": "1.2-3", "urgency": "low"}},
}
READERS: dict[str, tuple[Parse, bytes, str]] = {
    "ubuntu-osv": (ubuntu_osv.parse, sample("ubuntu-osv/UBUNTU-CVE-2014-9913.json"), ""),
    "ubuntu-notice": (ubuntu_osv.parse, sample("ubuntu-osv/USN-8226-1.json"), ""),
    "ubuntu-tracker": (ubuntu_tracker.parse, sample("ubuntu-tracker/CVE-2019-15903"), ""),
    "ubuntu-security-api": (
        ubuntu_tracker.parse,
        json.dumps(json.loads(sample("ubuntu-security-api.json"))["cves"][0]).encode(),
        "",
    ),
    "ubuntu-notices": (
        ubuntu_notices.parse,
        json.dumps(json.loads(sample("ubuntu-notices.json"))["notices"][1]).encode(),
        "",
    ),
    "ubuntu-vex": (ubuntu_vex.parse, sample("ubuntu-vex/CVE-2025-0167.json"), ""),
    "debian-tracker": (debian_tracker.parse, json.dumps(DEBIAN_ENTRY).encode(), "bash/CVE-2026-0001"),
    "debian-osv": (debian_osv.parse, sample("debian-osv/DSA-135.json"), ""),
    "kev": (kev.parse, json.dumps(json.loads(sample("kev.json"))["vulnerabilities"][0]).encode(), ""),
}
JSON_READERS = [name for name in READERS if name != "ubuntu-tracker"]
BITS = st.sampled_from(
    [
        b"",
        b"\0",
        b"\xff",
        b'"',
        b"\\ud800",
        b"{",
        b"]",
        b"null",
        b"1e999",
        b"-1",
        b"0",
        b"[[[[",
        b",",
        b"\n",
        b"(",
        b"_",
    ]
)
ODD_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 2**70, 1.5, "", "0", "\0", "é", "see the notes", "9" * 300, [], [None], {}, {"a": []}, ["0"]]
)


def check(name: str, data: bytes) -> None:
    """Read it: either statements that hold what they promise, or a FormatError."""
    parse, _, piece = READERS[name]
    try:
        record, statements = parse(data, piece)
    except FormatError as error:
        reason = str(error)
    else:
        check_parsed(name, record, statements)
        return
    assert reason.isprintable()


def check_parsed(name: str, record: Record, statements: Sequence[Statement]) -> None:
    """Each subject once, and versions that are some."""
    assert record.about
    assert len({one.subject for one in statements}) == len(statements)
    for one in statements:
        if one.status is Status.RELEASED and name != "ubuntu-vex":
            assert one.fixed is not None
        for version in (one.fixed, one.introduced):
            assert version is None or compare(version, "0") != 0


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, one in inner for path in paths(one, (*here, key)))]


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=25)
def test_bytes_that_were_changed_are_read_or_refused(name: str, data: st.DataObject) -> None:
    whole = READERS[name][1]
    at = data.draw(st.integers(0, len(whole)))
    check(name, whole[:at] + data.draw(BITS) + whole[at + data.draw(st.integers(0, 3)) :])


@pytest.mark.parametrize("name", JSON_READERS)
@given(data=st.data())
@settings(max_examples=40)
def test_values_that_were_exchanged_are_read_or_refused(name: str, data: st.DataObject) -> None:
    document = json.loads(READERS[name][1])
    *way, last = data.draw(st.sampled_from(paths(document)[1:]))
    holder = document
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(ODD_VALUES)
    check(name, json.dumps(document).encode())


@pytest.mark.parametrize("name", JSON_READERS)
def test_a_record_nested_10000_deep_is_refused_with_a_reason(name: str) -> None:
    parse, whole, piece = READERS[name]
    deep = b"[" * 10_000 + b"]" * 10_000
    # In a field that nobody reads, which a reader has to pass over all the same, and in its own place.
    for data in (whole.rstrip()[:-1] + b', "unread": ' + deep + b"}", deep):
        with pytest.raises(FormatError, match=r"nested too deep|Expected `object`|no field"):
            parse(data, piece)


@pytest.mark.parametrize("name", JSON_READERS)
def test_a_lone_surrogate_in_a_text_is_refused_with_a_reason(name: str) -> None:
    parse, whole, piece = READERS[name]
    at = {
        "kev": "vulnerabilityName",
        "ubuntu-vex": "description",
        "ubuntu-security-api": "priority",
        "ubuntu-notices": "title",
    }.get(name)
    at = at or ("description" if name == "debian-tracker" else "details")
    document = json.dumps(json.loads(whole)).encode()
    start = document.index(b'"' + at.encode() + b'": "') + len(at) + 5
    with pytest.raises(FormatError, match=r"surrogate|escape"):
        parse(document[:start] + b"\\ud800" + document[start:], piece)
