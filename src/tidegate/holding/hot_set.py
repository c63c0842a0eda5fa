"""The hot set: of what suites list, which packages the fleet is to have, and why. Pure.

Theory. Facts are about a package where it was seen (`store/holds.py`); a newer version of it may appear elsewhere: what
a client took from `noble` is mended in `noble-security`, and Debian's security archive is another archive altogether.
So a fact speaks for its whole *family*, the suites of one codename in all archives: for the pockets that hosts follow
(release, updates, security), and for another pocket (backports, proposed) only if it was seen in that one. What is
not a codename's suite (a flat repository) is a family of its own.

What clients asked for is wanted until nobody asked for so long, and so is what hosts reported to have, and what an
upgrade was found to need; rules and their needs until they are taken back.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate

from tidegate.archive.errors import FormatError
from tidegate.archive.packages import Package
from tidegate.archive.paths import suite_base
from tidegate.archive.versions import version_key
from tidegate.store.catalogue import Offer
from tidegate.store.holds import FADING, Hold, PackageKey, Wish, wanted_by

POCKETS = (
    "proposed-updates",
    "apps-security",
    "apps-updates",
    "infra-security",
    "infra-updates",
    "backports-sloppy",
    "backports",
    "proposed",
    "security",
    "updates",
)
"""What a suite's name has behind its family's; a name that ends another stands behind it."""
FOLLOWED = frozenset(POCKETS) - {"proposed-updates", "backports-sloppy", "backports", "proposed"} | {""}
"""Pockets whose versions hosts take by themselves; from the others only what was chosen there (NotAutomatic)."""
SECURITY = "security"
SOURCE = "source"
ALL = "all"
_GLOB = frozenset("*?[")
TASK = "^"

Reason = Hold | Wish
Codenames = Mapping[tuple[str, str], str]
"""By archive and suite: what the Release calls it; a suite without one goes by its own name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an index stands."""

    archive: str
    suite: str
    codename: str
    component: str
    architecture: str
    """The index's own; packages for all of them stand in each. `source` for source packages."""

    @property
    def family(self) -> str:
        """What is in front of the pocket; of a flat repository everything, with its archive."""
        return family_of(self.archive, self.codename)[0]

    @property
    def pocket(self) -> str:
        """`security`, `updates`, …; empty for the release itself."""
        return family_of(self.archive, self.codename)[1]


@dataclass(frozen=True, slots=True)
class Hot:
    """A listed package that the fleet is to have; there is at least one reason."""

    place: Place
    package: Package
    reasons: tuple[Reason, ...]


def family_of(archive: str, codename: str) -> tuple[str, str]:
    """A codename's family and pocket: `noble-security` is `noble` and `security`."""
    if codename.endswith("/"):
        return f"{archive} {codename}", ""
    name = codename.replace("/", "-")  # debian-security's suites were `buster/updates` once
    pocket = next((one for one in POCKETS if name.endswith(f"-{one}")), "")
    return (name.removesuffix(f"-{pocket}") if pocket else name), pocket


def place_of(archive: str, suite: str, index: str, codenames: Codenames) -> Place:
    """Where an index stands, by its path below the archive."""
    codename = codenames.get((archive, suite)) or suite
    parts = index.removeprefix(suite_base(suite)).split("/")[:-1]
    leaf = parts[-1] if parts else ""
    architecture = SOURCE if leaf == SOURCE else leaf.removeprefix("binary-") if leaf.startswith("binary-") else ""
    component = parts[: parts.index("debian-installer")] if "debian-installer" in parts else parts[:-1]
    return Place(archive, suite, codename, "/".join(component), architecture)


def key_of(archive: str, offers: Sequence[Offer]) -> PackageKey | None:
    """What to remember of a path that a client asked for: the package, in the plainest suite that lists it."""
    if not offers:
        return None
    pockets = ("", *reversed(POCKETS))
    best = min(offers, key=lambda offer: pockets.index(family_of(archive, offer.suite)[1]))
    place = place_of(archive, best.suite, best.listed_in, {})
    return PackageKey(archive, best.suite, place.component, best.package.architecture, best.package.name)


def forgotten_at(hold: Hold, forget_after_s: float) -> int | None:
    """When a package is no longer wanted, should nobody say so again (epoch seconds); None: not by itself."""
    return int(hold.last_used_at + forget_after_s) if hold.origin in FADING else None


def sentence_of(reason: Reason) -> str:
    """Why, in words."""
    return wanted_by(reason.name) if isinstance(reason, Wish) else reason.why


