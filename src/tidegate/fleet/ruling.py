"""Of all that is said about a CVE in a source package of a release, what holds for one host.

Feeds of one vendor differ in how fine they are and how fast; the newest word holds, but that a word which only says
"affected" takes nothing away from one that says more. Pockets differ in who gets what is in them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tidegate.advisories.history import Said
from tidegate.advisories.statement import Statement, Status
from tidegate.archive.versions import version_key

UNTRIAGED = frozenset({Status.NEEDS_TRIAGE, Status.UNDETERMINED})
OPEN = frozenset({Status.AFFECTED, Status.NEEDED, Status.PENDING, Status.DEFERRED, Status.IGNORED})

_ESM = ("esm-infra-legacy", "esm-infra", "esm-apps")
"""Each goes on where the release's own pockets end, in the same line of versions; the last first."""
_FIPS = ("fips-updates", "fips", "fips-preview")
"""A line of versions of its own, which bear the word."""
_ALIASES = {"esm": "esm-infra"}
"""Trusty's, as the tracker called it before there were two."""
_FINENESS = {Status.RELEASED: 0, Status.NOT_AFFECTED: 3, Status.AFFECTED: 4} | dict.fromkeys(UNTRIAGED, 2)
_FINE = 1
_VERSIONS_REMEMBERED = 2**17


@dataclass(frozen=True, slots=True)
class Ruling:
    """What holds. `elsewhere` is a fix in a pocket that the host does not have (pocket, version)."""

    said: Said
    elsewhere: tuple[str, str] | None = None

    @property
    def statement(self) -> Statement:
        return self.said.statement

    @property
    def pocket(self) -> str:
        """Where the statement's version is, by the name that hosts have for it."""
        return _named(self.statement.place.pocket)


@lru_cache(maxsize=_VERSIONS_REMEMBERED)
def key(version: str) -> bytes:
    """`version_key`, remembered: hosts have the same versions, and statements name them again and again."""
    return version_key(version)


def at_least(version: str, fixed: str | None) -> bool:
    """Whether a version is as new as a fix; never, where no fix is named."""
    return fixed is not None and key(version) >= key(fixed)


def is_open(statement: Statement, version: str) -> bool:
    """Whether a version has the fault, by a statement that says so. What is not triaged is not open."""
    if statement.introduced is not None and key(version) < key(statement.introduced):
        return False
    if statement.status is Status.RELEASED or statement.status in OPEN:
        return not at_least(version, statement.fixed)
    return False


def ruling(found: Iterable[Said], version: str, pockets: Collection[str] | None) -> Ruling | None:
    """What holds for a host with this version and these pockets (None: nobody said); None where nothing does."""
    by_pocket: dict[str, list[Said]] = {}
    for one in found:
        by_pocket.setdefault(_named(one.statement.place.pocket), []).append(one)
    merged = {pocket: newest(said) for pocket, said in by_pocket.items()}
    if "fips" in version.lower():
        for pocket in _FIPS:
            if pocket in merged and (pockets is None or pocket in pockets):
                return Ruling(merged[pocket])
    return _in_line(merged, version, pockets)


def simple(found: Iterable[Said]) -> Ruling | None:
    """What holds for every host, whatever its version and pockets; None where that depends on them."""
    said = list(found)
    return None if any(one.statement.place.pocket for one in said) or not said else Ruling(newest(said))


def _named(pocket: str) -> str:
    return _ALIASES.get(pocket, pocket)


def _in_line(merged: dict[str, Said], version: str, pockets: Collection[str] | None) -> Ruling | None:
    """By the release's own pockets and those of ESM."""
    base = merged.get("")
    elsewhere: tuple[str, str] | None = None
    for pocket in _ESM:
        said = merged.get(pocket)
        if said is None:
            continue
        fixed = said.statement.fixed if said.statement.status is Status.RELEASED else None
        if pocket in (pockets or ()) or _has_fix_of_esm(version, fixed):
            return Ruling(said)
        elsewhere = elsewhere or ((pocket, fixed) if fixed else None)
    if base is not None:
        return Ruling(base, elsewhere)
    for pocket in sorted(merged):
        if pocket not in _FIPS and (pocket in _ESM or pockets is None or pocket in pockets):
            return Ruling(merged[pocket], elsewhere)
    return None


def _has_fix_of_esm(version: str, fixed: str | None) -> bool:
    """Whoever has the fixed version had the pocket once, whatever it has now; but a version of the release's own
    pockets may be higher than ESM's, and not have its fix: 0ubuntu0.22.04.5 sorts behind 0ubuntu0.22.04.3+esm1."""
    return fixed is not None and at_least(version, fixed) and ("esm" in version or "esm" not in fixed)


def newest(said: Sequence[Said]) -> Said:
    """Of what several feeds say about a CVE in one package of one place, what holds."""
    finer = [one for one in said if one.statement.status is not Status.AFFECTED]
    if any(one.statement.status in UNTRIAGED or one.statement.status in OPEN for one in finer):
        said = finer
    # OpenVEX names no version of a fix; who does, says more.
    named = [one for one in said if one.statement.status is not Status.RELEASED or one.statement.fixed]
    return min(named or said, key=lambda one: (-one.since, _FINENESS.get(one.statement.status, _FINE), one.feed))
