"""After an upgrade: listings that an earlier version took in, with less than is kept today, are taken in anew."""

import asyncio
import os

from tidegate.archive.paths import listing_stem
from tidegate.store.blobs import BlobStore
from tidegate.store.catalogue import Catalogue
from tidegate.store.ingest import Job
from tidegate.store.ingest_process import Ingest


async def relist(catalogue: Catalogue, blobs: BlobStore, ingest: Ingest) -> int:
    """Take in anew what is outdated and held; returns how many indices. Nothing is fetched. Raises IngestError."""
    jobs: list[Job] = []
    try:
        for member in await asyncio.to_thread(catalogue.outdated):
            fd = blobs.open(member.digest) if listing_stem(member.path) is not None else None
            if fd is not None:
                jobs.append(Job(fd, member.digest.hex(), member.path))
        await ingest(jobs)
    finally:
        for job in jobs:
            os.close(job.fd)
    return len(jobs)
