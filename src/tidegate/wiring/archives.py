"""From settings to archives: addresses parsed, keys loaded, reach decided."""

from collections.abc import Iterable
from pathlib import Path

from tidegate import presets
from tidegate.config import keyring_of
from tidegate.config.apt_conf import read_apt_conf
from tidegate.config.host import host_architectures
from tidegate.sources.archive import Archive, BadAddressError, Reach, Source, source_of
from tidegate.sources.settings import ArchiveSettings, SourceSettings

_SITE_ENDINGS = (".lan", ".local", ".internal", ".home.arpa", ".intranet", ".corp", ".test")


def archive_of(settings: ArchiveSettings) -> tuple[Archive, tuple[str, ...]]:
    """An archive ready to be fetched and served, and what of its settings could not be used, in sentences."""
    preset = presets.named(settings.name)
    keyring = keyring_of(settings)
    notes = [f"{settings.name}: {problem.evidence}" for problem in keyring.problems]
    sources: list[Source] = []
    for each in settings.source:
        if not each.enabled:
            continue
        try:
            sources.append(_source(each))
        except BadAddressError as error:
            notes.append(f"{settings.name}: {error}")
    architectures = settings.architectures or tuple(host_architectures(Path("/"), read_apt_conf(Path("/"), None)))
    archive = Archive(
        name=settings.name,
        keyring=keyring,
        suites=settings.suites,
        components=settings.components,
        architectures=architectures,
        deb_src=settings.deb_src,
        aliases=settings.aliases,
        sources=tuple(sources),
        strict_suite=preset is not None and preset.strict_suite,
        unnamed_suites=() if preset is None else preset.unnamed_suites,
        accept_info_change=settings.accept_info_change,
        adopt_on_request=settings.adopt_on_request,
    )
    return archive, tuple(notes)


def _source(each: SourceSettings) -> Source:
    return source_of(
        each.url,
        reach=_reach(each),
        operator=each.operator,
        kind=each.kind,
        region=each.region,
        priority=each.priority,
    )


def archives_of(settings: Iterable[ArchiveSettings]) -> tuple[dict[str, Archive], tuple[str, ...]]:
    """All archives by name, in their order, and the notes on them."""
    found = [archive_of(each) for each in settings]
    return {archive.name: archive for archive, _ in found}, tuple(note for _, notes in found for note in notes)


def preset_name(url: str) -> str | None:
    """Which well-known archive an address of a file in it belongs to, trying its folders from the longest."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    folders = path.split("/")
    for count in range(min(len(folders), 3), 0, -1):
        preset = presets.match(f"{scheme}://{host}/{'/'.join(folders[:count])}")
        if preset is not None:
            return preset.name
    return None


def single_operator_notes(archives: Iterable[Archive]) -> tuple[str, ...]:
    """A sentence for each archive whose sources are all one operator's, with the line that changes it."""
    hanging = ((archive.name, single_operator(archive)) for archive in archives)
    return tuple(f"{name}: {found[0]}: {found[1]}" for name, found in hanging if found is not None)


def single_operator(archive: Archive) -> tuple[str, str] | None:
    """Where all of its sources are one operator's: what that means, and what changes it."""
    operators = {source.operator for source in archive.sources}
    if len(operators) != 1:
        return None
    preset = presets.named(archive.name)
    others = {source.operator for source in preset.known_sources} - operators if preset is not None else set()
    if others:
        remedy = f"`known_mirrors = true` in [fetch] asks {len(others)} others as well (they learn what is installed)"
    else:
        remedy = "name a source of somebody else ([[archive.source]], or a mirror_list)"
    return f"all sources are {operators.pop()}'s; when that fails, nothing new comes", remedy


def _reach(source: SourceSettings) -> Reach:
    """Where a source's name may lead: a public mirror to public addresses only, a site's own also to the site's."""
    if source.private:
        return Reach.ANY
    host = source.url.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    if host == "localhost" or "." not in host or host.endswith(_SITE_ENDINGS):
        return Reach.ANY if host == "localhost" else Reach.SITE
    return Reach.SITE if presets.match(source.url) is None else Reach.PUBLIC
