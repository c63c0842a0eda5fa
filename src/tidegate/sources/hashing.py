"""The digest of a growing draft: as bytes come for small ones, in a thread behind the writer for large ones."""

import asyncio
import contextlib
import hashlib
import os

from tidegate.store.blobs import Draft

HASH_IN_THREAD_FROM_BYTES = 4 << 20
HASH_STEP_BYTES = 2 << 20


class Hashing:
    """Follows one draft. `saw` after each piece written; `digest` once at the end."""

    def __init__(self, draft: Draft, size: int) -> None:
        self._draft = draft
        self._hash = hashlib.sha256()
        self._threaded = size >= HASH_IN_THREAD_FROM_BYTES or draft.size > 0
        self._hashed = 0
        self._task: asyncio.Future[None] | None = None

    def saw(self, data: memoryview) -> None:
        """These bytes were just written to the draft."""
        if not self._threaded:
            self._hash.update(data)
        elif self._draft.size - self._hashed >= HASH_STEP_BYTES and (self._task is None or self._task.done()):
            loop = asyncio.get_running_loop()
            self._task = loop.run_in_executor(None, self._catch_up, self._draft.size)

    def _catch_up(self, upto: int) -> None:
        buffer = bytearray(HASH_STEP_BYTES)
        view = memoryview(buffer)
        while self._hashed < upto:
            count = os.preadv(self._draft.fd, [view[: upto - self._hashed]], self._hashed)
            if count == 0:
                return
            self._hash.update(view[:count])
            self._hashed += count

    async def settle(self) -> None:
        """Wait for the thread, however it ended: afterwards nobody reads the draft."""
        if self._task is not None:
            with contextlib.suppress(OSError):
                await asyncio.shield(self._task)

    async def digest(self) -> bytes:
        """Of everything that was written. Raises OSError."""
        if self._threaded:
            await self.settle()
            await asyncio.get_running_loop().run_in_executor(None, self._catch_up, self._draft.size)
        return self._hash.digest()
