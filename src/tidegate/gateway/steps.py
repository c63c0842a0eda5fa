"""What the gateway asks of whoever keeps the store fresh. It knows no keeper: wiring joins the two."""

from collections.abc import Sequence
from typing import Protocol


class Steps(Protocol):
    """Things that have to happen before an answer is possible. Each is shared by all who ask for the same."""

    async def ensure(self, archive: str, suite: str) -> str | None:
        """See that a suite is served: None when it is, else why not, in a sentence."""
        ...

    async def freshen(self, archive: str, suite: str) -> None:
        """Look at a served suite, and wait for the end of it, a bounded time; what is held does otherwise."""
        ...

    async def complete(self, archive: str, suite: str) -> str | None:
        """See that Release and Release.gpg are there too: None, or why not."""
        ...

    async def list_one(self, archive: str, suite: str, path: str) -> str | None:
        """Take in one index (path relative to the suite), so that what it lists is known: None, or why not."""
        ...

    async def widen(self, archive: str, path: str) -> str | None:
        """Take in all further indices that may list this path: None, or why one of them could not be had."""
        ...

    def noticed(self, archive: str, suite: str, path: str) -> None:
        """A client asked for this index: hold it beforehand from now on."""
        ...


class Uses(Protocol):
    """Who is told what clients use. Every worker has one of its own."""

    def used(self, places: Sequence[tuple[str, str]]) -> None:
        """Clients asked for these artifacts of late, each an archive and a path below it. Returns at once."""
        ...
