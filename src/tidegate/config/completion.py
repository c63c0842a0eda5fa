"""What an archive leaves unsaid and the rest of it answers."""

from msgspec.structs import replace

from tidegate.config.addresses import is_folder, operator_of, spelling
from tidegate.sources.settings import ArchiveSettings, SourceSettings


def completed(archive: ArchiveSettings) -> ArchiveSettings:
    """`archive` with a source for each alias where nothing else says whom to ask, and with every operator named."""
    sources = archive.source
    if not (archive.mirror_list or any(source.enabled for source in sources)):
        off = {spelling(source.url) for source in sources}
        aliases = [alias for alias in archive.aliases if spelling(alias) not in off]
        sources = (*sources, *(SourceSettings(url=alias, kind="origin") for alias in aliases))
    return replace(archive, source=tuple(_completed(source) for source in sources))


def _completed(source: SourceSettings) -> SourceSettings:
    operator = source.operator or operator_of(source.url)
    return replace(source, operator=operator, kind="media" if is_folder(source.url) else source.kind)
