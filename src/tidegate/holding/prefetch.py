"""What is fetched before a newer snapshot is switched to, in which order, and how long the switch waits for it. Pure.

Theory. A client that is told of a version asks for it next; on the day that nobody can give it any more, it has to be
here, and so has to be what it needs and the version before it did not (`holding/upgrade.py`). So the wanted packages of
a newer snapshot come first, then what they newly need, then the switch. But hosts that wait for the news run what is
not mended yet, and so the waiting is bounded, by this rule:

nothing served, or expired   switch at once: clients have nothing better
security                     fetch for `security_wait_s` at most, whatever is missing then
any other                    fetch for `prefetch_s` at most; after `wait_s` no longer for what no source gives
`prefetch_bytes`, no room    what is beyond it does not hold the switch up

What no source gives then, though its Release came from one, is torn: half of a mirror's update, or of a dying one. apt
upgrades nothing where one package of many is refused, so the older state, whole, does hosts more good. So for
`torn_wait_s` there is no switch at all, and the next look tries again (`torn`).

What is missing otherwise is told, and fetched behind the switch (`holding/prefetching.py`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from tidegate.archive.packages import Package
from tidegate.holding.hot_set import Hot, Place, family_of
from tidegate.holding.settings import HoldSettings
from tidegate.store.catalogue import Snapshot, SuiteKey
from tidegate.store.holds import Hold, PackageKey

NAMES_TOLD_MAX = 20
"""Packages named in one sentence; the others are counted."""
SECURITY = "security"


@dataclass(frozen=True, slots=True)
class Piece:
    """A wanted package's file that is not held."""

    path: str
    digest: bytes
    size: int
    name: str
    version: str
    architecture: str
    uses: int
    """How often clients asked for the package, and how many others want it."""

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.architecture})"


class Fresh(Struct, frozen=True):
    """A package that the newer version of `by` needs and the one before did not, and where it is listed."""

    by: str
    place: Place
    package: Package

    @property
    def key(self) -> PackageKey:
        """What is to be remembered of it."""
        place, package = self.place, self.package
        return PackageKey(place.archive, place.suite, place.component, package.architecture, package.name)


class Nowhere(str):
    """Why a file is not held, where that is since no source gives it; not for a bound of ours."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Lack:
    """A wanted package that is listed and not held, and why not."""

    piece: Piece
    reason: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a switch waits, counted from when its fetching began, and for how much."""

    fetch_s: float
    wait_s: float
    """For what no source gives; never longer than `fetch_s`."""
    bytes_max: int

    def less(self, spent: "Patience") -> "Patience":
        """What is left of it."""
        left = self.fetch_s - spent.fetch_s, self.wait_s - spent.wait_s, self.bytes_max - spent.bytes_max
        return Patience(max(0.0, left[0]), max(0.0, left[1]), max(0, left[2]))


AT_ONCE = Patience(0.0, 0.0, 0)


def is_security(archive: str, suite: str, codename: str, label: str) -> bool:
    """Whether a suite brings security updates, by what it and its archive are called (Debian's Label has it too)."""
    pockets = (family_of(archive, name)[1] for name in (suite, codename) if name)
    return any(one.endswith(SECURITY) for one in (*pockets, archive)) or SECURITY in label.lower()


def patience(
    settings: HoldSettings, served: Snapshot | None, now: float, *, security: bool, again: bool = False
) -> Patience:
    """How long a suite's switch may wait; `served` is what clients have until then. The rule is above.

    `again`: the last time there was no switch; what no source gives is tried once then.
    """
    if served is None or (served.valid_until is not None and served.valid_until < now):
        return AT_ONCE
    fetch_s = settings.security_wait_s if security else settings.prefetch_s
    return Patience(fetch_s, 0.0 if again else min(settings.wait_s, fetch_s), settings.prefetch_bytes)


def torn(lacks: Iterable[Lack], waited_s: float, settings: HoldSettings) -> str:
    """Why there had better be no switch, or empty. `waited_s`: for how long there has been none for that reason."""
    nowhere = [lack.piece for lack in lacks if isinstance(lack.reason, Nowhere)]
    if not nowhere or waited_s >= settings.torn_wait_s:
        return ""
    return f"it lists what no source gives: {named(nowhere)}"


def pieces_of(hots: Iterable[Hot]) -> tuple[Piece, ...]:
    """Each file once: the most used first, then the smallest, so that a bound leaves as few out as can be."""
    found: dict[bytes, Piece] = {}
    for hot in hots:
        package = hot.package
        uses = sum(reason.uses if isinstance(reason, Hold) else 1 for reason in hot.reasons)
        known = found.get(package.sha256)
        if known is None or known.uses < uses:
            path, digest, size, name, version, architecture, *_ = package
            found[digest] = Piece(path, digest, size, name, version, architecture, uses)
    return tuple(sorted(found.values(), key=lambda one: (-one.uses, one.size, one.path)))


def fresh_pieces(needs: Iterable[Fresh]) -> dict[SuiteKey, tuple[Piece, ...]]:
    """Their files, by the suites that list them."""
    found: dict[SuiteKey, dict[bytes, Piece]] = {}
    for one in needs:
        path, digest, size, name, version, architecture, *_ = one.package
        pieces = found.setdefault((one.place.archive, one.place.suite), {})
        pieces[digest] = Piece(path, digest, size, name, version, architecture, uses=1)
    return {key: tuple(sorted(pieces.values(), key=lambda one: (one.size, one.path))) for key, pieces in found.items()}


def within(pieces: Sequence[Piece], bytes_max: int) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Those that fit into so many bytes, taken in order, and the others."""
    fit, others, size = list[Piece](), list[Piece](), 0
    for piece in pieces:
        if size + piece.size <= bytes_max:
            fit.append(piece)
            size += piece.size
        else:
            others.append(piece)
    return tuple(fit), tuple(others)


def named(pieces: Collection[Piece]) -> str:
    """Their names and versions for people, bounded."""
    told = ", ".join(str(one) for one in list(pieces)[:NAMES_TOLD_MAX])
    return f"{told} and {len(pieces) - NAMES_TOLD_MAX} more" if len(pieces) > NAMES_TOLD_MAX else told


def reasons_of(lacks: Iterable[Lack]) -> str:
    """Each reason once, the most frequent first, with how many it keeps out."""
    counts: dict[str, int] = {}
    for lack in lacks:
        counts[lack.reason] = counts.get(lack.reason, 0) + 1
    told = sorted(counts.items(), key=lambda one: -one[1])
    return "; ".join(f"{count}: {reason}" for reason, count in told[:NAMES_TOLD_MAX])
