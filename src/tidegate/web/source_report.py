"""What is told about sources: how each is doing, and why it is passed over.

Ranks and exclusions are those of `sources.selection.plan`, by which every fetch goes: nothing is decided here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from tidegate.archive.paths import suite_base
from tidegate.sources.archive import Archive, Source
from tidegate.sources.breaker import Breaker, Cause, State
from tidegate.sources.failure import Failure
from tidegate.sources.health import Health, Standing
from tidegate.sources.selection import OFFLINE, Plan, plan

At = Annotated[int | None, Meta(description="epoch seconds, UTC; null: never")]
SourceState = Literal["good", "unused", "behind", "on trial", "out", "wrong bytes"]

EVERYTHING = "everything"
AN_INDEX = "Packages"
"""Stands for all that a source which is behind is not asked for."""
SMALL_BYTES = 65_536
"""Ranks are told for a file of this size; a large one may have others, since rates count for it."""


class ExclusionReport(Struct, frozen=True, kw_only=True):
    """Why a source is not asked, since when, until when, and what there is to do about it."""

    of: Annotated[str, Meta(description="`everything`, or the suite whose indices are not asked of it")]
    reason: str
    since: Annotated[At, Meta(description="epoch seconds, UTC; null: unknown")] = None
    next_try_at: Annotated[At, Meta(description="epoch seconds, UTC; null: no time is set, probes find out")] = None
    todo: Annotated[str, Meta(description="empty: nothing; it is tried again by itself")] = ""


class SourceReport(Struct, frozen=True, kw_only=True):
    """One source, as real traffic and probes showed it."""

    archive: str
    url: str
    kind: str
    operator: str
    region: Annotated[str, Meta(description="empty: anywhere, or unknown")] = ""
    state: Annotated[
        SourceState,
        Meta(
            description="good; unused: nothing was fetched from it yet; behind: rivals have newer suites; on trial: "
            "asked once to see whether it is back; out: not asked; wrong bytes: out for what it gave"
        ),
    ]
    why: Annotated[str | None, Meta(description="the first reason of `excluded`; null where there is none")] = None
    rank: Annotated[
        int | None, Meta(description="its place, from 1, when a small file is fetched now; null: it is not asked")
    ] = None
    excluded: tuple[ExclusionReport, ...] = ()
    first_byte_ms: Annotated[int | None, Meta(description="median time to an answer's head; null: unknown")] = None
    rate_bytes_s: Annotated[int | None, Meta(description="measured over large bodies; null: unknown")] = None
    behind: Annotated[Mapping[str, int], Meta(description="suite: by how many seconds its Release is older")] = {}
    newest: Annotated[
        Mapping[str, int], Meta(description="suite: when it last showed the newest Release of it, epoch seconds, UTC")
    ] = {}
    lacking: Annotated[float, Meta(description="share of what was asked lately that it did not have")] = 0.0
    addresses: Annotated[
        Mapping[str, bool],
        Meta(description="what its name resolved to last; false: tried after the others for some minutes"),
    ] = {}
    fetched: int = 0
    fetched_bytes: int = 0
    failed: int = 0
    last_success_at: At = None
    last_failure_at: At = None
    last_failure: str | None = None


class SourcesReport(Struct, frozen=True, kw_only=True):
    """`tidegate sources --json`."""

    at: int
    sources: tuple[SourceReport, ...]
    notes: Annotated[tuple[str, ...], Meta(description="as in the status: archives that hang on one operator")] = ()


Addresses = Callable[[Source], Mapping[str, bool]]


def sources_of(
    archives: Iterable[Archive],
    health: Health,
    now: float,
    served: Mapping[str, Sequence[str]] | None = None,
    addresses: Addresses = lambda _: {},
) -> tuple[SourceReport, ...]:
    """Every source, by archive and rank; those that are not asked last.

    `served`: further suites of each archive; `addresses`: those of a source, and whether each is trusted.
    """
    reports: list[SourceReport] = []
    for archive in archives:
        suites = dict.fromkeys((*archive.suites, *(served or {}).get(archive.name, ())))
        ours = _of_archive(archive, tuple(suites), health, now)
        seen = {source.url: addresses(source) for source in archive.sources}
        reports += [replace(one, addresses=seen[one.url]) for one in ours]
    return tuple(reports)


def last_ones(sources: Iterable[SourceReport]) -> tuple[str, ...]:
    """A sentence on each archive with one source left to ask of several, or with none."""
    by_archive: dict[str, list[SourceReport]] = {}
    for one in sources:
        by_archive.setdefault(one.archive, []).append(one)
    notes = (
        _hanging(archive, ours)
        for archive, ours in by_archive.items()
        if all(one.why != OFFLINE for one in ours)  # as it was told: nothing to warn of
    )
    return tuple(note for note in notes if note is not None)


def todo_for(failure: str) -> str:
    """What somebody can do about a failure, given as `FetchError` tells it (its word, a colon, the evidence).

    Empty for what passes by itself, or can only be mended over there.
    """
    return _TODO.get(failure.partition(":")[0], "")


WELL = frozenset({"good", "unused", "behind"})
"""States of sources that are asked."""
_TODO: Mapping[str, str] = {
    Failure.UNRESOLVED: "If other names fail as well, see to this host's name service (DNS).",
    Failure.FORBIDDEN_ADDRESS: "If this source is inside your site, set `private = true` for it; else its name is "
    "answered falsely (a captive portal, a forged DNS answer): see to this host's name service.",
    Failure.TLS: "Compare this host's clock and certificate authorities (`tidegate doctor`, fetch.tls_ca_file); if "
    "both are right, the source's certificate is not.",
    Failure.REDIRECT: "See where it sends apt (`curl -I`); give that address as the source if you trust it.",
    Failure.WRONG_BYTES: "Tell its operator; if it happens again, leave it out (`enabled = false`).",
}
_TODO_VIOLATION = _TODO[Failure.WRONG_BYTES]
_TODO_BEHIND = "Nothing, for some hours; if it stays so, ask its operator whether it is still updated."


def _of_archive(archive: Archive, suites: Sequence[str], health: Health, now: float) -> list[SourceReport]:
    anything = plan(archive.sources, ("",), health, now, size=SMALL_BYTES)
    by_suite = {
        suite: plan(archive.sources, (f"{suite_base(suite)}Packages",), health, now, size=SMALL_BYTES)
        for suite in suites
    }
    ranks = _ranks(anything)
    reports = [
        _report(
            archive, source, health.of(source.url), ranks.get(source.url), _excluded(source, health, anything, by_suite)
        )
        for source in archive.sources
    ]
    return sorted(reports, key=lambda one: len(archive.sources) if one.rank is None else one.rank - 1)


def _ranks(anything: Plan) -> dict[str, int]:
    urls = dict.fromkeys(candidate.source.url for candidate in anything.candidates)
    return {url: place for place, url in enumerate(urls, 1)}


def _excluded(
    source: Source, health: Health, anything: Plan, by_suite: Mapping[str, Plan]
) -> tuple[ExclusionReport, ...]:
    standing = health.of(source.url)
    breaker = standing.breaker
    found = [
        ExclusionReport(
            of=EVERYTHING,
            reason=one.reason,
            since=_at(breaker.since),
            next_try_at=_at(breaker.until),
            todo=_TODO_VIOLATION if breaker.cause is Cause.VIOLATION else todo_for(standing.last_failure or ""),
        )
        for one in anything.excluded
        if one.source == source.url
    ]
    if found:
        return tuple(found)
    return tuple(
        ExclusionReport(of=suite, reason=one.reason, todo=_TODO_BEHIND)
        for suite, planned in by_suite.items()
        for one in planned.excluded
        if one.source == source.url
    )


def _report(
    archive: Archive, source: Source, standing: Standing, rank: int | None, excluded: tuple[ExclusionReport, ...]
) -> SourceReport:
    first_byte_s, rate = standing.latency.quantile(0.5), standing.rate_bytes_s
    return SourceReport(
        archive=archive.name,
        url=source.url,
        kind=source.kind,
        operator=source.operator,
        region=source.region,
        state=_state(standing.breaker, standing),
        why=excluded[0].reason if excluded else None,
        rank=rank,
        excluded=excluded,
        first_byte_ms=None if first_byte_s is None else round(first_byte_s * 1000),
        rate_bytes_s=None if rate is None else round(rate),
        behind={_suite_of(base): seconds for base, seconds in standing.behind.items()},
        newest={_suite_of(base): int(at) for base, at in standing.newest.items()},
        lacking=round(standing.lacking, 3),
        fetched=standing.fetched,
        fetched_bytes=standing.fetched_bytes,
        failed=standing.failed,
        last_success_at=_at(standing.last_success_at),
        last_failure_at=_at(standing.last_failure_at),
        last_failure=standing.last_failure,
    )


def _state(breaker: Breaker, standing: Standing) -> SourceState:
    match breaker.state:
        case State.OPEN:
            return "wrong bytes" if breaker.cause is Cause.VIOLATION else "out"
        case State.HALF_OPEN:
            return "on trial"
        case State.CLOSED if standing.behind:
            return "behind"
        case State.CLOSED:
            return "good" if standing.last_success_at else "unused"


def _suite_of(base: str) -> str:
    """The suite of `suite_base`: `dists/noble/` is noble's, and a flat one is named by its folder."""
    return base.removeprefix("dists/").rstrip("/") if base.startswith("dists/") else base or "./"


def _hanging(archive: str, sources: Sequence[SourceReport]) -> str | None:
    left = [one for one in sources if one.state in WELL]
    if not sources or len(left) > 1 or (left and len(sources) == 1):
        return None
    if left:
        return (
            f"{archive}: of {len(sources)} sources only {left[0].url} is left; when it fails as well, nothing new "
            "comes. Why the others are out: tidegate sources"
        )
    which = (
        f"all of its {len(sources)} sources are out"
        if len(sources) > 1
        else f"its only source, {sources[0].url}, is out"
    )
    return f"{archive}: {which}; what is held is served on. Why: tidegate sources"


def _at(when: float | None) -> int | None:
    return int(when) if when else None
