"""What to put on a client so that its apt asks the gateway. Pure: texts in three forms.

A proxy line is the least; a script falls back to the archive itself when the gateway is gone, which apt never
does by itself; the mirror form names the gateway in the sources and needs no proxy at all.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

from tidegate import presets
from tidegate.config.checks import ARMOR, FINGERPRINT, keyring_entries
from tidegate.sources.settings import ArchiveSettings

APT_CONF = "etc/apt/apt.conf.d/30tidegate.conf"
SCRIPT = "usr/local/lib/tidegate/proxy-auto-detect"
SOURCES = "etc/apt/sources.list.d/tidegate.sources"
MARKER = "Written by `tidegate client-config`"
"""In each of our files, so that nothing else is overwritten or removed."""

_HOST = re.compile(r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])$")
_HTTPS = """\
// Sources with https:// go past the gateway. To bring one in, write http://HTTPS///HOST/PATH instead of https://HOST/PATH.
"""


class Form(StrEnum):
    """How a client is told."""

    PROXY = "proxy"
    AUTO_DETECT = "auto-detect"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where clients reach it. An IPv6 address stands in brackets."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Without a closing slash."""
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClientFile:
    """A file on the client; `path` is below its root, without a leading slash."""

    path: str
    mode: int
    content: str


def gateway_at(text: str) -> Gateway:
    """`HOST:PORT` as a gateway. Raises ValueError for anything else: it ends up in a shell script."""
    host, _, port = text.rpartition(":")
    if not (_HOST.match(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"{text!r} is not HOST:PORT")
    return Gateway(host, int(port))


def client_files(form: Form, gateway: Gateway, archives: Sequence[ArchiveSettings]) -> tuple[ClientFile, ...]:
    """What the form consists of."""
    match form:
        case Form.PROXY:
            return (_apt_conf(f'Acquire::http::Proxy "{gateway.url}";'),)
        case Form.AUTO_DETECT:
            return (_apt_conf(f'Acquire::http::Proxy-Auto-Detect "/{SCRIPT}";'), _script(gateway))
        case Form.MIRROR:
            return (ClientFile(SOURCES, 0o644, "\n".join(_stanzas(gateway, archives))),)


def undo_commands(given: Sequence[ClientFile]) -> tuple[str, ...]:
    """What takes the files back, for root's shell on the client."""
    return tuple(f"rm -f /{each.path}" for each in given)


def _apt_conf(line: str) -> ClientFile:
    return ClientFile(APT_CONF, 0o644, f"// {MARKER}.\n{line}\n{_HTTPS}")


def _script(gateway: Gateway) -> ClientFile:
    text = files(__package__).joinpath("proxy-auto-detect.sh").read_text()
    filled = (
        text.replace("@HOST@", gateway.host.strip("[]"))
        .replace("@PORT@", str(gateway.port))
        .replace("@URL@", gateway.url)
    )
    return ClientFile(SCRIPT, 0o755, filled)


def _stanzas(gateway: Gateway, archives: Sequence[ArchiveSettings]) -> Iterator[str]:
    yield f"# {MARKER}. Take the entries that it stands for out of your other sources."
    for archive in archives:
        flat = [suite for suite in archive.suites if suite.endswith("/")]
        plain = [suite for suite in archive.suites if not suite.endswith("/")]
        for suites, components in ((plain, archive.components or ("main",)), (flat, ())):
            if suites:
                yield from ("", *_stanza(gateway, archive, suites, components))
    yield ""


def _stanza(
    gateway: Gateway, archive: ArchiveSettings, suites: Sequence[str], components: Sequence[str]
) -> Iterator[str]:
    yield f"Types: deb{' deb-src' if archive.deb_src else ''}"
    yield f"URIs: {gateway.url}/{archive.name}/"
    yield f"Suites: {' '.join(suites)}"
    if components:
        yield f"Components: {' '.join(components)}"
    if archive.architectures:
        yield f"Architectures: {' '.join(archive.architectures)}"
    yield from _signed_by(archive)


def _signed_by(archive: ArchiveSettings) -> Iterator[str]:
    """sources.list(5) takes either one key in place, or paths and fingerprints."""
    entries = keyring_entries(archive)
    in_place = [entry for entry in entries if ARMOR in entry]
    words = [entry for entry in entries if entry.startswith("/") or FINGERPRINT.match(entry)]
    if not entries:
        words = [path for each in presets.load() if each.name == archive.name for path in each.host_keyrings[:1]]
    if words:
        yield f"Signed-By: {' '.join(words)}"
    elif in_place:
        yield "Signed-By:"
        yield from (f" {line.strip() or '.'}" for line in in_place[0].strip().splitlines())
