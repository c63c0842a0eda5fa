"""Group commit: what was handed over is held when its future says so, and a full disk is told to who waits."""

import asyncio
import threading
from pathlib import Path

import pytest
import uvloop

from tests.store.drafts import read, sha256, verified
from tests.store.test_blobs import made
from tidegate.store import committer
from tidegate.store.blobs import Verified
from tidegate.store.committer import BATCH_MAX, Committer
from tidegate.store.file_blobs import FileBlobs


class Gated(FileBlobs):
    """Files whose disk waits for a signal, and may be full."""

    may: threading.Event
    full: bool
    batches: list[int]
    began: threading.Event

    def keep(self, verified: list[Verified]) -> None:
        self.began.set()
        self.batches.append(len(verified))
        assert self.may.wait(10)
        if self.full:
            raise OSError(28, "No space left on device")
        super().keep(verified)


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shared is tested by a disk that is busy; waiting for company would only take time."""
    monkeypatch.setattr(committer, "LINGER_S", 0.0)


@pytest.fixture
def blobs(tmp_path: Path) -> Gated:
    blobs = Gated(made(tmp_path))
    blobs.may, blobs.began, blobs.full, blobs.batches = threading.Event(), threading.Event(), False, []
    return blobs


def test_a_blob_is_held_when_its_future_is_done(blobs: Gated) -> None:
    async def story() -> None:
        keeping = Committer(blobs)
        held = keeping.keep(verified(blobs, b"one"))
        assert await asyncio.to_thread(blobs.began.wait, 10)
        assert not held.done()
        assert blobs.size(sha256(b"one")) is None
        blobs.may.set()
        await held
        assert read(blobs, sha256(b"one")) == b"one"
        keeping.close()

    uvloop.run(story())


def test_what_comes_while_the_disk_is_busy_is_kept_in_one_batch(blobs: Gated) -> None:
    async def story() -> None:
        keeping = Committer(blobs)
        first = keeping.keep(verified(blobs, b"first"))
        assert await asyncio.to_thread(blobs.began.wait, 10)
        more = [keeping.keep(verified(blobs, b"%d" % number)) for number in range(BATCH_MAX + 10)]
        blobs.may.set()
        await asyncio.gather(first, *more)
        keeping.close()

    uvloop.run(story())
    assert blobs.batches == [1, BATCH_MAX, 10]


def test_a_full_disk_is_told_to_everybody_in_the_batch_and_the_next_batch_goes_well(blobs: Gated) -> None:
    async def story() -> None:
        keeping = Committer(blobs)
        blobs.full = True
        blobs.may.set()
        with pytest.raises(OSError, match="No space"):
            await keeping.keep(verified(blobs, b"lost"))
        blobs.full = False
        await keeping.keep(verified(blobs, b"kept"))
        assert blobs.size(sha256(b"lost")) is None
        assert blobs.size(sha256(b"kept")) == 4
        keeping.close()

    uvloop.run(story())


def test_closing_finishes_what_was_begun(blobs: Gated) -> None:
    async def story() -> None:
        keeping = Committer(blobs)
        for number in range(20):
            keeping.keep(verified(blobs, b"%d" % number))
        blobs.may.set()
        await asyncio.get_running_loop().run_in_executor(None, keeping.close)

    uvloop.run(story())
    assert len(list(blobs.digests())) == 20


def test_a_waiter_that_left_does_not_keep_the_blob_from_being_held(blobs: Gated) -> None:
    async def story() -> None:
        keeping = Committer(blobs)
        keeping.keep(verified(blobs, b"one")).cancel()
        blobs.may.set()
        await keeping.keep(verified(blobs, b"two"))
        keeping.close()

    uvloop.run(story())
    assert read(blobs, sha256(b"one")) == b"one"


def test_a_programmers_error_with_one_draft_does_not_end_the_thread_for_all(blobs: Gated) -> None:
    async def story() -> None:
        keeping = Committer(blobs)
        twice = verified(blobs, b"twice")
        blobs.may.set()
        await keeping.keep(twice)
        with pytest.raises(ValueError, match="without a name"):
            await asyncio.wait_for(keeping.keep(twice), 5)
        await asyncio.wait_for(keeping.keep(verified(blobs, b"next")), 5)
        keeping.close()

    uvloop.run(story())


def test_nothing_of_a_group_is_kept_in_hand_once_it_is_committed(blobs: Gated) -> None:
    """A draft that is held on to keeps its descriptor, and a deleted file's bytes, until the next one comes."""

    async def story() -> None:
        blobs.may.set()
        keeping = Committer(blobs)
        closed = threading.Event()
        one = verified(blobs, b"one")
        one.draft.on_close = closed.set
        held = keeping.keep(one)
        del one
        await held
        del held
        assert await asyncio.to_thread(closed.wait, 10)
        keeping.close()

    uvloop.run(story())


def test_nobody_is_waited_for_once_it_is_known_that_nobody_comes(blobs: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "LINGER_S", 3600.0)
    blobs.may.set()

    async def story() -> None:
        keeping = Committer(blobs)
        held = [keeping.keep(verified(blobs, data)) for data in (b"one", b"two")]
        keeping.hurry()
        async with asyncio.timeout(10):
            await asyncio.gather(*held)
        keeping.close()

    uvloop.run(story())
