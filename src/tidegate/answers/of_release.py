"""What holds for each release, of what is said about a CVE or by a notice: the newest word on each package."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tidegate.advisories.history import Said
from tidegate.advisories.releases import release_age, release_title
from tidegate.advisories.statement import Status
from tidegate.advisories.ubuntu_osv import LIVEPATCH
from tidegate.fleet.ruling import newest

NOTE_CHARS_MAX = 160


class Tone(StrEnum):
    """What a word means for whoever has the package."""

    OPEN = "open"
    FIXED = "fixed"
    NOT_AFFECTED = "clear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """What holds for one package of one release."""

    package: str
    pocket: str
    tone: Tone
    says: str
    fixed: str
    note: str
    feed: str
    since: int


@dataclass(frozen=True, slots=True)
class OfRelease:
    """Of one release: what is open first."""

    title: str
    lines: tuple[Line, ...]

    def count(self, tone: str) -> int:
        return sum(1 for one in self.lines if one.tone == tone)


def by_release(said: Iterable[Said]) -> tuple[OfRelease, ...]:
    """The newest word on each package of each pocket, by release, the newest release first."""
    places: dict[tuple[str, str], dict[tuple[str, str], list[Said]]] = {}
    for one in said:
        place = one.statement.place
        if place.pocket != LIVEPATCH:
            of_release = places.setdefault((place.distribution, place.release), {})
            of_release.setdefault((one.statement.package, place.pocket), []).append(one)
    ordered = sorted(places, key=lambda key: (key[0] != "ubuntu", key[0], release_age(*key), key[1]))
    return tuple(
        OfRelease(release_title(*key), tuple(sorted(map(_line, map(newest, places[key].values())), key=_order)))
        for key in ordered
    )


_TONES = (Tone.OPEN, Tone.UNKNOWN, Tone.FIXED, Tone.NOT_AFFECTED)


def _order(line: Line) -> tuple[int, str, str]:
    return _TONES.index(line.tone), line.package, line.pocket


_SAYS = {
    Status.NEEDS_TRIAGE: (Tone.UNKNOWN, "not looked at yet"),
    Status.UNDETERMINED: (Tone.UNKNOWN, "could not be told"),
    Status.AFFECTED: (Tone.OPEN, "affected, no fix published"),
    Status.NEEDED: (Tone.OPEN, "affected, a fix is needed"),
    Status.PENDING: (Tone.OPEN, "affected, a fix is made and not published yet"),
    Status.DEFERRED: (Tone.OPEN, "affected, the fix was put off"),
    Status.IGNORED: (Tone.OPEN, "affected, will not be fixed here"),
    Status.RELEASED: (Tone.FIXED, "fixed"),
    Status.NOT_AFFECTED: (Tone.NOT_AFFECTED, "not affected"),
}


def _line(said: Said) -> Line:
    statement = said.statement
    tone, says = _SAYS[statement.status]
    fixed = statement.fixed or "" if statement.status is Status.RELEASED else ""
    return Line(
        statement.package, statement.place.pocket, tone, says, fixed, shortened(statement.note), said.feed, said.since
    )


def shortened(text: str) -> str:
    """One line, cut between words."""
    line = " ".join(text.split())
    return line if len(line) <= NOTE_CHARS_MAX else line[:NOTE_CHARS_MAX].rsplit(" ", 1)[0] + " …"
