"""What a feed says: records about a CVE or of a notice, and statements on packages (VEX's word)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """What is said about a package of a release. Ubuntu's words where Ubuntu has one (its CVE tracker's README)."""

    NEEDS_TRIAGE = "needs-triage"
    """Nobody has looked yet whether it is affected."""
    UNDETERMINED = "undetermined"
    """Somebody looked, and could not tell (Debian's word)."""
    AFFECTED = "affected"
    """Vulnerable, and the feed has no finer word for what is done about it."""
    NEEDED = "needed"
    PENDING = "pending"
    """A fix is made and not published yet."""
    DEFERRED = "deferred"
    IGNORED = "ignored"
    """Vulnerable, and nobody will fix it here (also: the release is no longer supported)."""
    RELEASED = "released"
    """Fixed in the version that is named."""
    NOT_AFFECTED = "not-affected"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a package lives.

    `release` is a codename (`noble`, `bookworm`), or the number where the feed has a newer one than we know. `pocket`
    is empty for what every host of the release gets (release, updates, security), else what a host must have enabled:
    `esm-infra`, `esm-apps`, `fips-updates`, `realtime`, …
    """

    distribution: str
    release: str
    pocket: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said about one source package of one place.

    `about` is a CVE, or the notice that announces an update. `fixed` is the first version without the fault: there if
    the status is RELEASED (but for `ubuntu_vex`, which does not know it), sometimes if it is PENDING. `introduced` is
    the first version with the fault, None for all.
    """

    about: str
    package: str
    place: Place
    status: Status
    fixed: str | None = None
    introduced: str | None = None
    urgency: str = ""
    note: str = ""

    @property
    def subject(self) -> tuple[str, str, Place]:
        """What it is about; a record says one thing about each subject."""
        return self.about, self.package, self.place


class Kind(StrEnum):
    """What a record is."""

    CVE = "cve"
    NOTICE = "notice"
    EXPLOITED = "exploited"


@dataclass(frozen=True, slots=True)
class Severity:
    """A judgement of how bad it is: `CVSS_V3` with its vector, `Ubuntu` with a priority."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True)
class Record:
    """A feed's record without its statements. Times are seconds since 1970.

    `id` is the feed's own name for it, `about` ours (`UBUNTU-CVE-2026-35352` is about `CVE-2026-35352`). `withdrawn`:
    its publisher took it back, so that it makes no statements. `cves`: every CVE it speaks of, by whatever field.
    `facts` are what only this kind of record has, as name and value.
    """

    id: str
    kind: Kind
    about: str
    title: str = ""
    description: str = ""
    published: int | None = None
    modified: int | None = None
    withdrawn: int | None = None
    cves: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    references: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


class Parsed(NamedTuple):
    """What one record's bytes say."""

    record: Record
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One record's bytes, as they were published. `name` is the path, line or key it was found under."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that could not be read. `record` is its id, empty where even that is not known."""

    record: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.record or 'a record'} ({self.where}): {self.what}"


@dataclass(frozen=True, slots=True)
class Score:
    """EPSS: how probable an exploitation within 30 days is, 0 to 1, and the share of CVEs that are less so."""

    cve: str
    probability: float
    percentile: float | None
