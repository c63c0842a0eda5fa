"""Addresses of sources: whether one can be used, who runs its host, and how it is shown."""

import ipaddress
import re
from urllib.parse import urlsplit

from tidegate import presets
from tidegate.sources.archive import LOCAL_OPERATOR, folder_of

PORT_MAX = 65_535
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")

# Below these second-level names of a country a third label is registered (mirror.ox.ac.uk is ox.ac.uk's).
# A guess that an explicit `operator` overrides; the public suffix list would be a dependency for a default.
_SHARED_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "or", "org", "ne", "go"})
_COUNTRY_LETTERS = 2


def is_address(url: str) -> bool:
    """Whether `url` is http or https with a host, and without user, query or fragment."""
    try:
        parts = urlsplit(url)
        is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_plain and (parts.port or 1) <= PORT_MAX
    except ValueError:
        return False


def is_folder(url: str) -> bool:
    """Whether `url` names a folder of this machine: `file:///PATH` or `/PATH`."""
    try:
        return folder_of(url) is not None
    except ValueError:
        return False


def spelling(url: str) -> str:
    """The one way in which a source's address is compared: host in lower case, no slash at its end, `file:///PATH`."""
    try:
        if (folder := folder_of(url)) is not None:
            return folder.as_uri()
        parts = urlsplit(url)
        return parts._replace(netloc=parts.netloc.lower()).geturl().rstrip("/")
    except ValueError:  # no address at all: the checks say so
        return url


def masked(text: str) -> str:
    """`text` with the user and password of each address in it left out: it may go to a screen or a log."""
    return _CREDENTIALS.sub("…@", text)


def operator_of(url: str) -> str:
    """Whom a preset names; else the registrable part of the host's name, or the address itself."""
    if is_folder(url):
        return LOCAL_OPERATOR
    if known := presets.operator_of(url):
        return known
    host = (urlsplit(url).hostname or "").rstrip(".")
    if _is_literal(host):
        return host
    labels = host.split(".")
    is_shared = len(labels) > 2 and len(labels[-1]) == _COUNTRY_LETTERS and labels[-2] in _SHARED_SECOND_LEVEL
    return ".".join(labels[-3:] if is_shared else labels[-2:])


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