class HotSet:
    """What holds and wishes make of what suites list, as of one moment."""

    def __init__(
        self,
        holds: Iterable[Hold],
        wishes: Iterable[Wish],
        codenames: Codenames,
        *,
        now: float,
        forget_after_s: float,
    ) -> None:
        """`forget_after_s`: what is FADING and was last said longer ago is not wanted on that account."""
        self._codenames = codenames
        self._by_name: dict[str, list[tuple[Hold, str, str]]] = {}
        for hold in holds:
            end = forgotten_at(hold, forget_after_s)
            if end is None or now < end:
                family, pocket = self._family(hold.archive, hold.suite)
                self._by_name.setdefault(hold.name, []).append((hold, family, pocket))
        self._rules = [(wish, names_matching(wish.patterns)) for wish in wishes]

    def _family(self, archive: str, suite: str) -> tuple[str, str]:
        return family_of(archive, self._codenames.get((archive, suite)) or suite)

    def names(self, place: Place, offered: Callable[[], Collection[str]]) -> frozenset[str] | None:
        """Which packages to look at in an index that offers these; None: all of them.

        A superset of what `reasons` has reasons for, that costs little where few are wanted.
        """
        here = [(wish, matches) for wish, matches in self._rules if self.speaks_for(wish, place)]
        if any(not wish.patterns for wish, _ in here):
            return None
        names = frozenset(offered())
        ruled = (name for name in names if any(matches(name) for _, matches in here)) if here else ()
        return names.intersection(self._by_name).union(ruled)

    def reasons(self, place: Place, package: Package) -> tuple[Reason, ...]:
        """Why this package, listed there, is wanted; empty: it is not."""
        held = [hold for hold, *family in self._by_name.get(package.name, ()) if _holds(hold, family, place, package)]
        rules = [
            wish
            for wish, matches in self._rules
            if (not wish.patterns or matches(package.name))
            and self.speaks_for(wish, place)
            and _fits(wish.architecture or package.architecture, package.architecture)
            and (wish.architecture == SOURCE or package.architecture != SOURCE)
        ]
        return (*held, *rules)

    def hot(self, place: Place, packages: Iterable[Package]) -> tuple[Hot, ...]:
        """Those of an index's packages that are wanted: the newest of each, or all where a rule wants all."""
        return newest_in_family(
            Hot(place, package, reasons) for package in packages if (reasons := self.reasons(place, package))
        )

    def speaks_for(self, wish: Wish, place: Place) -> bool:
        """Whether a rule is about what is listed there."""
        if wish.archive not in ("", place.archive) or wish.component not in ("", place.component):
            return False
        if wish.suite in ("", place.suite, place.codename):
            return True
        if not wish.patterns:
            return False  # a whole pocket is that pocket
        family, pocket = self._family(wish.archive or place.archive, wish.suite)
        return not pocket and family == place.family and place.pocket in FOLLOWED


def newest_in_family(hots: Iterable[Hot]) -> tuple[Hot, ...]:
    """Of each package the newest version among all pockets that hosts follow, as apt would take it.

    Security's own is wanted as well where only updates overtake it: some hosts take security updates alone. A pocket
    that has to be chosen has a newest version of its own; a rule that wants all of a pocket wants each.
    """
    found: dict[tuple[str, str, str, str], list[Hot]] = {}
    for hot in hots:
        for view in _views(hot.place.pocket):
            found.setdefault((hot.package.name, hot.package.architecture, hot.place.family, view), []).append(hot)
    newest = ((view, one) for (*_, view), same in found.items() for one in _newest(same))
    chosen = (one for view, one in newest if view != SECURITY or one.place.pocket.endswith(SECURITY))
    return tuple({id(one): one for one in chosen}.values())


def _views(pocket: str) -> tuple[str, ...]:
    """Among whose versions one of this pocket is compared: by hosts that follow all, and by those that take the
    release and its security updates alone."""
    if pocket not in FOLLOWED:
        return (pocket,)
    return ("", SECURITY) if not pocket or pocket.endswith(SECURITY) else ("",)


def _newest(same: Sequence[Hot]) -> Iterable[Hot]:
    """One version may be listed by several suites: each of them is told."""
    if len(same) == 1:
        return same
    keys = [_sortable(one.package.version) for one in same]
    newest = max(keys)
    return (one for one, key in zip(same, keys, strict=True) if key == newest or _whole_pocket(one))


def _whole_pocket(hot: Hot) -> bool:
    return any(isinstance(reason, Wish) and not reason.patterns for reason in hot.reasons)


def names_matching(patterns: Collection[str]) -> Callable[[str], bool]:
    """Whether a package's name is one of these, or fits one of them; tasks match nothing here."""
    names = frozenset(one for one in patterns if not _GLOB.intersection(one) and not one.endswith(TASK))
    globs = [translate(one) for one in patterns if _GLOB.intersection(one) and not one.endswith(TASK)]
    if not globs:
        return names.__contains__
    fits = re.compile("|".join(globs)).match
    return lambda name: name in names or fits(name) is not None


def _holds(hold: Hold, family: Sequence[str], place: Place, package: Package) -> bool:
    if not _fits(hold.architecture or package.architecture, package.architecture):
        return False
    if not hold.suite:
        return hold.archive in ("", place.archive)
    if family[0] != place.family:
        return False
    return place.pocket in FOLLOWED or place.pocket == family[1]


def _fits(wanted: str, architecture: str) -> bool:
    """A package that was for one architecture may be for all in its next version, or the other way round."""
    return wanted == architecture or (SOURCE not in (wanted, architecture) and ALL in (wanted, architecture))


def _sortable(version: str) -> bytes:
    try:
        return version_key(version)
    except FormatError:
        return b""  # older than every proper one
