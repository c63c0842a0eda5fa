"""Archives as values, for tests that decide and do not serve."""

from tidegate.sources.archive import Archive, Reach, source_of
from tidegate.trust.keyring import Keyring


def archive(
    name: str,
    *,
    suites: tuple[str, ...] = ("stable",),
    aliases: tuple[str, ...] = (),
    sources: tuple[str, ...] = ("http://mirror.example/debian",),
) -> Archive:
    """An archive that nobody signs."""
    return Archive(
        name=name,
        keyring=Keyring(),
        suites=suites,
        components=("main",),
        architectures=("amd64",),
        deb_src=True,
        aliases=aliases,
        sources=tuple(source_of(url, reach=Reach.ANY, operator="", kind="mirror") for url in sources),
        strict_suite=False,
        unnamed_suites=(),
        accept_info_change=False,
        adopt_on_request=True,
    )
