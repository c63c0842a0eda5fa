"""What to put on a client so that its apt asks the gateway, or that it reports what it has. Pure: texts.

A proxy line is the least; a script falls back to the archive itself when the gateway is gone, which apt never
does by itself; the mirror form names the gateway in the sources and needs no proxy at all.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from importlib.resources import files

from tidegate import presets
from tidegate.cli.client_config.gateway import MARKER, ClientFile, Gateway
from tidegate.cli.client_config.reporting import TIMER, hook_files, timer_files
from tidegate.config.checks import ARMOR, FINGERPRINT, keyring_entries
from tidegate.sources.settings import ArchiveSettings

APT_CONF = "etc/apt/apt.conf.d/30tidegate.conf"
SCRIPT = "usr/local/lib/tidegate/proxy-auto-detect"
SOURCES = "etc/apt/sources.list.d/tidegate.sources"
_TIMER_UNIT = TIMER.rpartition("/")[2]
_HTTPS = """\
// Sources with https:// go past the gateway. To bring one in, write http://HTTPS///HOST/PATH instead of https://HOST/PATH.
"""


class Form(StrEnum):
    """How a client is told."""

    PROXY = "proxy"
    AUTO_DETECT = "auto-detect"
    MIRROR = "mirror"
    REPORT_TIMER = "report-timer"
    REPORT_HOOK = "report-hook"

    @property
    def reports(self) -> bool:
        """Whether it tells the gateway what the client has, and does not point apt at it."""
        return self in (Form.REPORT_TIMER, Form.REPORT_HOOK)


def client_files(form: Form, gateway: Gateway, archives: Sequence[ArchiveSettings]) -> tuple[ClientFile, ...]:
    """What the form consists of."""
    match form:
        case Form.PROXY:
            return (_apt_conf(f'Acquire::http::Proxy "{gateway.url}";'),)
        case Form.AUTO_DETECT:
            return (_apt_conf(f'Acquire::http::Proxy-Auto-Detect "/{SCRIPT}";'), _script(gateway))
        case Form.MIRROR:
            return (ClientFile(SOURCES, 0o644, "\n".join(_stanzas(gateway, archives))),)
        case Form.REPORT_TIMER:
            return timer_files(gateway)
        case Form.REPORT_HOOK:
            return hook_files()


def commands_after(form: Form) -> tuple[str, ...]:
    """What puts the files into force, for root's shell on the client; nothing where apt just reads them."""
    if form is not Form.REPORT_TIMER:
        return ()
    return ("systemctl daemon-reload", f"systemctl enable --now {_TIMER_UNIT}")


def undo_commands(form: Form, given: Sequence[ClientFile]) -> tuple[str, ...]:
    """What takes the files back, for root's shell on the client."""
    removals = tuple(f"rm -f /{each.path}" for each in given)
    if form is not Form.REPORT_TIMER:
        return removals
    return (f"systemctl disable --now {_TIMER_UNIT}", *removals, "systemctl daemon-reload")


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
