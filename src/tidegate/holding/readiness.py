"""If every source vanished now: what could still be served, and what to do about the rest. Pure.

Counts (`holding/stock.py`), what suites say of themselves, the disk and the sources in; a verdict and findings out. The
verdict is the worst finding's level: `critical` where a share is below the lower threshold, a configured suite was
never adopted or its lists are gone; `warning` where somebody should look; a `note` changes no verdict.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from tidegate.holding.stock import Kind, Lack, Share, Stock
from tidegate.trust.verdict import utc

VALID_SOON_S = 2 * 86_400
"""A Valid-Until nearer than this is a warning: what expires within a week is renewed every day."""
CONFIRMED_OLD_S = 86_400
"""A suite that nobody has shown to be the newest for so long is a warning."""
NAMED_MAX = 5
"""Packages named in one finding; the list has them all."""

Level = Literal["critical", "warning", "note"]
_LEVELS: tuple[Level, ...] = ("critical", "warning", "note")
Verdict = Literal["ok", "warning", "critical"]
At = Annotated[int | None, Meta(description="epoch seconds, UTC; null: never")]


Todo = Callable[[Lack], str]
"""What to do about a file that is lacking."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Below which shares, in percent, the verdict is a warning or critical, and which shares are counted."""

    warn_below: float = 100.0
    critical_below: float = 90.0
    of: Collection[Kind] = tuple(Kind)


@dataclass(frozen=True, slots=True)
class SuiteFacts:
    """One suite, configured or served. Moments are epoch seconds; no `date`: nothing of it was ever adopted."""

    archive: str
    suite: str
    configured: bool
    date: int | None = None
    confirmed_at: int | None = None
    valid_until: int | None = None
    freeze: str | None = None
    """Signs that we are shown an old state."""


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What an archive hangs on."""

    name: str
    sources: int
    answering: int
    """Sources that are not out."""
    hanging: tuple[str, str] | None = None
    """Where all are one operator's: what that means, and what changes it."""


class Disk(Struct, frozen=True, kw_only=True):
    """Room for what is to be held, in bytes."""

    free_bytes: int
    floor_bytes: Annotated[int, Meta(description="below so much free space nothing more is stored")]
    quota_bytes: Annotated[int | None, Meta(description="what may be held in all; null: as far as the disk goes")] = (
        None
    )


class SuiteReadiness(Struct, frozen=True, kw_only=True):
    """How long a suite could be served on."""

    archive: str
    suite: str
    served: bool
    date: Annotated[At, Meta(description="the Release's Date")]
    confirmed_at: Annotated[At, Meta(description="last seen to be the newest: the metadata is of this moment")]
    valid_until: Annotated[At, Meta(description="epoch seconds, UTC; null: it has none")]
    then: Annotated[str, Meta(description="what happens at its Valid-Until")]


class Finding(Struct, frozen=True, kw_only=True):
    """Something that stands between the fleet and what it will need."""

    level: Level
    about: Annotated[str, Meta(description="a share, `ARCHIVE SUITE`, an archive, or `disk`")]
    what: str
    todo: str


class Readiness(Struct, frozen=True, kw_only=True):
    """`tidegate readiness --json`."""

    at: Annotated[int, Meta(description="epoch seconds, UTC")]
    verdict: Verdict
    warn_below: Annotated[float, Meta(description="percent; a share below it is a warning")]
    critical_below: Annotated[float, Meta(description="percent; a share below it is critical")]
    as_of: Annotated[At, Meta(description="the oldest `confirmed_at` of what is served: from when the metadata is")]
    findings: Annotated[tuple[Finding, ...], Meta(description="the worst first")]
    stock: Stock
    suites: tuple[SuiteReadiness, ...]
    disk: Disk


