"""The rows and columns of the matrix: what is asked for, and what is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Final

from tests.simulator.faults import Fault, RawAnswer, ResetInHead, Silence, Status, Truncate

REASON: Final = "Tidegate holds no verified copy of this file"
"""The reason phrase of every answer; the matrix notes whether apt shows it to a person."""

UPDATE: Final = ("update", "--error-on=any")
STRUCK: Final = tuple(f"tide-a{number}" for number in range(1, 7))
"""Packages that meet the answer, asked for in one go, and pipelined, with those that are well."""
WELL: Final = tuple(f"tide-b{number}" for number in range(1, 10))


class Kind(Enum):
    """What the client asks for when it meets the answer."""

    INRELEASE = "InRelease"
    RELEASE = "Release"
    INDEX = "index"
    BY_HASH = "index by hash"
    DEB = "package"
    SOURCE = "source"

    @property
    def suite(self) -> str:
        """The simulated suite that has this kind of file."""
        match self:
            case Kind.RELEASE:
                return "detached"
            case Kind.INDEX:
                return "plain"
            case _:
                return "stable"

    @property
    def strikes(self) -> Callable[[str], bool]:
        """Whether the answer is given for a path."""
        patterns: tuple[str, ...]
        match self:
            case Kind.INRELEASE:  # and what apt asks for where there is no InRelease
                patterns = ("dists/stable/InRelease", "dists/stable/Release*")
            case Kind.RELEASE:
                patterns = ("dists/detached/Release*",)
            case Kind.INDEX:
                patterns = ("dists/plain/*/Packages*",)
            case Kind.BY_HASH:  # and the plain name, which apt asks for next
                patterns = ("dists/stable/*/by-hash/*", "dists/stable/*/Packages*", "dists/stable/*/Sources*")
            case Kind.DEB:
                patterns = tuple(f"pool/*/{name}_*.deb" for name in STRUCK)
            case Kind.SOURCE:
                patterns = ("pool/*.orig.tar*",)
        return lambda path: any(fnmatchcase(path, pattern) for pattern in patterns)

    @property
    def beside(self) -> tuple[str, ...]:
        """What is well and should arrive all the same, as globs below the client's root."""
        match self:
            case Kind.DEB:
                return tuple(f"cache/archives/{name}_*.deb" for name in WELL)
            case Kind.SOURCE:
                return ("sources/*.dsc",)
            case _:
                return ("state/lists/*_dists_well_InRelease",)

    @property
    def command(self) -> tuple[str, ...]:
        """What apt-get is told to do."""
        match self:
            case Kind.DEB:
                return ("install", "--download-only", *STRUCK, *WELL)
            case Kind.SOURCE:
                return ("source", "--download-only", "tide-source")
            case _:
                return UPDATE

    @property
    def before(self) -> tuple[tuple[str, ...], ...]:
        """What it is told before, while all is well."""
        return (UPDATE,) if self.command is not UPDATE else ()


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer, how often it is given, and its name in the table."""

    name: str
    fault: Fault
    times: int | None = None  # None: always

    @property
    def says_why(self) -> bool:
        """Whether it carries a reason phrase."""
        return isinstance(self.fault, Status)


STATUSES: Final = (400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 416, 421, 423, 425, 429, 451)
STATUSES_OF_SERVERS: Final = (500, 501, 502, 503, 504, 505, 507, 511)


def _scripted() -> tuple[Scripted, ...]:
    statuses = [Scripted(str(code), Status(code, REASON)) for code in STATUSES + STATUSES_OF_SERVERS]
    waits = [
        Scripted(f"503, Retry-After: {seconds}", Status(503, REASON, retry_after=str(seconds))) for seconds in (1, 5)
    ]
    broken = [
        Scripted("close without an answer", RawAnswer(b"")),
        Scripted("reset in the head", ResetInHead(12)),
        Scripted("close in the body", Truncate(64)),
        Scripted("silence", Silence()),
    ]
    once = [
        Scripted("503 once, then well", Status(503, REASON), times=1),
        Scripted("429 once, then well", Status(429, REASON), times=1),
        Scripted("reset once, then well", ResetInHead(12), times=1),
    ]
    return (*statuses, *waits, *broken, *once)


SCRIPTED: Final = _scripted()
