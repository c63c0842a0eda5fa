"""osquery's answers: the rows of `deb_packages`, with those of `os_version`, `kernel_info` and `system_info`.

    {"deb_packages": [...], "os_version": [...], "kernel_info": [...], "system_info": [...]}

as `osqueryi --json` prints each; every value is a string (osquery.io/schema). Whoever sends the packages' rows alone
has to say what host they are of.
"""

import msgspec

from tidegate.advisories.fields import decoded
from tidegate.archive.errors import FormatError
from tidegate.fleet import inventory as inv
from tidegate.fleet.inventory import Form, Host, Inventory, Package
from tidegate.fleet.releases import codename


class _Package(msgspec.Struct, frozen=True, gc=False):
    name: str
    version: str
    arch: str
    source: str = ""
    status: str = "install ok installed"


class _Os(msgspec.Struct, frozen=True, gc=False):
    platform: str
    version: str = ""
    codename: str = ""


class _Kernel(msgspec.Struct, frozen=True, gc=False):
    version: str


class _System(msgspec.Struct, frozen=True, gc=False):
    uuid: str = ""
    hostname: str = ""


class _Document(msgspec.Struct, frozen=True):
    deb_packages: list[_Package]
    os_version: list[_Os] = []
    kernel_info: list[_Kernel] = []
    system_info: list[_System] = []


_DOCUMENT = msgspec.json.Decoder(_Document)
_ROWS = msgspec.json.Decoder(list[_Package])


def parse(data: bytes, *, taken_at: int, host: Host | None = None) -> Inventory:
    """Read the rows. `host` says what they are of, and is believed before what they say. Raises FormatError."""
    if len(data) > inv.INVENTORY_BYTES_MAX:
        raise FormatError(f"more than {inv.INVENTORY_BYTES_MAX} bytes")
    if data.lstrip()[:1] == b"[":
        if host is None:
            raise FormatError("packages of no host: its id and its release have to be said")
        rows = decoded(_ROWS, data)
    else:
        document = decoded(_DOCUMENT, data)
        rows = document.deb_packages
        host = host or _host(document)
    return inv.inventory(host, map(_package, rows), taken_at=taken_at, form=Form.OSQUERY)


def _package(row: _Package) -> Package | FormatError | None:
    state, held = inv.spelled(row.status)
    return inv.package(row.name, row.arch, row.version, source=row.source, state=state, held=held)


def _host(document: _Document) -> Host:
    if not document.os_version or not document.system_info:
        raise FormatError("no rows of os_version and system_info: whose packages are these?")
    system, os = document.system_info[0], document.os_version[0]
    distribution = os.platform.lower()
    return Host(
        id=system.uuid,
        name=system.hostname,
        distribution=distribution,
        release=os.codename.lower() or codename(distribution, os.version),
        kernel=document.kernel_info[0].version if document.kernel_info else "",
    )
