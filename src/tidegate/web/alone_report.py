"""What is told about archives whose sources are all out."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from tidegate.sources.alone import out_since
from tidegate.sources.archive import Archive
from tidegate.sources.health import Health


class AloneReport(Struct, frozen=True, kw_only=True):
    """An archive of which nothing new can be had now: each of its sources is out, or we are offline."""

    archive: str
    since: Annotated[
        int | None, Meta(description="when the last of its sources went out, epoch seconds, UTC; null: offline")
    ] = None
    sources: Annotated[int, Meta(description="how many it has; why each is out: `tidegate sources`")]
    suites: Annotated[tuple[str, ...], Meta(description="served on from what is held")] = ()


def alone_of(archives: Iterable[Archive], health: Health, served: Iterable[tuple[str, str]]) -> tuple[AloneReport, ...]:
    """Every archive that is alone, by name. `served`: archives and suites."""
    suites: dict[str, list[str]] = {}
    for name, suite in served:
        suites.setdefault(name, []).append(suite)
    return tuple(
        AloneReport(
            archive=archive.name,
            since=None if since is None else int(since),
            sources=len(archive.sources),
            suites=tuple(suites.get(archive.name, ())),
        )
        for archive in sorted(archives, key=lambda one: one.name)
        for since in _since(archive, health)
    )


def _since(archive: Archive, health: Health) -> tuple[float | None, ...]:
    """One moment, or none at all where it is not alone."""
    remote = [source for source in archive.sources if source.endpoint.root is None]
    if health.offline and len(remote) == len(archive.sources):
        return (None,)
    since = out_since([source for source in archive.sources if source not in remote or not health.offline], health)
    return () if since is None else (since,)
