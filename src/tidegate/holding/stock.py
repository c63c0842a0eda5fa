"""How much of what the fleet will ask for is held: counted, never guessed. Pure.

Theory. The hot set (`holding/hot_set.py`: what clients use and hosts report to have) stands for the fleet, and three
questions are asked of it, each of files that signed indices list now:

updates    of each hot package the newest version that hosts take by themselves, and of one that was chosen from a
           pocket they do not follow (backports) the newest there
security   of these the ones that a suite of security updates has mended since the release: a yet newer version
           among the ordinary updates has the mending in it
install    what a fresh host needs to install hot packages: their dependency closure (`holding/closure.py`)

A file counts once, however many suites list it; held is what is there in its full length.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct
from msgspec.structs import replace

from tidegate.archive.errors import FormatError
from tidegate.archive.packages import Package
from tidegate.archive.versions import version_key
from tidegate.holding.hot_set import FOLLOWED, Hot, Place, sentence_of
from tidegate.store.holds import Hold, Origin

LACKS_MAX = 10_000
"""Files that are named one by one; what is beyond is counted."""
UNMET_MAX = 100
"""Sentences about what cannot be installed at all; what is beyond is counted."""


class Kind(StrEnum):
    """What a share is a share of, the most urgent first."""

    SECURITY = "security"
    UPDATES = "updates"
    INSTALL = "install"


class Wanted(NamedTuple):
    """A file that the fleet will ask for."""

    place: Place
    package: Package
    why: str


class Share(Struct, frozen=True, kw_only=True):
    """How much of one kind is held."""

    kind: Kind
    wanted: Annotated[int, Meta(description="different files, and what cannot be had at all")]
    held: int
    wanted_bytes: int
    held_bytes: int
    percent: Annotated[
        float | None,
        Meta(description="rounded down to a tenth, so that 100 means all; null: not known, as nothing is known to ask"),
    ]


class Lack(Struct, frozen=True, kw_only=True):
    """A file that is listed, would be asked for, and is not held."""

    archive: str
    suite: str
    component: str
    architecture: str
    name: str
    version: str
    path: Annotated[str, Meta(description="below the archive")]
    size: int
    kinds: Annotated[tuple[Kind, ...], Meta(description="what it is missing from")]
    why: Annotated[str, Meta(description="why the fleet would ask for it")]
    todo: Annotated[str, Meta(description="what to do about it")] = ""


class LostIndex(Struct, frozen=True, kw_only=True):
    """Signed metadata of a served suite that is not held any more: clients cannot update their lists from here."""

    archive: str
    suite: str
    path: Annotated[str, Meta(description="below the archive")]


class Stock(Struct, frozen=True, kw_only=True):
    """What was counted, and when."""

    at: Annotated[int, Meta(description="epoch seconds, UTC")]
    hot: Annotated[int, Meta(description="packages that are known to be used or wanted, and listed")]
    shares: tuple[Share, ...]
    lacks: Annotated[tuple[Lack, ...], Meta(description=f"{LACKS_MAX} at most, the most urgent first")] = ()
    lacking: Annotated[int, Meta(description="how many files are lacking in all")] = 0
    lacking_bytes: int = 0
    used_bytes: Annotated[int, Meta(description="all that is held, whatever for")] = 0
    unmet: Annotated[tuple[str, ...], Meta(description="what cannot be installed from what is listed")] = ()
    lost: tuple[LostIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class Install:
    """What fresh hosts need: its files, and in sentences what cannot be had."""

    wanted: tuple[Wanted, ...] = ()
    unmet: tuple[str, ...] = ()


def pending(hot: Iterable[Hot]) -> tuple[Wanted, ...]:
    """Of every package the newest version of each family of suites, whichever pocket has it."""
    return tuple(wanted for group in _groups(hot) for wanted in _newest(group))


def security_updates(hot: Iterable[Hot], suites: Collection[tuple[str, str]]) -> tuple[Wanted, ...]:
    """Those of `pending` of which one of these suites (archive and suite) has a version that the release has not."""
    return tuple(wanted for group in _groups(hot) if _is_mended(group, suites) for wanted in _newest(group))


def count(
    wanted: Mapping[Kind, Sequence[Wanted]],
    held: Collection[bytes],
    *,
    at: int,
    hot: int,
    security_suites: int,
    used_bytes: int = 0,
    unmet: Sequence[str] = (),
    lost: Sequence[LostIndex] = (),
) -> Stock:
    """The shares of these kinds, and what they lack. `held`: digests. `hot`: how many packages stand for the fleet.

    Without any nothing is known, and no share is told; nor one of security updates where no suite brings them.
    """
    lacks: dict[bytes, Lack] = {}
    shares = []
    for kind in (one for one in Kind if one in wanted):
        files = {one.package.sha256: one for one in wanted[kind]}
        there = [one.package.size for digest, one in files.items() if digest in held]
        none = hot == 0 or (kind is Kind.SECURITY and security_suites == 0)
        impossible = len(unmet) if kind is Kind.INSTALL else 0
        shares.append(_share(kind, files.values(), there, impossible, unknown=none))
        for digest, one in files.items():
            if digest not in held:
                known = lacks.get(digest)
                lacks[digest] = _lack(one, kind) if known is None else replace(known, kinds=(*known.kinds, kind))
    ordered = sorted(lacks.values(), key=lambda one: (list(Kind).index(one.kinds[0]), one.name, one.path))
    return Stock(
        at=at,
        hot=hot,
        shares=tuple(shares),
        lacks=tuple(ordered[:LACKS_MAX]),
        lacking=len(lacks),
        lacking_bytes=sum(one.size for one in lacks.values()),
        used_bytes=used_bytes,
        unmet=_told(unmet),
        lost=tuple(lost),
    )


def why(hot: Hot) -> str:
    """The reason that says most: what somebody named or used, rather than what that needs."""
    return sentence_of(min(hot.reasons, key=lambda one: isinstance(one, Hold) and one.origin is Origin.NEED))


def _groups(hot: Iterable[Hot]) -> Collection[Sequence[Hot]]:
    """What one host sees as one package. Its version for all architectures may replace one for its own."""
    groups: dict[tuple[str, ...], list[Hot]] = {}
    for one in hot:
        place = one.place
        pocket = "" if place.pocket in FOLLOWED else place.pocket
        key = (place.family, pocket, place.architecture or one.package.architecture, one.package.name)
        groups.setdefault(key, []).append(one)
    return groups.values()


def _is_mended(group: Sequence[Hot], suites: Collection[tuple[str, str]]) -> bool:
    """Whether hosts take it for security's sake; not where the release itself is newer than the last mending."""
    mended, released = b"", b""
    for one in group:
        if (one.place.archive, one.place.suite) in suites:
            mended = max(mended, _sortable(one.package.version))
        elif not one.place.pocket:
            released = max(released, _sortable(one.package.version))
    return mended >= released and mended != b""


