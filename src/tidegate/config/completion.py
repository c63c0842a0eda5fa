"""What an archive leaves unsaid and the rest of it answers."""

from msgspec.structs import replace

from tidegate.config.addresses import operator_of
from tidegate.sources.settings import ArchiveSettings, SourceSettings


def completed(archive: ArchiveSettings) -> ArchiveSettings:
    """`archive` with a source for each alias where it names none, and with every operator named."""
    sources = archive.source or tuple(SourceSettings(url=alias, kind="origin") for alias in archive.aliases)
    return replace(
        archive,
        source=tuple(
            source if source.operator else replace(source, operator=operator_of(source.url)) for source in sources
        ),
    )
