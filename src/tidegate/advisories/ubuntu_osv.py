"""Ubuntu's OSV records: CVEs (`UBUNTU-CVE-…`), notices (`USN-…`) and live patches (`LSN-…`).

Published as https://security-metadata.canonical.com/osv/osv-all.tar.xz, and one by one in
github.com/canonical/ubuntu-security-notices. A notice's CVE list may be empty: USN-8226-1 has its CVE in `upstream`
alone, older ones in `related`.
"""

import re
from dataclasses import replace
from urllib.parse import unquote

from tidegate.advisories import osv
from tidegate.advisories.fields import one_each
from tidegate.advisories.releases import ubuntu_ecosystem, ubuntu_place
from tidegate.advisories.statement import Parsed, Place

LIVEPATCH = "livepatch"
"""The pocket of a live patch: its version is that of a kernel that can be patched while it runs, not one to install."""

_CVES = re.compile(r"(?:UBUNTU-)?CVE-[0-9]{4}-[0-9]{4,19}")
_NOTICES = re.compile(r"(?:USN|LSN|SSN)-[0-9]{1,6}(?:-[0-9]{1,4})?")
_DISTRO = re.compile(r"[?&]distro=([^&#]+)")


def parse(data: bytes, _name: str = "") -> Parsed:
    """One record. Raises FormatError."""
    parsed = osv.read(data, cves=_CVES, notices=_NOTICES, place=_place)
    if not parsed.record.id.startswith("LSN-"):
        return parsed
    live = (replace(one, place=replace(one.place, pocket=LIVEPATCH)) for one in parsed.statements)
    return Parsed(parsed.record, one_each(live))


def _place(package: osv.Package, where: str) -> Place | None:
    """By the purl, which tells the ESM pockets apart, else by the ecosystem."""
    if package.ecosystem.partition(":")[0] != "Ubuntu":
        return None
    distro = _DISTRO.search(package.purl)
    if distro is None:
        return ubuntu_ecosystem(package.ecosystem, f"{where}.ecosystem")
    return ubuntu_place(unquote(distro[1]), f"{where}.purl")
