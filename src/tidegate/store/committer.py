"""Group commit: many finished drafts, one thread, few waits for the disk.

A client gets an object's last byte when it is verified; *held* it is a moment later, when the bytes, the name and
the directory are on the disk. Only what is held is promised to be there after a power cut.
"""

import asyncio
import queue
import threading
from dataclasses import dataclass

from tidegate.store.blobs import BlobStore, Verified

BATCH_MAX = 256
LINGER_S = 0.25
"""Behind a first draft, others are waited for so long, unless somebody knows that none will come: most of a commit's
cost is shared by all in it."""


@dataclass(frozen=True, slots=True)
class _Job:
    verified: Verified
    held: "asyncio.Future[None]"


class Committer:
    """Keeps verified drafts durable, in order, off the event loop. Made inside the loop that awaits it."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def keep(self, verified: Verified) -> "asyncio.Future[None]":
        """A future that is done when the blob is held; it raises OSError where the disk would not take it."""
        held: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put(_Job(verified, held))
        return held

    def hurry(self) -> None:
        """No more drafts are on their way: do not wait for any."""
        self._hurry.set()

    def close(self) -> None:
        """Finish what was begun, then end the thread."""
        self._jobs.put(None)
        self._hurry.set()
        self._thread.join()

    def _run(self) -> None:
        while self._round():
            pass

    def _round(self) -> bool:
        """One group, and whether there may be another. Of its own, so that nothing of a group outlives it here."""
        batch = [self._jobs.get()]
        if batch[0] is not None:
            self._hurry.wait(LINGER_S)
            self._hurry.clear()
        while len(batch) < BATCH_MAX and not self._jobs.empty():
            batch.append(self._jobs.get())
        self._commit([job for job in batch if job is not None])
        return None not in batch

    def _commit(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        error: Exception | None = None
        try:
            self._blobs.keep([job.verified for job in jobs])
        except Exception as raised:  # whatever it is: a thread that ended would leave everybody waiting
            error = raised
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, jobs, error)


def _settle(jobs: list[_Job], error: Exception | None) -> None:
    for job in jobs:
        if job.held.done():
            continue
        if error is None:
            job.held.set_result(None)
        else:
            job.held.set_exception(error)
            job.held.exception()  # whoever awaits still gets it; nobody awaiting is no warning
