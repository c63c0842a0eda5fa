"""Debian's OSV records, as osv.dev makes them: CVEs, `DSA-…`, `DLA-…` and, long ago, `DTSA-…`.

Published as https://osv-vulnerabilities.storage.googleapis.com/Debian/all.zip. They leave out what is not affected,
and know no finer status than affected or fixed; `debian_tracker` does.
"""

import re

from tidegate.advisories import osv
from tidegate.advisories.releases import debian_ecosystem
from tidegate.advisories.statement import Parsed, Place

_CVES = re.compile(r"(?:DEBIAN-)?CVE-[0-9]{4}-[0-9]{4,19}|TEMP-[0-9]{7}-[0-9A-F]{6}")
_NOTICES = re.compile(r"(?:DSA|DLA|DTSA)-[0-9]{1,6}(?:-[0-9]{1,4})?")


def parse(data: bytes, _name: str = "") -> Parsed:
    """One record. Raises FormatError."""
    return osv.read(data, cves=_CVES, notices=_NOTICES, place=_place)


def _place(package: osv.Package, where: str) -> Place | None:
    if package.ecosystem.partition(":")[0] != "Debian":
        return None
    return debian_ecosystem(package.ecosystem, f"{where}.ecosystem")
