"""The feeds we know: how each is cut into records, and who reads them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tidegate.advisories import (
    containers,
    debian_osv,
    debian_tracker,
    kev,
    ubuntu_notices,
    ubuntu_osv,
    ubuntu_tracker,
    ubuntu_vex,
)
from tidegate.advisories.statement import Parsed, Piece, Problem

EPSS = "epss"
"""The one feed without records (see `epss`)."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One publisher's data in one format.

    `reader` is raised when `parse` reads the same bytes otherwise than before, so that all of them are read again.
    """

    name: str
    title: str
    parse: Callable[[bytes, str], Parsed]
    wanted: re.Pattern[str] = containers.ANY
    """In archives and directories: found in the names of what is a record."""
    member: re.Pattern[str] | None = None
    """Of one large document: matches the names of the members that are records. None: records are files."""
    named_by_piece: bool = False
    """A record's id is its piece's name, and not in its bytes."""
    dated: bool = True
    """Its records say when they were last modified, and so how old the feed is."""
    reader: int = 1

    def pieces(self, path: Path) -> Iterator[Piece | Problem]:
        """The records of a file or a directory. Raises FormatError and OSError (see `containers`)."""
        if self.member is None:
            yield from containers.records(path, wanted=self.wanted)
            return
        for found in containers.members(path):
            name = found.name if isinstance(found, Piece) else found.record
            if self.member.fullmatch(name):
                yield found
            elif self.named_by_piece:
                yield Problem(name, name, "no record where one should be")


FEEDS = {
    feed.name: feed
    for feed in (
        Feed(
            "ubuntu-osv",
            "Ubuntu's OSV records: CVEs, notices, live patches",
            ubuntu_osv.parse,
            wanted=re.compile(r"(?:^|/)[A-Z]+-[^/]*\.json\Z"),
        ),
        Feed(
            "ubuntu-tracker",
            "Ubuntu's CVE tracker",
            ubuntu_tracker.parse,
            wanted=re.compile(r"(?:^|/)CVE-[0-9]{4}-[0-9]+(?:\.json)?\Z"),
            dated=False,
        ),
        Feed(
            "ubuntu-security-api",
            "Ubuntu's CVE tracker, by its security API",
            ubuntu_tracker.parse,
            member=re.compile(r"cves/[0-9]+"),
        ),
        Feed(
            "ubuntu-notices",
            "Ubuntu's notices, by its security API",
            ubuntu_notices.parse,
            member=re.compile(r"notices/[0-9]+"),
        ),
        Feed(
            "ubuntu-vex",
            "Ubuntu's OpenVEX documents",
            ubuntu_vex.parse,
            wanted=re.compile(r"(?:^|/)[A-Z]+-[^/]*\.json\Z"),
        ),
        Feed(
            "debian-tracker",
            "Debian's security tracker",
            debian_tracker.parse,
            member=re.compile(r"[^/]+/.+", re.DOTALL),
            named_by_piece=True,
            dated=False,
        ),
        Feed(
            "debian-osv",
            "Debian's OSV records: CVEs and advisories",
            debian_osv.parse,
            wanted=re.compile(r"(?:^|/)[A-Z]+-[^/]*\.json\Z"),
        ),
        Feed(
            "kev",
            "CISA's known exploited vulnerabilities",
            kev.parse,
            member=re.compile(re.escape(kev.MEMBER) + r"/[0-9]+"),
        ),
    )
}
