"""What is written up for every process is good until a moment, and never longer, whatever becomes of the writer."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.drill.board import Board, TooMuchError
from tidegate.drill.playing import NOTHING, Playing, Staged

GONE = Playing("d-1", (Staged(on="http://a", kind="refuse"), Staged(on="dns", kind="unresolved")))
WORSE = Playing("d-1", (Staged(on="http://a", kind="corrupt", after_bytes=7),))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_over_when_nobody_renews_it_though_nobody_takes_it_down() -> None:
    clock = Clock()
    board = Board(clock)
    assert board.read() is NOTHING
    board.put(GONE, 110.0)
    clock.now = 109.9
    assert board.read() == GONE
    assert board.read() is board.read()
    board.put(GONE, 115.0)
    clock.now = 114.9
    assert board.read() == GONE
    clock.now = 115.0
    assert board.read() is NOTHING
    board.put(WORSE, 120.0)
    assert board.read() == WORSE
    board.clear()
    assert board.read() == NOTHING


def test_another_process_sees_it_begin_change_and_end() -> None:
    board = Board()
    reading, writing = os.pipe()
    board.put(GONE, 1e9)
    child = os.fork()
    if child == 0:
        try:
            board.put(WORSE if board.read() == GONE else NOTHING, 1e9)
            os.write(writing, b"x")
        finally:
            os._exit(0)
    assert os.read(reading, 1) == b"x"
    os.waitpid(child, 0)
    assert board.read() == WORSE
    os.close(reading)
    os.close(writing)


@given(st.integers(0, 250), st.integers(1, 255), st.booleans())
def test_a_board_that_is_half_written_is_good_for_what_was_read_before_and_not_for_longer(
    at: int, flip: int, was_read: bool
) -> None:
    clock = Clock()
    board = Board(clock)
    board.put(GONE, 110.0)
    if was_read:
        assert board.read() == GONE
    board._memory[at % _used(board)] ^= flip
    assert board.read() == (GONE if was_read else NOTHING)
    clock.now = 110.0
    assert board.read() is NOTHING


def _used(board: Board) -> int:
    return len(bytes(board._memory).rstrip(b"\0"))


def test_more_than_there_is_room_for_is_refused() -> None:
    many = Playing("d-1", tuple(Staged(on=f"http://{i:02000}", kind="refuse") for i in range(200)))
    with pytest.raises(TooMuchError):
        Board().put(many, 1.0)
