"""The access log: counted in batches, and JSON whatever is in it (threat 42)."""

import json
import os
import select
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway import access_log as module
from tidegate.gateway.access_log import LACKING, AccessLog, write_lines

lines = st.binary(max_size=80)
peers = st.ip_addresses().map(str)
notes = st.tuples(peers, lines, st.integers(100, 599), st.integers(0, 2**40), st.text(max_size=300))


def test_answers_are_counted_by_status_and_by_how_they_were_come_by() -> None:
    log = AccessLog(None)
    log.note(("192.0.2.1", b"GET /a HTTP/1.1", 200, 10, "hit"))
    log.note(("192.0.2.1", b"GET /a HTTP/1.1", 206, 5, "stream; from=http://mirror.example"))
    log.note(("192.0.2.1", b"GET /b HTTP/1.1", 403, 0, "refused; no such archive"))
    assert not log.by_status
    log.flush()
    assert dict(log.by_how) == {"hit": 1, "stream": 1, "refused": 1}
    assert dict(log.by_status) == {200: 1, 206: 1, 403: 1}
    assert log.bytes == 15
    log.flush()
    assert log.bytes == 15


def test_refusals_are_told_to_whoever_wants_to_know() -> None:
    told: list[tuple[str, str]] = []
    log = AccessLog(None)
    log.on_refusal = lambda line, why: told.append((line, why))
    log.note(("192.0.2.1", b"GET /a HTTP/1.1", 403, 0, "refused; no such archive"))
    log.note(("192.0.2.1", b"GET /b HTTP/1.1", 200, 0, "hit"))
    log.flush()
    assert told == [("GET /a HTTP/1.1", "no such archive")]


def test_answer_is_one_line_with_all_that_is_known_of_it() -> None:
    written: list[bytes] = []
    log = AccessLog(written.append)
    log.note(("2001:db8::1", b"GET /debian/x HTTP/1.1", 200, 10, "hit"))
    log.close()
    (line,) = b"".join(written).splitlines()
    told = json.loads(line)
    assert told.pop("at")
    assert told == {
        "event": "answered",
        "client": "2001:db8::1",
        "request": "GET /debian/x HTTP/1.1",
        "status": 200,
        "bytes": 10,
        "how": "hit",
    }


@given(st.lists(notes, min_size=1, max_size=5))
def test_every_line_is_json_whatever_clients_and_sources_wrote(noted: list[tuple[str, bytes, int, int, str]]) -> None:
    written: list[bytes] = []
    log = AccessLog(written.append)
    for note in noted:
        log.note(note)
    log.close()
    text = b"".join(written)
    assert text.endswith(b"\n")
    found = [json.loads(line) for line in text.split(b"\n")[:-1]]
    assert [one["status"] for one in found] == [note[2] for note in noted]
    assert not any(byte < 0x20 and byte != 0x0A for byte in text)
    assert b"\x7f" not in text


def hit(log: AccessLog, count: int = 1) -> None:
    for _ in range(count):
        log.note(("192.0.2.1", b"GET /a HTTP/1.1", 200, 0, "hit"))


def test_reader_that_stands_still_holds_up_nobody_and_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    reads_on = threading.Event()
    written: list[bytes] = []

    def write(lines: bytes) -> None:
        assert reads_on.wait(10)
        written.append(lines)

    log = AccessLog(write)
    for _ in range(2):
        hit(log, 5)
        log.flush()
    assert not written
    reads_on.set()
    log.close()
    told = [json.loads(line) for line in b"".join(written).splitlines()]
    assert [one["event"] for one in told] == ["answered"] * 3 + ["not-logged"]
    assert told[-1]["answers"] == 7
    assert log.by_how["hit"] == 10


def test_lines_that_could_not_be_written_are_told_once_it_works_again() -> None:
    tries: list[bytes] = []

    def write(lines: bytes) -> None:
        tries.append(lines)
        if len(tries) <= 2:
            raise BrokenPipeError

    log = AccessLog(write)
    hit(log)
    log.close()
    told = json.loads(tries[-1])
    assert (told["event"], told["answers"], len(tries)) == ("not-logged", 1, 3)


@given(st.lists(st.integers(0, 3 * select.PIPE_BUF), max_size=3))
def test_lines_go_out_whole_and_in_pieces_that_a_pipe_takes_at_once(lengths: list[int]) -> None:
    lines = b"".join(b"x" * length + b"\n" for length in lengths)
    reading, writing = os.pipe2(os.O_DIRECT)  # as packets: each read brings what one write took
    try:
        write_lines(writing, lines)
        os.close(writing)
        pieces = list(iter(lambda: os.read(reading, 1 << 16), b""))
    finally:
        os.close(reading)
    assert b"".join(pieces) == lines
    assert all(piece.endswith(b"\n") for piece in pieces if len(piece) < select.PIPE_BUF)


def test_what_is_lacking_is_counted_among_the_refused_and_the_word_for_it_is_not_told_to_people() -> None:
    told: list[tuple[str, str]] = []
    log = AccessLog(None)
    log.on_refusal = lambda line, why: told.append((line, why))
    for how in ("hit", f"refused; {LACKING}no source answers", "refused; no such path"):
        log.note(("127.0.0.1", b"GET / HTTP/1.1", 200, 0, how))
    log.flush()
    assert (log.by_how["refused"], log.by_how["hit"], log.lacking) == (2, 1, 1)
    assert [why for _, why in told] == ["no source answers", "no such path"]
