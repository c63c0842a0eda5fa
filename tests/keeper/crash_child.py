"""What is killed: one look at a suite, one cold fetch, or one sweep, by the real store, keeper and ingest process.

    python -m tests.keeper.crash_child KEYRING URL look|gc|PATH

reads lines of a point and a directory, does it there once for each, and answers with how that ended: 0, or STRUCK.
`probe` in place of a directory says whether anything may be traced here.
"""

import asyncio
import sys
import time
from pathlib import Path

import uvloop

from tests.holding.keeping import sweeping
from tests.keeper.crash_point import Trace
from tests.keeper.house import configured, house
from tidegate.keeper.outcome import NotAdopted
from tidegate.store import committer
from tidegate.store.ingest_process import ingest_in_process

PROBE = "probe"


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
        elif what == "gc":
            assert (await sweeping(here, time.time()).sweep()).removed
        else:
            assert await here.fetch(what) is not None


def main(keyring: Path, url: str, what: str) -> None:
    """Point after point, as they are asked for."""
    for line in sys.stdin:
        point, _, directory = line.rstrip("\n").partition(" ")

        def once(at: str = directory) -> None:
            if at != PROBE:
                uvloop.run(act(Path(at), keyring, url, what))

        sys.stdout.write(f"{Trace(once, int(point)).run()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    committer.LINGER_S = 0.0
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
