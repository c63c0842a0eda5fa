"""What runs out of room: an adoption with its prefetch, a cold fetch, a sweep, in one process that goes on serving.

    python -m tests.keeper.full_child KEYRING URL look|gc|PATH

reads lines of a point, `once` or `on`, and a directory, does it there with a disk that is full at that point (and from
then on), and answers with how that ended (0) and how many points there were. What it must do meanwhile is asserted
here: serve what it has, give a client its bytes, and end in order.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import uvloop

from tests.holding.keeping import sweeping
from tests.keeper.full_point import Starved
from tests.keeper.house import INRELEASE, House, configured, house
from tidegate.keeper.outcome import NotAdopted
from tidegate.sources.flight import Stage, Wanted
from tidegate.store import committer
from tidegate.store.ingest_process import ingest_in_process

BEGUN = "begun"
NEVER = 1 << 30


async def act(directory: Path, keyring: Path, url: str, what: str) -> None:
    """Do it once, served all the while, and go."""
    archive = configured(keyring, url)
    async with (
        asyncio.timeout(60),
        house(directory, archive, ingest=lambda layout, _: ingest_in_process(layout.catalogue)) as here,
    ):
        before = here.served()
        (directory / BEGUN).touch()
        if what == "look":
            outcome = await here.look()
            after = here.served()
            assert isinstance(outcome, NotAdopted) == (after == before), outcome
        elif what == "gc":
            await swept(here)
        else:
            await given(here, what)
        served = here.served()
        assert before is None or served is not None
        assert served is None or here.read(INRELEASE) is not None


async def swept(here: House) -> None:
    """Sweep; a disk that is full keeps nothing from being removed."""
    decided = await sweeping(here, time.time()).sweep()
    assert len(decided.removed) == len(decided.decision.removals) > 0


async def given(here: House, path: str) -> None:
    """A client's file comes whole, whether it can be kept or not."""
    listed = here.catalogue.artifact(here.archive.name, path)
    assert listed is not None
    flight = await here.fetching.hold(Wanted(listed.digest, listed.size), here.archive.sources, (path,))
    assert flight.stage in (Stage.HELD, Stage.VERIFIED), flight.failure
    assert len(os.pread(flight.draft.fd, listed.size + 1, 0)) == listed.size


def main(keyring: Path, url: str, what: str) -> None:
    """Point after point, as they are asked for."""
    for line in sys.stdin:
        point, how, name = line.rstrip("\n").split(" ", 2)
        directory = Path(name)

        def once(at: Path = directory) -> None:
            uvloop.run(act(at, keyring, url, what))

        trace = Starved(once, int(point) or NEVER, directory, directory / BEGUN, once=how == "once")
        sys.stdout.write(f"{trace.run()} {trace.count}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    committer.LINGER_S = 0.0
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
