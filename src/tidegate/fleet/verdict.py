"""What is found about a host: exposures by class, and what is not known about it."""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.advisories.statement import Status


class Exposure(StrEnum):
    """The six classes. What nobody has looked at yet (needs-triage) is none of them."""

    FIXABLE = "fixable-from-held"
    """The fixed version is in a snapshot that we serve, and its file can be had now."""
    NOT_HELD = "published-not-held"
    """The fixed version is known, and cannot be had from here now: the one class that an outage is to blame for."""
    MITIGATION_ONLY = "mitigation-only"
    """No fix, but something that keeps the fault from being used; whether it does on this host is said beside it."""
    NO_FIX = "no-fix"
    """Nothing was published for this host: an outage changes nothing about that."""
    NOT_RUNNING = "fixed-on-disk-not-running"
    """A kernel without the fault is installed, and the host still runs another: a restart is pending."""
    UNKNOWN = "unknown"
    """What is known is too old, or speaks of another vendor's package."""

    @property
    def is_known(self) -> bool:
        """Whether a host of this class is known to be open to something."""
        return self is not Exposure.UNKNOWN


CLOSABLE = frozenset({Exposure.FIXABLE, Exposure.NOT_HELD, Exposure.NOT_RUNNING})
"""Where somebody can do something, whatever else is so."""


class Effect(StrEnum):
    """Whether a mitigation helps, by what the host says about itself."""

    EFFECTIVE = "effective"
    NOT_EFFECTIVE = "not-effective"
    NOT_APPLIED = "not-applied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mitigation:
    """An update that takes away the way to a fault, and not the fault: of `package`, from `version` on."""

    notice: str
    package: str
    version: str
    effect: Effect
    obtainable: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One CVE in one source package of a host.

    `version` is the one that was judged: of the kernel that runs, of the oldest affected binary. `fixed` is the first
    without the fault, if any was published. `since` is when we learned it; for UNKNOWN, since when it is not known, and
    `last_known` is the class that it had by what was known before (None: none).
    """

    about: str
    package: str
    exposure: Exposure
    status: Status
    version: str
    binaries: tuple[str, ...]
    reason: str
    since: int
    fixed: str | None = None
    pocket: str = ""
    last_known: Exposure | None = None
    mitigations: tuple[Mitigation, ...] = ()
    held_back: bool = False

    @property
    def can_be_closed(self) -> bool:
        """Whether somebody can do something about it today: fetch, install, restart, or mitigate what is not yet."""
        if self.exposure is Exposure.MITIGATION_ONLY:
            return all(one.effect is not Effect.EFFECTIVE for one in self.mitigations)
        return self.exposure in CLOSABLE


@dataclass(frozen=True, slots=True)
class Untriaged:
    """A CVE of which its vendor does not know yet whether it is in a package of the host."""

    about: str
    package: str
    status: Status
    since: int


@dataclass(frozen=True, slots=True)
class Dormant:
    """A kernel with the fault that is installed and does not run: nothing is open, until somebody starts it."""

    about: str
    package: str
    kernel: str
    version: str


Found = Finding | Untriaged | Dormant | str
"""One thing that is found about a host; a sentence for what could not be judged."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All of it, for one host at one moment. Times are seconds since 1970.

    `feed_at` is when the vendor's data were last seen to be current, None if never; `unknown_since` is None where both
    the data and the inventory are young enough, else `why` says which is not. `gaps` are what could not be judged, a
    sentence each.
    """

    host: str
    at: int
    feed_at: int | None
    taken_at: int
    unknown_since: int | None
    why: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    untriaged: tuple[Untriaged, ...] = ()
    dormant: tuple[Dormant, ...] = ()
    gaps: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing is open, and that is known: never so where anything is unknown."""
        return self.unknown_since is None and not self.findings and not self.gaps