def _newest(group: Sequence[Hot]) -> list[Wanted]:
    """One file, or several: a source package has more than one, and two archives may differ over one version."""
    keys = [_sortable(one.package.version) for one in group]
    newest = max(keys)
    return [Wanted(one.place, one.package, why(one)) for one, key in zip(group, keys, strict=True) if key == newest]


def _sortable(version: str) -> bytes:
    try:
        return version_key(version)
    except FormatError:
        return b""  # older than every proper one


def _share(kind: Kind, files: Collection[Wanted], there: Sequence[int], impossible: int, *, unknown: bool) -> Share:
    total = len(files) + impossible
    return Share(
        kind=kind,
        wanted=total,
        held=len(there),
        wanted_bytes=sum(one.package.size for one in files),
        held_bytes=sum(there),
        percent=None if unknown else percent(len(there), total),
    )


def percent(held: int, wanted: int) -> float:
    """Rounded down to a tenth. Of nothing everything is held."""
    return 1000 * held // wanted / 10 if wanted else 100.0


def _lack(one: Wanted, kind: Kind) -> Lack:
    place, package, why = one
    return Lack(
        archive=place.archive,
        suite=place.suite,
        component=place.component,
        architecture=package.architecture,
        name=package.name,
        version=package.version,
        path=package.path,
        size=package.size,
        kinds=(kind,),
        why=why,
    )


def _told(unmet: Sequence[str]) -> tuple[str, ...]:
    more = len(unmet) - UNMET_MAX
    return (*unmet[:UNMET_MAX], f"and {more} more") if more > 0 else tuple(unmet)
