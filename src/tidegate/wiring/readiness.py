"""What readiness is judged by beside the counts: suites, sources and the disk, from what the status says of them."""

from collections.abc import Collection, Iterable

from tidegate.holding.readiness import ArchiveFacts, Disk, Facts, SuiteFacts
from tidegate.sources.archive import Archive
from tidegate.store.blobs import BlobStore
from tidegate.store.settings import StoreSettings
from tidegate.web.report import SuiteReport
from tidegate.web.source_report import WELL, SourceReport
from tidegate.wiring.archives import single_operator


def facts_of(
    archives: Iterable[Archive],
    suites: Iterable[SuiteReport],
    sources: Iterable[SourceReport],
    alone: Collection[str],
    disk: Disk,
    *,
    running: bool,
) -> Facts:
    """The facts. `alone`: names of archives of which nothing new can be had, whatever their sources' states."""
    well: dict[str, int] = {}
    for one in sources:
        if one.state in WELL and one.archive not in alone:
            well[one.archive] = well.get(one.archive, 0) + 1
    return Facts(
        suites=[_suite(one) for one in suites],
        archives=[
            ArchiveFacts(one.name, len(one.sources), well.get(one.name, 0), single_operator(one)) for one in archives
        ],
        disk=disk,
        running=running,
    )


def disk_of(blobs: BlobStore, settings: StoreSettings) -> Disk:
    """How the disk stands now. Raises OSError."""
    return Disk(
        free_bytes=blobs.free_bytes(),
        floor_bytes=settings.free_bytes_min,
        quota_bytes=settings.quota_bytes or None,
    )


def _suite(one: SuiteReport) -> SuiteFacts:
    return SuiteFacts(
        archive=one.archive,
        suite=one.suite,
        configured=one.configured,
        date=one.date,
        confirmed_at=one.confirmed_at,
        valid_until=one.valid_until,
        freeze=one.possible_freeze,
    )
