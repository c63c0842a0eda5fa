"""What is told about the hot set: the structs behind `tidegate hold`, and how they are read from the stores.

Reads all that suites list; not for an event loop.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct

from tidegate.archive.packages import Package
from tidegate.holding.hot_listing import Stores, codenames_of, hot_now, hot_set_of
from tidegate.holding.hot_set import (
    TASK,
    Hot,
    HotSet,
    Place,
    forgotten_at,
    names_matching,
    newest_in_family,
    place_of,
    sentence_of,
)
from tidegate.store.holds import FADING, Hold, Origin, Wish, wanted_by

At = Annotated[int, Meta(description="epoch seconds, UTC")]
Architecture = Annotated[str, Meta(description="empty: whichever; `source` for source packages")]


PATTERNS_MAX = 1_000


class WishRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it is asked for."""

    patterns: Annotated[tuple[str, ...], Meta(max_length=PATTERNS_MAX)] = ()
    name: str = ""
    archive: str = ""
    suite: str = ""
    component: str = ""
    architecture: str = ""
    closure: bool = False
    recommends: bool = False


class AmountReport(Struct, frozen=True, kw_only=True):
    """How much something is, and how much of it is here."""

    packages: Annotated[int, Meta(description="different files")] = 0
    bytes: int = 0
    held: Annotated[int, Meta(description="of the packages, those that are here and verified")] = 0
    held_bytes: int = 0


class RuleReport(Struct, frozen=True, kw_only=True):
    """A rule that the operator wrote, and what it comes to now."""

    name: str
    patterns: Annotated[tuple[str, ...], Meta(description="empty: everything there")]
    archive: Annotated[str, Meta(description="empty: every one")]
    suite: Annotated[str, Meta(description="empty: every one")]
    component: Annotated[str, Meta(description="empty: every one")]
    architecture: Architecture
    closure: Annotated[bool, Meta(description="with what they depend on")]
    recommends: Annotated[bool, Meta(description="with what they recommend")]
    since: At
    amount: AmountReport
    unmatched: Annotated[tuple[str, ...], Meta(description="patterns that nothing listed fits")]
    problems: Annotated[tuple[str, ...], Meta(description="what is needed and cannot be had")]


class HoldReport(Struct, frozen=True, kw_only=True):
    """A package that somebody uses or needs."""

    name: str
    archive: str
    suite: Annotated[str, Meta(description="where it was seen; empty: wherever the archive lists it")]
    component: str
    architecture: Architecture
    origin: Annotated[str, Meta(description="clients, inventory, upgrade or need")]
    why: Annotated[str, Meta(description="the same in words")]
    since: At
    last_used_at: At
    uses: Annotated[int, Meta(description="minutes in which clients asked for it; of an inventory, hosts that have it")]
    forgotten_at: Annotated[int | None, Meta(description="when it no longer counts unless said again; null: never")]


class OfferReport(Struct, frozen=True, kw_only=True):
    """A version that is listed now."""

    archive: str
    suite: str
    component: str
    architecture: str
    name: str
    version: str
    path: str
    size: int
    held: Annotated[bool, Meta(description="here and verified")]
    wanted: Annotated[tuple[str, ...], Meta(description="why this very version is wanted; empty: it is not")]


class HoldsReport(Struct, frozen=True, kw_only=True):
    """`tidegate hold list --json`."""

    at: At
    forget_after_s: float
    total: Annotated[AmountReport, Meta(description="all that is wanted, in the versions that are listed now")]
    rules: tuple[RuleReport, ...]
    packages: tuple[HoldReport, ...]
    missing: Annotated[tuple[OfferReport, ...], Meta(description="all that is wanted, listed and not held")] = ()


class HoldAddReport(Struct, frozen=True, kw_only=True):
    """`tidegate hold add --json`."""

    rule: RuleReport
    replaced: Annotated[bool, Meta(description="whether there was one of this name")]


