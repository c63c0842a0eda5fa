"""What is told about a gateway: the structs behind `tidegate status --json` and the admin port."""

from collections.abc import Iterable, Mapping, Sized
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tidegate.holding.readiness import ReadinessSummary
from tidegate.keeper.rhythm import freeze_of, newest_dates
from tidegate.sources.archive import Archive
from tidegate.store.catalogue import Catalogue, Look, Snapshot
from tidegate.store.marks import Marks
from tidegate.web.alone_report import AloneReport
from tidegate.web.source_report import SourceReport

At = Annotated[int | None, Meta(description="epoch seconds, UTC; null: never")]


class SuiteReport(Struct, frozen=True, kw_only=True):
    """One suite: what is served of it, how old, from where, and why not newer."""

    archive: str
    suite: str
    state: Annotated[
        Literal["served", "expired", "waiting"],
        Meta(description="waiting: nothing was adopted yet; expired: served beyond its Valid-Until"),
    ]
    configured: Annotated[bool, Meta(description="false: adopted because a client asked for it")]
    date: Annotated[At, Meta(description="the Release's Date")] = None
    valid_until: At = None
    source: Annotated[str | None, Meta(description="where its Release came from")] = None
    adopted_at: At = None
    confirmed_at: Annotated[At, Meta(description="last seen to be the newest")] = None
    confirmed_by: Annotated[
        tuple[str, ...], Meta(description="the operators that showed this very Release when it was last confirmed")
    ] = ()
    mark: Annotated[At, Meta(description="the newest Date ever accepted (high-water mark)")] = None
    looked_at: At = None
    trouble: Annotated[str | None, Meta(description="why the last look brought nothing; null when it went well")] = None
    alarm: Annotated[
        str | None, Meta(description="what the last look saw that somebody should look into: a split view")
    ] = None
    possible_freeze: Annotated[
        str | None, Meta(description="signs that we are shown an old state, against the suite's own rhythm")
    ] = None
    missing: Annotated[
        int | None,
        Meta(
            description="wanted packages that it lists and that are not held; null: not known (yet, or no gateway runs)"
        ),
    ] = None


class TrafficReport(Struct, frozen=True, kw_only=True):
    """What all workers have answered since the gateway began."""

    connections: int
    flights: int
    bytes: int
    by_how: Annotated[Mapping[str, int], Meta(description="hit, wait, stream, stale, pass, refused, tunnel")]
    by_status: Mapping[str, int]
    lacking: Annotated[
        int, Meta(description="of those refused: what is not held and could not be had; an outage that clients felt")
    ] = 0


class RunningReport(Struct, frozen=True, kw_only=True):
    """The process that serves."""

    pid: int
    version: str
    listen: str
    admin: str
    since: int
    workers: int = 1


class StatusReport(Struct, frozen=True, kw_only=True):
    """`tidegate status --json`."""

    at: int
    ready: Annotated[bool, Meta(description="each configured suite is served")]
    running: Annotated[RunningReport | None, Meta(description="null: no gateway runs; the rest is from its state")]
    offline: Annotated[bool, Meta(description="it makes no connection to any source (fetch.offline)")] = False
    alone: Annotated[
        tuple[AloneReport, ...], Meta(description="archives of which nothing new can be had now, and since when")
    ] = ()
    suites: tuple[SuiteReport, ...]
    sources: tuple[SourceReport, ...]
    traffic: TrafficReport | None = None
    readiness: Annotated[
        ReadinessSummary | None,
        Meta(description="what could be served without sources; null: not counted yet (`tidegate readiness` counts)"),
    ] = None
    notes: tuple[str, ...] = ()


class SuitesReport(Struct, frozen=True, kw_only=True):
    """`tidegate suites --json`."""

    at: int
    suites: tuple[SuiteReport, ...]


class LookReport(Struct, frozen=True, kw_only=True):
    """How one look ended."""

    archive: str
    suite: str
    ok: bool
    outcome: str


class RefreshReport(Struct, frozen=True, kw_only=True):
    """`tidegate refresh --json`."""

    looks: tuple[LookReport, ...]


class ImportReport(Struct, frozen=True, kw_only=True):
    """`tidegate import-acng --json`."""

    taken: Annotated[int, Meta(description="files that signed metadata lists, verified and held now")]
    taken_bytes: int
    held: Annotated[int, Meta(description="files that were held already")]
    unlisted: Annotated[int, Meta(description="files that no Release we hold lists")]
    wrong: Annotated[tuple[str, ...], Meta(description="files that are not what their name is listed as")]


class RunReport(Struct, frozen=True, kw_only=True):
    """`tidegate run --json`: what went through the private gateway."""

    exit_code: int
    answers: Annotated[Mapping[str, int], Meta(description="by how they were come by")]
    answered_bytes: int
    sources: tuple[SourceReport, ...]
    fetched_bytes: int
    saved_bytes: Annotated[int, Meta(description="answered without fetching")]
    refused: Annotated[tuple[str, ...], Meta(description="what was refused, and why")]


def suites_of(
    archives: Iterable[Archive],
    catalogue: Catalogue,
    marks: Marks,
    now: int,
    missing: Mapping[tuple[str, str], Sized] | None = None,
) -> tuple[SuiteReport, ...]:
    """Every configured and every served suite, by archive and name. `missing`: what is wanted and not held, of each."""
    counts = {key: len(lacks) for key, lacks in (missing or {}).items()}
    served = {(one.archive, one.suite): one for one in catalogue.served()}
    configured = {(archive.name, suite) for archive in archives for suite in archive.suites}
    looks = {(one.archive, one.suite): one for one in catalogue.looks()}
    newest = newest_dates(marks)
    return tuple(
        _suite(
            key,
            served.get(key),
            looks.get(key),
            now,
            configured=key in configured,
            mark=newest.get(key),
            freeze=freeze_of(served[key], newest, marks.dates(*key), now) if key in served else None,
            missing=counts.get(key),
        )
        for key in sorted(configured | set(served))
    )


def _suite(
    key: tuple[str, str],
    snapshot: Snapshot | None,
    look: Look | None,
    now: int,
    *,
    configured: bool,
    mark: int | None,
    freeze: str | None,
    missing: int | None,
) -> SuiteReport:
    expired = snapshot is not None and snapshot.valid_until is not None and snapshot.valid_until < now
    return SuiteReport(
        archive=key[0],
        suite=key[1],
        state="waiting" if snapshot is None else "expired" if expired else "served",
        configured=configured,
        date=None if snapshot is None else snapshot.date,
        valid_until=None if snapshot is None else snapshot.valid_until,
        source=None if snapshot is None else snapshot.source,
        adopted_at=None if snapshot is None else snapshot.adopted_at,
        confirmed_at=None if snapshot is None else snapshot.confirmed_at,
        confirmed_by=() if snapshot is None else snapshot.confirmed_by,
        mark=mark,
        looked_at=None if look is None else look.at,
        trouble=None if look is None or look.ok else look.outcome,
        alarm=None if look is None or not look.alarm else look.alarm,
        possible_freeze=freeze,
        missing=missing,
    )


def is_ready(suites: Iterable[SuiteReport]) -> bool:
    """Each configured suite is served."""
    return all(suite.state != "waiting" for suite in suites if suite.configured)
