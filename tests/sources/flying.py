"""A place to fetch to, and short words for fetching there."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulator.server import SourceServer
from tests.sources.sinks import settings
from tests.store.drafts import read
from tidegate.sources.archive import Reach, Source, source_of
from tidegate.sources.fetching import Fetching
from tidegate.sources.flight import Flight, Stage, Wanted
from tidegate.sources.health import Health
from tidegate.sources.settings import HealthSettings
from tidegate.store.blobs import BlobStore
from tidegate.store.file_blobs import FileBlobs
from tidegate.store.layout import Layout
from tidegate.store.settings import StoreSettings

HEALTH = HealthSettings(backoff_base_s=0.02, hedge_after_unknown_s=20.0, hedge_after_min_s=20.0, hedge_after_max_s=20.0)
"""No rival before twenty seconds, so that a busy machine asks nobody too many; where it is the test, less is said."""
PATH = "pool/main/h/hello/hello_1_amd64.deb"


def wanted(data: bytes) -> Wanted:
    return Wanted(hashlib.sha256(data).digest(), len(data))


def source(server: SourceServer) -> Source:
    return source_of(server.url, reach=Reach.ANY, operator=str(server.port), kind="mirror")


@dataclass(slots=True)
class Place:
    """A store in a directory of its own, and what fetches into it."""

    fetching: Fetching
    blobs: BlobStore
    layout: Layout

    def fetch(self, data: bytes, *servers: SourceServer, paths: Sequence[str] = (PATH,)) -> Flight:
        """Begin, or join, the flight of these bytes."""
        return self.fetching.fetch(wanted(data), [source(server) for server in servers], paths)

    async def hold(self, data: bytes, *servers: SourceServer, paths: Sequence[str] = (PATH,)) -> Flight:
        """The same to its end; asserts what every end promises."""
        flight = await self.fetching.hold(wanted(data), [source(server) for server in servers], paths)
        self.is_coherent(flight, data)
        return flight

    def is_coherent(self, flight: Flight, data: bytes) -> None:
        """A flight that has ended is whole or nothing, and leaves no half of anything."""
        if flight.complete:
            assert flight.available == len(data)
            assert flight.draft.size == len(data)
        else:
            assert flight.failed
            assert flight.available == 0
        assert read(self.blobs, wanted(data).digest) == (data if flight.stage is Stage.HELD else None)
        assert self.fetching.under_way(wanted(data).digest) is None

    @property
    def leftovers(self) -> list[Path]:
        """Names of drafts."""
        return list(self.layout.tmp.iterdir())


def asked(server: SourceServer) -> list[str]:
    """The ranges of all requests so far, "" for the whole."""
    return [request.range for request in server.asked()]


@asynccontextmanager
async def place(
    directory: Path, store: StoreSettings | None = None, health: HealthSettings = HEALTH, **changes: Any
) -> AsyncIterator[Place]:
    """Fetching into files below `directory`; everything is ended with the block."""
    layout = Layout(directory / "state", directory / "cache")
    layout.make()
    blobs = FileBlobs(layout)
    fetching = Fetching(blobs, settings(**changes), store or StoreSettings(free_bytes_min=0), Health(health))
    try:
        yield Place(fetching, blobs, layout)
    finally:
        await fetching.close()
