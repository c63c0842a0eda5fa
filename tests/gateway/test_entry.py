"""The shelf of open blobs: bounded, with a second chance, and never a descriptor too many."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.gateway import entry as module
from tidegate.gateway import usage
from tidegate.gateway.answer import Form
from tidegate.gateway.entry import BODY_KEPT_BYTES_MAX, PLACES_PER_ENTRY_MAX, Entry, Shelf, form_of

ENDS_TIMEOUT_S = 20.0

DATE = b"Sun, 22 Nov 2026 12:00:00 GMT"
LINE = b"GET /debian/x HTTP/1.1"
REQUEST = LINE + b"\r\nHost: archive.example\r\n\r\n"
LATER = b"Sun, 22 Nov 2026 12:00:01 GMT"


def blob(body: bytes) -> int:
    fd = os.memfd_create("blob", os.MFD_CLOEXEC)
    os.write(fd, body)
    return fd


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def form(number: int, size: int = 4) -> Form:
    return form_of(f"pool/{number}.deb", number.to_bytes(32, "big"), size, 1_000_000_000)


def put(shelf: Shelf, number: int, body: bytes = b"body") -> Entry:
    return shelf.put(blob(body), form(number, len(body)))


def test_full_answer_of_a_small_blob_is_one_piece_and_follows_the_clock() -> None:
    entry = put(Shelf(entries_max=2, body_bytes_max=100), 1)
    first = entry.at(DATE)
    assert first.startswith(b"HTTP/1.1 200 OK\r\nDate: " + DATE + b"\r\n")
    assert first.endswith(b"\r\nContent-Length: 4" + first.partition(b"Content-Length: 4")[2])
    assert first.partition(b"\r\n\r\n")[2] == b"body"
    assert entry.at(DATE) is first
    assert LATER in entry.at(LATER)


def test_body_is_kept_only_while_it_is_small_and_there_is_memory_set_aside() -> None:
    shelf = Shelf(entries_max=10, body_bytes_max=6)
    assert put(shelf, 1).body
    assert not put(shelf, 2).body
    assert not put(Shelf(entries_max=1, body_bytes_max=1 << 30), 3, b"x" * (BODY_KEPT_BYTES_MAX + 1)).body
    assert put(shelf, 2).at(DATE).endswith(b"\r\n\r\n")


def test_memory_of_an_evicted_body_is_given_back() -> None:
    shelf = Shelf(entries_max=1, body_bytes_max=6)
    for number in range(5):
        assert put(shelf, number).body


def test_descriptor_closes_with_its_last_user() -> None:
    shelf = Shelf(entries_max=1, body_bytes_max=0)
    entry = put(shelf, 1)
    fd = entry.fd
    put(shelf, 2)
    assert shelf.entry(form(1)) is None
    assert is_open(fd)  # a connection may still be sending it
    del entry
    gc.collect()
    assert not is_open(fd)


def test_large_blob_is_closed_in_a_thread() -> None:
    fd = blob(b"")
    closed = threading.Event()

    class Closer:
        def begin(self) -> None:
            pass

        def close(self, closing: int) -> None:
            assert closing == fd
            os.close(closing)
            closed.set()

    before, module._CLOSER = module._CLOSER, Closer()  # type: ignore[assignment]  # the shape is all that counts
    try:
        shelf = Shelf(entries_max=1, body_bytes_max=0)
        shelf.forget(shelf.put(fd, form(1, module.SLOW_CLOSE_BYTES)))
        gc.collect()
        assert closed.is_set()
    finally:
        module._CLOSER = before


def test_what_was_used_since_stays_and_the_rest_goes() -> None:
    shelf = Shelf(entries_max=3, body_bytes_max=0)
    for number in (1, 2, 3):
        put(shelf, number)
    put(shelf, 4)  # everybody was used once: a full turn, and the first goes
    assert shelf.entry(form(1)) is None
    assert shelf.entry(form(2)) is not None
    put(shelf, 5)
    assert shelf.entry(form(2)) is not None
    assert shelf.entry(form(3)) is None


def test_request_is_answered_until_it_may_mean_something_else() -> None:
    shelf = Shelf(entries_max=3, body_bytes_max=0)
    entry = put(shelf, 1)
    shelf.remember(REQUEST, entry, LINE)
    assert shelf.by_request[REQUEST] == (entry, LINE)
    shelf.forget_requests()
    assert not shelf.by_request
    assert shelf.entry(form(1)) is entry


def test_request_longer_than_any_honest_one_is_not_kept_in_memory() -> None:
    shelf = Shelf(entries_max=3, body_bytes_max=0)
    shelf.remember(b"x" * (module.REQUEST_KEPT_BYTES_MAX + 1), put(shelf, 1), LINE)
    assert not shelf.by_request


def test_evicted_entry_takes_its_requests_along() -> None:
    shelf = Shelf(entries_max=1, body_bytes_max=0)
    entry = put(shelf, 1)
    shelf.remember(b"a", entry, LINE)
    shelf.remember(b"b", entry, LINE)
    put(shelf, 2)
    assert not shelf.by_request


class Counted(dict[bytes, tuple[Entry, bytes]]):
    """Requests that count how many of them were looked at in passing."""

    seen = 0

    def __iter__(self) -> Iterator[bytes]:
        for request in super().__iter__():
            self.seen += 1
            yield request

    def items(self) -> Any:
        self.seen += len(self)
        return super().items()


def test_eviction_looks_at_no_requests_but_those_it_takes_along() -> None:
    shelf = Shelf(entries_max=100, body_bytes_max=0)
    shelf.by_request = remembered = Counted()
    for number in range(200):
        entry = put(shelf, number)
        for way in range(2):
            shelf.remember(b"%d %d" % (number, way), entry, LINE)
    assert remembered.seen == 0
    assert len(remembered) == 200


def test_request_that_means_another_entry_now_stays_when_the_former_one_goes() -> None:
    shelf = Shelf(entries_max=4, body_bytes_max=0)
    former, latter = put(shelf, 1), put(shelf, 2)
    shelf.remember(REQUEST, former, LINE)
    shelf.remember(REQUEST, latter, LINE)
    shelf.forget(former)
    assert shelf.by_request[REQUEST] == (latter, LINE)
    shelf.forget(latter)
    assert not shelf.by_request


def test_forgotten_entry_is_gone_under_every_name() -> None:
    shelf = Shelf(entries_max=2, body_bytes_max=100)
    entry = put(shelf, 1)
    shelf.remember(b"a", entry, LINE)
    shelf.forget(entry)
    assert shelf.entry(form(1)) is None
    assert not shelf.by_request
    shelf.forget(entry)
    assert put(shelf, 2, b"x" * 100).body, "what is forgotten twice is given back once"
    assert not put(shelf, 3, b"x").body


def test_late_word_of_damage_does_not_take_down_what_stands_there_now() -> None:
    shelf = Shelf(entries_max=2, body_bytes_max=100)
    damaged = put(shelf, 1)
    shelf.forget(damaged)
    fresh = put(shelf, 1)
    shelf.forget(damaged)
    assert shelf.entry(form(1)) is fresh


actions = st.lists(
    st.tuples(st.sampled_from(["ask", "remember", "forget", "change"]), st.integers(0, 9), st.integers(0, 40)),
    max_size=60,
)


@settings(max_examples=40)
@given(actions, st.integers(1, 4), st.integers(0, 60))
def test_shelf_keeps_its_bounds_whatever_happens(
    actions: list[tuple[str, int, int]], entries_max: int, body_bytes_max: int
) -> None:
    shelf = Shelf(entries_max=entries_max, body_bytes_max=body_bytes_max)
    for action, number, name in actions:
        size = number * 5
        entry = shelf.entry(form(number, size)) or shelf.put(blob(b"x" * size), form(number, size))
        if action == "remember":
            shelf.remember(b"%d" % name, entry, LINE)
        elif action == "forget":
            shelf.forget(entry)
        elif action == "change":
            shelf.forget_requests()
        shelved = set(shelf._by_form.values())
        assert len(shelved) <= entries_max
        assert len(shelf.by_request) <= 2 * entries_max
        assert {entry for entry, _ in shelf.by_request.values()} <= shelved
        names = [(request, entry) for entry, requests in shelf._requests_of.items() for request in requests]
        assert len(names) == len(shelf.by_request)
        assert all(shelf.by_request[request][0] is entry for request, entry in names)
        assert sum(one.size for one in shelved if one.body) == shelf._body_bytes <= body_bytes_max


def test_a_use_is_told_once_and_again_only_after_another() -> None:
    shelf = Shelf(entries_max=4, body_bytes_max=0)
    entry = put(shelf, 1)
    entry.asked_at(("debian", "pool/1.deb"))
    assert shelf.used() == (("debian", "pool/1.deb"),)
    assert shelf.used() == ()
    assert shelf.entry(form(1)) is entry
    entry.asked_at(("contoso", "pool/1.deb"))
    assert shelf.used() == (("debian", "pool/1.deb"), ("contoso", "pool/1.deb"))


def test_a_use_of_what_had_to_make_room_is_told_all_the_same() -> None:
    shelf = Shelf(entries_max=2, body_bytes_max=0)
    for number in range(6):
        put(shelf, number).asked_at(("debian", f"pool/{number}.deb"))
    assert set(shelf.used()) == {("debian", f"pool/{number}.deb") for number in range(6)}


def test_telling_of_a_use_takes_nobodys_second_chance() -> None:
    shelf = Shelf(entries_max=3, body_bytes_max=0)
    for number in (1, 2, 3, 4):
        put(shelf, number)  # the last takes a full turn: 1 goes, and of 2 and 3 it is forgotten that they were used
    assert shelf.entry(form(2)) is not None
    shelf.used()
    put(shelf, 5)
    assert shelf.entry(form(2)) is not None
    assert shelf.entry(form(3)) is None


def test_a_use_that_no_entry_has_is_put_down_by_itself_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "PLACES_MAX", 2)
    shelf = Shelf(entries_max=2, body_bytes_max=0)
    for number in (1, 1, 2, 3):
        shelf.usage.add([("debian", f"pool/{number}.deb")])
    assert shelf.used() == (("debian", "pool/1.deb"), ("debian", "pool/2.deb"))
    assert shelf.used() == ()


def test_an_entry_remembers_only_so_many_places() -> None:
    entry = put(Shelf(entries_max=1, body_bytes_max=0), 1)
    for number in range(PLACES_PER_ENTRY_MAX + 3):
        entry.asked_at(("debian", f"pool/{number}.deb"))
    assert len(entry.places) == PLACES_PER_ENTRY_MAX


def test_what_was_removed_from_the_store_is_let_go_of_once_nobody_uses_it(tmp_path: Path) -> None:
    shelf = Shelf(entries_max=5, body_bytes_max=0)
    files = [tmp_path / name for name in ("removed", "held")]
    for number, file in enumerate(files):
        file.write_bytes(b"body")
        entry = shelf.put(os.open(file, os.O_RDONLY), form(number))
        shelf.remember(REQUEST + b"%d" % number, entry, LINE)
    put(shelf, 2)  # in memory only, since the disk was full: nobody else has it
    files[0].unlink()
    del entry
    shelf.used()  # it was used since the last time
    assert shelf.entry(form(0)) is not None
    shelf.used()
    shelf.used()
    assert shelf.entry(form(0)) is None
    assert REQUEST + b"0" not in shelf.by_request
    assert shelf.entry(form(1)) is not None
    assert shelf.entry(form(2)) is not None


def test_program_that_ends_with_a_large_file_open_does_end() -> None:
    """Which is closed in a thread, and an interpreter that ends begins none."""
    program = """
import os
from tidegate.gateway.entry import SLOW_CLOSE_BYTES, Entry, form_of
fd = os.memfd_create("large")
os.ftruncate(fd, SLOW_CLOSE_BYTES)
kept = Entry(fd, form_of("pool/large.deb", bytes(32), SLOW_CLOSE_BYTES, 0), keep_body=False)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=ENDS_TIMEOUT_S)
