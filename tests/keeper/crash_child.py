"""What is killed: one look at a suite, or one cold fetch, by the real store, keeper and ingest process.

python -m tests.keeper.crash_child DIRECTORY KEYRING URL look|PATH
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from tests.keeper.house import configured, house
from tidegate.keeper.ingest_process import ingest_in_process
from tidegate.keeper.outcome import NotAdopted
from tidegate.store import committer


async def act(directory: Path, keyring: Path, url: str, what: str) -> None:
    """Do it once, and go."""
    archive = configured(keyring, url)
    async with (
        asyncio.timeout(60),
        house(directory, archive, ingest=lambda layout, _: ingest_in_process(layout.catalogue)) as here,
    ):
        if what == "look":
            outcome = await here.look()
            assert not isinstance(outcome, NotAdopted), outcome
        else:
            assert await here.fetch(what) is not None


if __name__ == "__main__":
    committer.LINGER_S = 0.0
    uvloop.run(act(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
