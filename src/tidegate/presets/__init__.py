"""What is known beforehand of well-known archives, as data with its origin.

The facts stand in `*.toml` beside this file and the keys in `keys/`, each with where it is from. A preset
says which archive a URL belongs to, which keys may speak for it and who else carries it; it never says that a
Release is good, and whom it names is asked only where the owner said so.
"""

import tomllib
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

_DATA = files(__name__)
_DEFAULT_PORTS = {"http": 80, "https": 443}
Place: TypeAlias = tuple[str, str]
"""A host in lower case and a path without slashes at its ends."""


class UrlPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an archive is found: a host, `*.` before it for every name below, `*` for any, and its path."""

    pattern: str
    operator: str | None = None
    """Who runs what answers there: `{host}` where each host is another's, None where it cannot be said."""

    def matches(self, host: str, path: str) -> bool:
        """`host` in lower case, `path` without slashes at its ends."""
        wanted_host, _, wanted_path = self.pattern.partition("/")
        return path == wanted_path and fnmatchcase(host, wanted_host)

    @property
    def strictness(self) -> int:
        """Of two patterns that match, the greater is the more particular one."""
        return len(self.pattern.partition("/")[0])


class KnownSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"listed_in": "from"}):
    """A place that is said to carry an archive; what it gives is verified like anybody's."""

    url: str
    operator: str
    kind: Literal["origin", "mirror", "cdn", "snapshot"]
    listed_in: str
    """Who says so, and whether we have seen it ourselves."""
    region: str = ""
    """ISO 3166, lower case; empty: anywhere."""

    @property
    def place(self) -> Place:
        """Its host and path, which its http and its https address share."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.path.strip("/")


class Preset(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    rename={"urls": "url", "sources": "from", "known_sources": "source"},
):
    """One archive, whatever host carries it."""

    name: str
    title: str
    keyring: str = ""
    """The file in `keys/` that may speak for it; empty where none ships: then the host has to say."""
    host_keyrings: tuple[str, ...]
    """Where its own packages put the same on a machine; those are newer than ours, so look there first."""
    suites: tuple[str, ...]
    """How its suites are named."""
    suite_rule: str
    strict_suite: bool
    """A Release that names another suite than was asked for is refused."""
    unnamed_suites: tuple[str, ...]
    """Patterns of suites, links mostly, whose Release names another one; for them it is not."""
    valid_until: bool
    """Its Releases say how long they are valid; where not, a freeze shows only against other sources."""
    checked: date
    """When these facts were last compared with their sources."""
    sources: tuple[str, ...]
    """Where they are from."""
    urls: tuple[UrlPattern, ...]
    known_sources: tuple[KnownSource, ...] = ()
    """Who carries it, the origin first, as listed in public; of several operators wherever there are several."""

    def strict_for(self, suite: str) -> bool:
        """Whether the Release of `suite` has to name it."""
        return self.strict_suite and not any(fnmatchcase(suite, name) for name in self.unnamed_suites)

    def keyring_data(self) -> bytes:
        """The keys that ship with us, as one binary keyring; nothing where none does."""
        return b"" if not self.keyring else (_DATA / "keys" / self.keyring).read_bytes()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    archive: tuple[Preset, ...]


@cache
def load() -> tuple[Preset, ...]:
    """Every preset that ships, in the order of the files' names."""
    texts = sorted((item.name, item.read_text("utf-8")) for item in _DATA.iterdir() if item.name.endswith(".toml"))
    return tuple(preset for _, text in texts for preset in msgspec.convert(tomllib.loads(text), type=_File).archive)


def match(url: str) -> Preset | None:
    """The archive that `url` (its root, as in sources.list) belongs to; None for one we know nothing of.

    Scheme, user and slashes at the end do not matter; a port other than the scheme's own does, since
    behind it is somebody's own service.
    """
    place = _place(url)
    found = _best(place) if place else None
    return found[0] if found else None


def named(name: str) -> Preset | None:
    """The preset of an archive's name."""
    return next((each for each in load() if each.name == name), None)


def operator_of(url: str) -> str | None:
    """Who runs what answers at `url`, where a preset says so: of this very place, or at least of its host."""
    place = _place(url)
    if place is None:
        return None
    found = _best(place)
    if found and found[1]:
        return found[1].replace("{host}", place[0])
    return _hosts().get(place[0])


def _place(url: str) -> Place | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if host is None or parts.scheme not in _DEFAULT_PORTS or parts.query or parts.fragment:
        return None
    if port not in (None, _DEFAULT_PORTS[parts.scheme]):
        return None
    return host.rstrip("."), parts.path.strip("/")


def _best(place: Place) -> tuple[Preset, str | None] | None:
    """The archive at a place and its operator: by its own name, else by the most particular pattern."""
    if named_so := _exact().get(place):
        return named_so
    matching = [
        (pattern.strictness, preset, pattern.operator) for preset, pattern in _wild() if pattern.matches(*place)
    ]
    if not matching:
        return None
    _, preset, operator = max(matching, key=lambda found: found[0])
    return preset, operator


@cache
def _exact() -> dict[Place, tuple[Preset, str | None]]:
    """By places that are named in full: those of known sources, and patterns without a wildcard."""
    listed = {source.place: (preset, source.operator) for preset in load() for source in preset.known_sources}
    plain = {
        (host, path): (preset, pattern.operator)
        for preset in load()
        for pattern in preset.urls
        for host, _, path in [pattern.pattern.partition("/")]
        if "*" not in host
    }
    return listed | plain


@cache
def _wild() -> tuple[tuple[Preset, UrlPattern], ...]:
    return tuple((preset, pattern) for preset in load() for pattern in preset.urls if "*" in pattern.pattern)


@cache
def _hosts() -> dict[str, str]:
    """Operators by host: whoever runs a mirror of one archive runs it for the next."""
    return {source.place[0]: source.operator for preset in load() for source in preset.known_sources}
