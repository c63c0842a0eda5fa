"""Probing every source of the archives: by the running gateway's prober, or by one of our own where none runs."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from tidegate.config import Gathered
from tidegate.keeper.probing import Probe, Prober
from tidegate.keeper.release_files import Trust
from tidegate.sources.archive import Archive
from tidegate.sources.fetching import Fetching
from tidegate.sources.health import Health
from tidegate.sources.health_file import HealthFile
from tidegate.sources.settings import HealthSettings
from tidegate.store.layout import Layout
from tidegate.store.marks import MemoryMarks
from tidegate.store.memory_blobs import MemoryBlobs
from tidegate.store.memory_catalogue import MemoryCatalogue
from tidegate.trust.verifier import verifier_for
from tidegate.web.probe_report import ProbeReport, ProbeRound
from tidegate.wiring.archives import archives_of
from tidegate.wiring.store import Store, layout_of, open_store

Told = Callable[[ProbeRound | ProbeReport], None]


async def as_they_end(probes: Sequence["asyncio.Future[Probe]"]) -> AsyncIterator[ProbeRound | ProbeReport]:
    """How many there are, then each as it ends."""
    yield ProbeRound(sources=len(set(probes)))
    for ended in asyncio.as_completed(probes):
        yield _report(await ended)


def remembered_health(
    layout: Layout, settings: HealthSettings, archives: Iterable[Archive], on_trouble: Callable[[str], None]
) -> Health:
    """What the last gateway left word of about these archives' sources."""
    health = Health(settings)
    urls = {source.url for archive in archives for source in archive.sources}
    HealthFile(layout.sources, health, lambda: urls, on_trouble).load()
    return health


def probe_alone(
    gathered: Gathered, environment: Mapping[str, str], archive: str | None, told: Told
) -> tuple[ProbeReport, ...]:
    """Probe where no gateway runs, and tell each as it ends. Measured against what the state has accepted, if any."""
    layout = layout_of(gathered.settings.store, environment, uid=os.getuid())
    store = open_store(layout) if layout.catalogue.exists() else None
    try:
        return asyncio.run(_alone(gathered, store, archive, told))
    finally:
        if store is not None:
            store.close()


async def _alone(gathered: Gathered, store: Store | None, archive: str | None, told: Told) -> tuple[ProbeReport, ...]:
    settings = gathered.settings
    archives, _ = archives_of(settings.archive)
    fetching = Fetching(MemoryBlobs(), settings.fetch, settings.store, Health(settings.health))
    marks, catalogue = (MemoryMarks(), MemoryCatalogue()) if store is None else (store.marks, store.catalogue)
    trust = Trust(verifier_for(settings.trust), settings.trust, marks)
    prober = Prober(archives, fetching, catalogue, trust, now=time.time)
    probes = []
    try:
        async for line in as_they_end(prober.probe_now(archives if archive is None else [archive])):
            told(line)
            if isinstance(line, ProbeReport):
                probes.append(line)
    finally:
        await fetching.close()
    return tuple(probes)


def _report(probe: Probe) -> ProbeReport:
    return ProbeReport(
        archive=probe.archive,
        url=probe.source.url,
        operator=probe.source.operator,
        suite=probe.suite,
        outcome=probe.shown.value,
        good=probe.is_good,
        said=probe.said,
        seconds=round(probe.seconds, 3),
        behind_s=probe.behind_s,
    )
