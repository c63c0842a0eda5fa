"""Sources beside those that an archive's settings write out: its mirror list's, and the preset's where the owner wants.

Pure. What is written out comes first and wins: a source that is there already is not added again, and one that is
switched off (`enabled = false`) keeps the same address of a list or a preset away.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from tidegate import presets
from tidegate.config.addresses import operator_of, spelling
from tidegate.config.mirror_list import Mirror
from tidegate.sources.settings import ArchiveSettings, SourceSettings


@dataclass(frozen=True, slots=True)
class Added:
    """An archive with all its sources, and where each of the added ones, which stand last, is from."""

    archive: ArchiveSettings
    origins: tuple[str, ...] = ()


def with_added(archive: ArchiveSettings, listed: Sequence[Mirror], *, known_mirrors: bool) -> Added:
    """`archive` with the mirrors of its list and, where its own word or else `known_mirrors` says so, known ones."""
    wanted = known_mirrors if archive.known_mirrors is None else archive.known_mirrors
    candidates = [(source, f"{archive.mirror_list}:{line}") for source, line in _of_list(listed)]
    if wanted:
        candidates += [(source, f"mirrors known of {archive.name}") for source in known_sources(archive.name)]
    seen = {spelling(source.url) for source in archive.source}
    added: list[tuple[SourceSettings, str]] = []
    for source, origin in candidates:
        if (address := spelling(source.url)) not in seen:
            seen.add(address)
            added.append((source, origin))
    whole = replace(archive, source=(*archive.source, *(source for source, _ in added)))
    return Added(whole, tuple(origin for _, origin in added))


def known_sources(archive: str) -> tuple[SourceSettings, ...]:
    """Those that ship for an archive of this name."""
    preset = presets.named(archive)
    return () if preset is None else tuple(_known(preset.known_sources))


def _of_list(listed: Iterable[Mirror]) -> Iterator[tuple[SourceSettings, int]]:
    for mirror in listed:
        source = SourceSettings(url=spelling(mirror.url), operator=operator_of(mirror.url), priority=mirror.priority)
        yield source if not source.url.startswith("file:") else replace(source, kind="media"), mirror.line


def _known(sources: Iterable[presets.KnownSource]) -> Iterator[SourceSettings]:
    for each in sources:
        yield SourceSettings(url=each.url, operator=each.operator, kind=each.kind, region=each.region)
