"""A raw /var/lib/dpkg/status: stanzas, as dpkg writes them. What a host is and runs has to be said beside it."""

from tidegate.archive import deb822
from tidegate.archive.deb822 import Deb822Limits
from tidegate.archive.errors import FormatError
from tidegate.fleet import inventory as inv
from tidegate.fleet.inventory import Form, Host, Inventory, Package

_LIMITS = Deb822Limits(bytes_max=inv.INVENTORY_BYTES_MAX, stanzas_max=2 * inv.PACKAGES_MAX)


def parse(data: bytes, host: Host, *, taken_at: int) -> Inventory:
    """Read the file. Raises FormatError."""
    stanzas = deb822.stanzas(data, limits=_LIMITS)
    return inv.inventory(host, map(_package, stanzas), taken_at=taken_at, form=Form.DPKG_STATUS)


def _package(stanza: dict[str, str]) -> Package | FormatError | None:
    if "package" not in stanza or "status" not in stanza:
        raise FormatError("a stanza that is no installed package: not dpkg's status file?")
    state, held = inv.spelled(stanza["status"])
    return inv.package(
        stanza["package"],
        stanza.get("architecture", ""),
        stanza.get("version", ""),
        source=stanza.get("source", ""),
        state=state,
        held=held,
        origin=stanza.get("origin", ""),
    )