class ReadinessSummary(Struct, frozen=True, kw_only=True):
    """What the status says of it; the list behind it: `tidegate readiness`."""

    counted_at: Annotated[int, Meta(description="epoch seconds, UTC")]
    verdict: Verdict
    shares: tuple[Share, ...]
    lacking: Annotated[int, Meta(description="files that would be asked for and are not held")]
    lacking_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged beside the counts."""

    suites: Sequence[SuiteFacts]
    archives: Sequence[ArchiveFacts]
    disk: Disk
    running: bool = True
    """A gateway runs, and fetches what is lacking."""


def judge(stock: Stock, facts: Facts, thresholds: Thresholds, now: int) -> Readiness:
    """What all of it comes to."""
    todo = _todos(facts)
    findings = _findings(stock, facts, thresholds, now)
    return Readiness(
        at=now,
        verdict=_verdict(findings),
        warn_below=thresholds.warn_below,
        critical_below=thresholds.critical_below,
        as_of=min((one.confirmed_at for one in facts.suites if one.confirmed_at is not None), default=None),
        findings=findings,
        stock=replace(stock, lacks=tuple(replace(one, todo=todo(one)) for one in stock.lacks)),
        suites=tuple(_suite(one, now) for one in facts.suites),
        disk=facts.disk,
    )


def summarize(stock: Stock, facts: Facts, now: int) -> ReadinessSummary:
    """The same in short, by the thresholds that hold where none are given."""
    return ReadinessSummary(
        counted_at=stock.at,
        verdict=_verdict(_findings(stock, facts, Thresholds(), now)),
        shares=stock.shares,
        lacking=stock.lacking,
        lacking_bytes=stock.lacking_bytes,
    )


def _findings(stock: Stock, facts: Facts, thresholds: Thresholds, now: int) -> tuple[Finding, ...]:
    found = [
        *_of_shares(stock, thresholds, _todos(facts)),
        *(finding for one in facts.suites for finding in _of_suite(one, now)),
        *_of_lists(stock),
        *_of_disk(facts.disk, stock),
        *(finding for one in facts.archives for finding in _of_archive(one)),
    ]
    return tuple(sorted(found, key=lambda one: _LEVELS.index(one.level)))


def _verdict(findings: Sequence[Finding]) -> Verdict:
    """By the worst, which comes first."""
    worst = findings[0].level if findings else "note"
    return "ok" if worst == "note" else worst


def _todos(facts: Facts) -> Todo:
    answering = {one.name for one in facts.archives if one.answering}
    return lambda lack: _todo(lack, answering, is_running=facts.running)


# Shares


def _of_shares(stock: Stock, thresholds: Thresholds, todo: Todo) -> Iterator[Finding]:
    if stock.hot == 0:
        yield Finding(
            level="warning",
            about="hot set",
            what="nothing is known of what the fleet uses, so nobody can say what it would miss",
            todo="Have its hosts ask through this gateway, or name what they use: `tidegate hold add NAME… --closure`.",
        )
        return
    for share in stock.shares:
        if share.percent is None:
            yield Finding(
                level="note",
                about=share.kind.value,
                what="no suite that is served brings security updates",
                todo="Add it to its archive's `suites`, if the vendor has one.",
            )
        elif share.held < share.wanted:
            yield _of_share(share, share.percent, stock, thresholds, todo)
    if stock.unmet:
        yield Finding(
            level="warning",
            about=Kind.INSTALL.value,
            what="not installable from what is listed: " + "; ".join(stock.unmet[:NAMED_MAX]),
            todo="Serve the suite or component that has what is needed, or take the package's rule back "
            "(`tidegate hold remove`).",
        )


def _of_share(share: Share, percent: float, stock: Stock, thresholds: Thresholds, todo: Todo) -> Finding:
    level: Level = "note"
    if share.kind in thresholds.of and percent < thresholds.warn_below:
        level = "critical" if percent < thresholds.critical_below else "warning"
    lacks = [one for one in stock.lacks if share.kind in one.kinds]
    named = ", ".join(f"{one.name} {one.version} ({one.architecture})" for one in lacks[:NAMED_MAX])
    more = share.wanted - share.held - min(len(lacks), NAMED_MAX)
    others = f" and {more} more" if named and more else ""
    todos = dict.fromkeys(todo(one) for one in lacks)
    return Finding(
        level=level,
        about=share.kind.value,
        what=f"{share.held} of {share.wanted} are held, {percent:g} %; lacking: {named}{others}"
        if named
        else f"{share.held} of {share.wanted} are held, {percent:g} %",
        todo=" ".join(todos),
    )


def _todo(lack: Lack, answering: Collection[str], *, is_running: bool) -> str:
    if lack.archive not in answering:
        return (
            f"No source of {lack.archive} answers: carry it in (`tidegate export` where it is held, then a source of "
            "kind `media` here)."
        )
    if lack.kinds == (Kind.INSTALL,):
        return "Hold what hot packages need, too: `tidegate hold add NAME… --closure`."
    if not is_running:
        return "Start the gateway (`tidegate serve`): it fetches what is lacking."
    return "Nothing, for some minutes: it is fetched by itself. If it stays away: `tidegate hold list --missing`."


# Suites


def _suite(one: SuiteFacts, now: int) -> SuiteReadiness:
    return SuiteReadiness(
        archive=one.archive,
        suite=one.suite,
        served=one.date is not None,
        date=one.date,
        confirmed_at=one.confirmed_at,
        valid_until=one.valid_until,
        then=_then(one, now),
    )


def _then(one: SuiteFacts, now: int) -> str:
    if one.date is None:
        return ""
    if one.valid_until is None:
        return "It has no Valid-Until: apt takes it, however old it is."
    if one.valid_until < now:
        return "It is served on, but apt refuses it at `apt-get update`; what hosts have in their lists installs on."
    return "Then apt refuses it at `apt-get update`; what hosts have in their lists by then installs on."


def _of_suite(one: SuiteFacts, now: int) -> Iterator[Finding]:
    about = f"{one.archive} {one.suite}"
    if one.date is None:
        if one.configured:
            what, todo = "nothing of it was ever adopted, so nothing of it can be served", _refresh(one)
            yield Finding(level="critical", about=about, what=what, todo=todo)
        return
    if one.valid_until is not None and one.valid_until < now + VALID_SOON_S:
        is_over = one.valid_until < now
        word = "has run out" if is_over else "runs out"
        yield Finding(
            level="warning",
            about=about,
            what=f"its Valid-Until {word} at {utc(one.valid_until)}. {_then(one, now)}",
            todo=f"{_refresh(one)} What the hosts' owner may decide until there is a newer one: docs/alone.md.",
        )
    if one.confirmed_at is not None and one.confirmed_at < now - CONFIRMED_OLD_S:
        what = f"nobody has shown it to be the newest since {utc(one.confirmed_at)}; it may be older than you think"
        yield Finding(level="warning", about=about, what=what, todo=_refresh(one))
    if one.freeze is not None:
        todo = "Ask another operator: add a source of somebody else, then `tidegate sources probe`."
        yield Finding(level="warning", about=about, what=one.freeze, todo=todo)


def _refresh(one: SuiteFacts) -> str:
    return f"`tidegate refresh {one.archive} {one.suite}` says what is in the way."


def _of_lists(stock: Stock) -> Iterator[Finding]:
    for lost in stock.lost:
        yield Finding(
            level="critical",
            about=f"{lost.archive} {lost.suite}",
            what=f"{lost.path} is not held any more: clients could not update their lists",
            todo="Update a host through this gateway while a source answers: what it asks for is held from then on.",
        )


# The disk, and whom an archive hangs on


def _of_disk(disk: Disk, stock: Stock) -> Iterator[Finding]:
    room = disk.free_bytes - disk.floor_bytes
    if disk.quota_bytes is not None:
        room = min(room, disk.quota_bytes - stock.used_bytes)
    todo = (
        "Make room (`tidegate gc`), raise store.quota_bytes, give the cache another disk (store.cache), or hold less."
    )
    if disk.free_bytes < disk.floor_bytes:
        what = f"{_megabytes(disk.free_bytes)} are free, below store.free_bytes_min: nothing more is kept"
        yield Finding(level="warning", about="disk", what=what, todo=todo)
    elif stock.lacking_bytes > room:
        what = f"there is room for {_megabytes(max(0, room))}, and {_megabytes(stock.lacking_bytes)} are lacking"
        yield Finding(level="warning", about="disk", what=what, todo=todo)


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB"


def _of_archive(one: ArchiveFacts) -> Iterator[Finding]:
    if one.answering < min(one.sources, 2):
        which = f"only one of its {one.sources} sources" if one.answering else "none of its sources"
        what = f"{which} answers; what is held is served on"
        yield Finding(level="warning", about=one.name, what=what, todo="Why the others are out: `tidegate sources`.")
    if one.hanging is not None:
        what, todo = one.hanging
        yield Finding(level="note", about=one.name, what=what, todo=f"{todo}.")
