"""Which archive a request's target means, in all the ways that clients write it. Pure.

    http://HOST/PATH                 a proxy's absolute form, for any alias of an archive
    http://HTTPS///HOST/PATH         apt-cacher-ng's way to name an https source, through a proxy
    /HTTPS///HOST/PATH, /HOST/PATH   the same two as a mirror
    /ARCHIVE/PATH                    the mirror form

No other host is ever contacted for a client (threat 23), and the Host header plays no part (threat 28).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tidegate.archive.errors import FormatError
from tidegate.archive.paths import canonical
from tidegate.sources.archive import Archive

_ABSOLUTE = re.compile(r"https?://([^/?#@]+)(/[^?#]*)\Z", re.IGNORECASE).match
_CONNECT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+):([0-9]{1,5})\Z").match
_PORT = re.compile(r":(?:80|443)?\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A path of an archive."""

    archive: str
    path: str


@dataclass(frozen=True, slots=True)
class NotOurs:
    """A target that we do not serve: the status and the sentence."""

    status: int
    why: str


def _bare(host: str) -> str:
    return _PORT.sub("", host.lower()).rstrip(".")


class Routes:
    """From targets to places; made once from the configured archives."""

    def __init__(self, archives: Iterable[Archive], preset_of: Callable[[str], str | None]) -> None:
        """`preset_of` names the preset that an address belongs to, so that any of a vendor's hosts will do."""
        archives = tuple(archives)
        self._names = {archive.name for archive in archives}
        self._preset_of = preset_of
        by_host: dict[str, list[tuple[str, str]]] = {}
        for archive in archives:
            for url in (*archive.aliases, *(source.url for source in archive.sources)):
                parts = urlsplit(url)
                by_host.setdefault(_bare(parts.netloc), []).append((parts.path.strip("/"), archive.name))
        self._by_host = {host: sorted(set(found), key=lambda one: -len(one[0])) for host, found in by_host.items()}
        tunnels = {
            urlsplit(url).netloc
            for a in archives
            for url in (*a.aliases, *(s.url for s in a.sources))
            if url.startswith("https:")
        }
        self._tunnels = {
            f"{_bare(host)}:443" if _PORT.search(host) or ":" not in host else host.lower() for host in tunnels
        }

    def place(self, target: bytes) -> Place | NotOurs:
        """What a GET's or HEAD's target means."""
        text = target.decode("ascii")
        absolute = _ABSOLUTE(text)
        if absolute is not None:
            host, path = absolute[1], absolute[2]
            if host.upper() != "HTTPS" or not path.startswith("///"):
                return self._at(host, path)
            text = f"/HTTPS{path}"
        if not text.startswith("/"):
            return NotOurs(400, "the target is neither an http address nor a path")
        if text[:9].upper() == "/HTTPS///":
            host, _, path = text[9:].partition("/")
            return self._at(host, f"/{path}")
        first, _, path = text[1:].partition("/")
        if first in self._names:
            return _place(first, path)
        if _bare(first) in self._by_host or "." in first:
            return self._at(first, f"/{path}")
        return NotOurs(404, "no archive of this name is served here")

    def tunnel(self, target: bytes, further: Iterable[str]) -> tuple[str, int] | NotOurs:
        """Where a CONNECT leads: an archive's own https host, or one that the operator names."""
        found = _CONNECT(target.decode("ascii"))
        if found is None or not 0 < int(found[2]) < 65536:
            return NotOurs(400, "CONNECT takes HOST:PORT")
        if f"{_bare(found[1])}:{found[2]}" not in self._tunnels and target.decode("ascii").lower() not in further:
            return NotOurs(403, f"tunnels to {found[1]}:{found[2]} are not allowed (gateway.tunnel_hosts)")
        return found[1].strip("[]"), int(found[2])

    def _at(self, host: str, path: str) -> Place | NotOurs:
        bare = _bare(host)
        below = path.lstrip("/")
        for prefix, archive in self._by_host.get(bare, ()):
            if not prefix or below == prefix or below.startswith(prefix + "/"):
                return _place(archive, below[len(prefix) :].lstrip("/"))
        name = self._preset_of(f"http://{bare}{path}")
        if name in self._names:
            first, _, rest = below.partition("/")
            return _place(name, rest) if first else NotOurs(404, "a vendor's host without a path")
        return NotOurs(403, f"{bare} is not a source of any archive served here; add it to an archive's aliases")


def _place(archive: str | None, path: str) -> Place | NotOurs:
    assert archive is not None
    try:
        return Place(archive, canonical(path))
    except FormatError as error:
        return NotOurs(400, str(error))
