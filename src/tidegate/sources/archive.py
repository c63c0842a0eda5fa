"""An archive and its sources, as values: what is configured, parsed once and never changed."""

import ipaddress
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tidegate.archive.paths import encoded
from tidegate.sources.settings import Kind
from tidegate.trust.keyring import Keyring

LOCAL_OPERATOR = "this host"
"""Who runs a folder of this machine, where the settings do not say whose copy it is."""
_DEFAULT_PORT = {"http": 80, "https": 443}


class Reach(Enum):
    """Which addresses a name may resolve to (threat 23)."""

    PUBLIC = "public"
    SITE = "site"
    """Also the private ranges of a site (RFC 1918, RFC 4193, RFC 6598)."""
    ANY = "any"
    """Also this machine and its link."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a connection goes. `host` is a lower-case name or a bare address."""

    scheme: str
    host: str
    port: int
    reach: Reach
    root: Path | None = None
    """A folder of this machine instead of a host: the scheme is `file`, the host empty, the port 0."""

    @property
    def authority(self) -> str:
        """The Host header's value (RFC 9110, 7.2); empty for a folder."""
        if self.root is not None:
            return ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Source:
    """One place to get an archive's bytes from; `url` has no trailing slash and names it.

    `region` is where it stands, as its operator says (ISO 3166: `de`, `us`; empty: anywhere, or unknown); `priority`
    is apt's: lower ones are preferred, whatever their order.
    """

    url: str
    endpoint: Endpoint
    base: str
    operator: str
    kind: Kind
    region: str = ""
    priority: int = 0

    def target(self, path: str) -> str:
        """The request target of an archive's path at this source."""
        return f"{self.base}/{encoded(path)}"


class BadAddressError(ValueError):
    """An address that is no http or https URL of a folder."""


def endpoint_of(url: str, reach: Reach) -> tuple[Endpoint, str]:
    """Split an http(s) URL into endpoint and path (with its query). Raises BadAddressError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddressError(f"{url!r}: {error}") from None
    if parts.scheme not in _DEFAULT_PORT or not parts.hostname:
        raise BadAddressError(f"{url!r}: not an http or https address")
    if parts.username is not None or parts.fragment:
        raise BadAddressError(f"{url!r}: neither user names nor fragments are taken")
    if not url.isascii() or any(c <= " " for c in url):
        raise BadAddressError(f"{url!r}: must be printable ASCII")
    endpoint = Endpoint(parts.scheme, parts.hostname, port or _DEFAULT_PORT[parts.scheme], reach)
    return endpoint, parts.path + (f"?{parts.query}" if parts.query else "")


def is_literal(host: str) -> bool:
    """Whether a host is an address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def folder_of(url: str) -> Path | None:
    """The folder that a media source's address names: `file:///mnt/disc` (RFC 8089) or a plain absolute path.

    None for an address of another kind. Raises BadAddressError for one that is not a folder below the root of all.
    """
    if url.startswith("/"):
        path = url
    elif url.startswith("file:"):
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not parts.path.startswith("/"):
            raise BadAddressError(f"{url!r}: write it as file:///PATH")
        path = unquote(parts.path)
    else:
        return None
    names = path.strip("/").split("/")
    if any(c < " " or c == "\x7f" for c in path) or any(name in {"", ".", ".."} for name in names):
        raise BadAddressError(f"{url!r}: not a folder's absolute path in its shortest form")
    return Path("/", *names)


def source_of(url: str, *, reach: Reach, operator: str, kind: Kind, region: str = "", priority: int = 0) -> Source:
    """A source from its configured address. An address written as a number may be what it says.

    A folder's is of the kind `media`, whatever `kind` says, and is named `file:///PATH` however it was written.
    """
    if (root := folder_of(url)) is not None:
        folder = Endpoint("file", "", 0, Reach.ANY, root)
        return Source(root.as_uri(), folder, "", operator or LOCAL_OPERATOR, "media", region, priority)
    endpoint, path = endpoint_of(url.rstrip("/"), reach)
    if "?" in path:
        raise BadAddressError(f"{url!r}: a source's address has no query")
    if is_literal(endpoint.host):
        endpoint = Endpoint(endpoint.scheme, endpoint.host, endpoint.port, Reach.ANY)
    return Source(url.rstrip("/"), endpoint, path, operator or endpoint.host, kind, region, priority)


@dataclass(frozen=True, slots=True)
class Archive:
    """What a vendor publishes, whatever host carries it."""

    name: str
    keyring: Keyring
    suites: tuple[str, ...]
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    deb_src: bool
    aliases: tuple[str, ...]
    sources: tuple[Source, ...]
    strict_suite: bool
    unnamed_suites: tuple[str, ...]
    accept_info_change: bool
    adopt_on_request: bool

    def strict_for(self, suite: str) -> bool:
        """Whether the Release of this suite has to name it."""
        return self.strict_suite and not any(fnmatchcase(suite, name) for name in self.unnamed_suites)