class HoldRemoveReport(Struct, frozen=True, kw_only=True):
    """`tidegate hold remove --json`."""

    rules: Annotated[tuple[str, ...], Meta(description="rules removed")]
    packages: Annotated[tuple[str, ...], Meta(description="packages whose uses were forgotten")]
    unknown: Annotated[tuple[str, ...], Meta(description="neither a rule nor a package that clients used")]


class ReasonReport(Struct, frozen=True, kw_only=True):
    """Why a package is wanted."""

    origin: Annotated[str, Meta(description="clients, inventory, upgrade, rule or need")]
    why: Annotated[str, Meta(description="the same in words")]
    archive: str
    suite: str
    component: str
    architecture: Architecture
    since: At
    counts: Annotated[bool, Meta(description="false: nobody said so in hold.forget_after_s")] = True
    last_used_at: int | None = None
    uses: int | None = None
    forgotten_at: int | None = None


class HoldWhyReport(Struct, frozen=True, kw_only=True):
    """`tidegate hold why PACKAGE --json`."""

    at: At
    package: str
    hot: Annotated[bool, Meta(description="whether there is a reason that counts")]
    reasons: tuple[ReasonReport, ...]
    offers: tuple[OfferReport, ...]


class _Sum:
    """Counts files once, however many suites list them."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._sizes: dict[bytes, tuple[int, bool]] = {}

    def add(self, hot: Hot) -> None:
        digest, size = hot.package.sha256, hot.package.size
        if digest not in self._sizes:
            self._sizes[digest] = (size, self._stores.holds_whole(digest, size))

    def amount(self) -> AmountReport:
        held = [size for size, is_held in self._sizes.values() if is_held]
        return AmountReport(
            packages=len(self._sizes),
            bytes=sum(size for size, _ in self._sizes.values()),
            held=len(held),
            held_bytes=sum(held),
        )


def holds_of(stores: Stores, *, now: int, forget_after_s: float) -> HoldsReport:
    """The whole of the hot set."""
    wishes, total = stores.holds.wishes(), _Sum(stores)
    hots = hot_now(stores, hot_set_of(stores, now=now, forget_after_s=forget_after_s))
    rules = _rules(stores, wishes, hots, total)
    return HoldsReport(
        at=now,
        forget_after_s=forget_after_s,
        total=total.amount(),
        rules=rules,
        packages=tuple(_hold(one, forget_after_s) for one in stores.holds.all()),
        missing=_missing(stores, hots),
    )


def rule_of(stores: Stores, wish: Wish, *, now: int) -> RuleReport:
    """One rule, and what it comes to."""
    needs = [one for one in stores.holds.all() if one.by == wish.name and one.origin is Origin.NEED]
    alone = HotSet(needs, [wish], codenames_of(stores.marks), now=now, forget_after_s=1.0)
    return _rules(stores, [wish], hot_now(stores, alone), _Sum(stores))[0]


def why_of_package(stores: Stores, package: str, *, now: int, forget_after_s: float) -> HoldWhyReport:
    """Why a package is wanted or not, and which versions of it there are."""
    hot_set = hot_set_of(stores, now=now, forget_after_s=forget_after_s)
    matching = (wish for wish in stores.holds.wishes() if names_matching(wish.patterns)(package))
    offers = tuple(_offers(stores, package, hot_set))
    whole = {why for offer in offers for why in offer.wanted}
    pockets = (wish for wish in stores.holds.wishes() if not wish.patterns and wanted_by(wish.name) in whole)
    reasons = (
        *(_use(hold, now, forget_after_s) for hold in stores.holds.named(package)),
        *(_ruled(wish) for wish in (*matching, *pockets)),
    )
    hot = any(reason.counts for reason in reasons)
    return HoldWhyReport(at=now, package=package, hot=hot, reasons=reasons, offers=offers)


def _rules(stores: Stores, wishes: Iterable[Wish], hots: Iterable[Hot], total: _Sum) -> tuple[RuleReport, ...]:
    wishes = tuple(wishes)
    sums = {wish.name: _Sum(stores) for wish in wishes}
    matched: dict[str, set[str]] = {wish.name: set() for wish in wishes}
    for hot in hots:
        total.add(hot)
        for reason in hot.reasons:
            name = reason.name if isinstance(reason, Wish) else reason.by
            if name in sums and (isinstance(reason, Wish) or reason.origin is Origin.NEED):
                sums[name].add(hot)
                if isinstance(reason, Wish):
                    matched[name].add(hot.package.name)
    return tuple(_rule(stores, wish, sums[wish.name].amount(), matched[wish.name]) for wish in wishes)


def _rule(stores: Stores, wish: Wish, amount: AmountReport, matched: set[str]) -> RuleReport:
    patterns = ((one, names_matching([one])) for one in wish.patterns if not one.endswith(TASK))
    return RuleReport(
        name=wish.name,
        patterns=wish.patterns,
        archive=wish.archive,
        suite=wish.suite,
        component=wish.component,
        architecture=wish.architecture,
        closure=wish.closure,
        recommends=wish.recommends,
        since=wish.since,
        amount=amount,
        unmatched=tuple(one for one, fits in patterns if not any(map(fits, matched))),
        problems=stores.holds.problems(Origin.NEED, wish.name),
    )


def _hold(hold: Hold, forget_after_s: float) -> HoldReport:
    return HoldReport(
        name=hold.name,
        archive=hold.archive,
        suite=hold.suite,
        component=hold.component,
        architecture=hold.architecture,
        origin=hold.origin.value,
        why=hold.why,
        since=hold.since,
        last_used_at=hold.last_used_at,
        uses=hold.uses,
        forgotten_at=forgotten_at(hold, forget_after_s),
    )


def _use(hold: Hold, now: int, forget_after_s: float) -> ReasonReport:
    end = forgotten_at(hold, forget_after_s)
    return ReasonReport(
        origin=hold.origin.value,
        why=hold.why,
        archive=hold.archive,
        suite=hold.suite,
        component=hold.component,
        architecture=hold.architecture,
        since=hold.since,
        counts=end is None or now < end,
        last_used_at=hold.last_used_at if hold.origin in FADING else None,
        uses=hold.uses if hold.origin in (Origin.CLIENTS, Origin.INVENTORY) else None,
        forgotten_at=end,
    )


def _ruled(wish: Wish) -> ReasonReport:
    return ReasonReport(
        origin=Origin.RULE.value,
        why=sentence_of(wish),
        archive=wish.archive,
        suite=wish.suite,
        component=wish.component,
        architecture=wish.architecture,
        since=wish.since,
    )


def _offers(stores: Stores, package: str, hot_set: HotSet) -> Iterator[OfferReport]:
    offered = list(_offered(stores, package))
    hots = (Hot(place, one, reasons) for place, one in offered if (reasons := hot_set.reasons(place, one)))
    wanted = {(hot.place, hot.package): hot.reasons for hot in newest_in_family(hots)}
    return (_offer(stores, Hot(place, one, wanted.get((place, one), ()))) for place, one in offered)


def _missing(stores: Stores, hots: Iterable[Hot]) -> tuple[OfferReport, ...]:
    """One line for each file, however many suites list it."""
    lacking = (hot for hot in hots if not stores.holds_whole(hot.package.sha256, hot.package.size))
    found = {(hot.package.name, hot.package.path): hot for hot in lacking}
    return tuple(_offer(stores, found[key]) for key in sorted(found))


def _offer(stores: Stores, hot: Hot) -> OfferReport:
    place, package = hot.place, hot.package
    return OfferReport(
        archive=place.archive,
        suite=place.suite,
        component=place.component,
        architecture=package.architecture,
        name=package.name,
        version=package.version,
        path=package.path,
        size=package.size,
        held=stores.holds_whole(package.sha256, package.size),
        wanted=tuple(sentence_of(reason) for reason in hot.reasons),
    )


def _offered(stores: Stores, package: str) -> Iterator[tuple[Place, Package]]:
    codenames = codenames_of(stores.marks)
    for snapshot in stores.catalogue.served():
        for listing in stores.catalogue.listings(snapshot):
            place = place_of(snapshot.archive, snapshot.suite, listing.path, codenames)
            yield from ((place, one) for one in stores.catalogue.packages(listing.digest, [package]))
