"""The client counts what arrived whole, and says why anything did not."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from bench.client import fetch, must_fit, parse_head
from bench.peers import Door, mirror_door
from bench.process import BenchError

BODY = bytes(range(256)) * 2_000
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


@contextmanager
def answering(turn: Callable[[int], bytes | None]) -> Iterator[Door]:
    """A server that answers its n-th request with `turn(n)` and closes the connection on None."""
    listener = socket.create_server(("127.0.0.1", 0))
    count = 0
    lock = threading.Lock()

    def serve(client: socket.socket) -> None:
        nonlocal count
        with client:
            while client.recv(65_536).endswith(b"\r\n\r\n"):
                with lock:
                    number, count = count, count + 1
                answer = turn(number)
                if answer is None:
                    return
                client.sendall(answer)
                if b"Content-Length" not in answer or len(answer) < len(GOOD):
                    return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield mirror_door("test", listener.getsockname()[1], "a")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)


@pytest.mark.parametrize("digest", [False, True])
def test_every_path_is_answered_once_over_few_connections(digest: bool) -> None:
    with answering(lambda _: GOOD) as door:
        outcome = fetch(door, [f"p{n}" for n in range(20)], connections=3, digest=digest, timeout_s=20)
    assert outcome.lost == []
    assert sorted(one.path for one in outcome.fetched) == sorted(f"p{n}" for n in range(20))
    assert outcome.bytes == 20 * len(BODY)
    expected = hashlib.sha256(BODY).digest() if digest else None
    assert {one.sha256 for one in outcome.fetched} == {expected}


def test_a_body_cut_short_is_lost() -> None:
    with answering(lambda _: GOOD[:-1]) as door:
        outcome = fetch(door, ["p"], connections=1, timeout_s=20)
    assert [one.reason for one in outcome.lost] == ["closed 1 bytes before the end"]


def test_an_error_is_lost_with_its_status() -> None:
    with answering(lambda _: b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n") as door:
        outcome = fetch(door, ["p"], connections=1, timeout_s=20)
    assert [one.reason for one in outcome.lost] == ["status 503"]


def test_an_answer_without_a_length_is_lost() -> None:
    with answering(lambda _: b"HTTP/1.1 200 OK\r\n\r\nbody") as door:
        outcome = fetch(door, ["p"], connections=1, timeout_s=20)
    assert [one.reason for one in outcome.lost] == ["no Content-Length"]


def test_a_kept_connection_closed_before_an_answer_is_asked_once_more() -> None:
    with answering(lambda number: None if number == 1 else GOOD) as door:
        outcome = fetch(door, ["p0", "p1", "p2"], connections=1, timeout_s=20)
    assert (len(outcome.fetched), outcome.lost, outcome.reopened) == (3, [], 1)


def test_a_new_connection_closed_before_an_answer_is_lost() -> None:
    with answering(lambda number: None if number == 0 else GOOD) as door:
        outcome = fetch(door, ["p0", "p1"], connections=1, timeout_s=20)
    assert [(one.path, one.reason) for one in outcome.lost] == [("p0", "closed before the answer")]
    assert [one.path for one in outcome.fetched] == ["p1"]


def test_a_refused_connection_is_lost() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        door = mirror_door("test", unheard.getsockname()[1], "a")
        outcome = fetch(door, ["p"], connections=1, timeout_s=20)
    assert len(outcome.lost) == 1
    assert outcome.lost[0].reason.startswith("connection refused")


def test_what_is_not_done_in_time_is_lost_and_the_rest_never_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        door = mirror_door("test", silent.getsockname()[1], "a")
        outcome = fetch(door, ["p0", "p1"], connections=1, timeout_s=0.2)
    assert [one.path for one in outcome.lost] == ["p0", "p1"]


def test_wrong_bytes_do_not_fit() -> None:
    with answering(lambda _: GOOD) as door:
        outcome = fetch(door, ["p"], connections=1, digest=True, timeout_s=20)
    must_fit(outcome, {"p": hashlib.sha256(BODY).digest()})
    with pytest.raises(BenchError, match="wrong bytes"):
        must_fit(outcome, {"p": hashlib.sha256(b"other").digest()})


def test_connection_close_and_older_versions_end_a_connection() -> None:
    assert parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5") == (200, 5, True)
    assert parse_head(b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-length:7") == (200, 7, False)
    assert parse_head(b"HTTP/1.0 404 Not Found") == (404, -1, False)
