"""How watched pages stand, as it is told."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tidegate.watch.folder import CopyNote, Kept
from tidegate.watch.standing import State
from tidegate.watch.watch import Watch

WatchState = Literal["up", "down", "unknown", "not-asked"]
MaybeAt = Annotated[int | None, Meta(description="epoch seconds; null: never, or not known")]


class CopyReport(Struct, frozen=True, kw_only=True):
    """A copy, without what is in it."""

    url: Annotated[str, Meta(description="where the page was found at last")]
    taken_at: Annotated[int, Meta(description="epoch seconds")]
    seen_at: Annotated[int, Meta(description="when the page was last good, with this in it or something newer")]
    content_type: str
    bytes: Annotated[int, Meta(description="of the page")]
    file_bytes: Annotated[int, Meta(description="of the WARC")]


class WatchReport(Struct, frozen=True, kw_only=True):
    """A watched page."""

    name: str
    url: str
    state: WatchState
    public_as: Annotated[str, Meta(description="what it is called on the status page; empty: it is not on it")] = ""
    since: MaybeAt = None
    reason: Annotated[str, Meta(description="what is bad, or why nobody is asked; may be empty")] = ""
    checked_at: Annotated[int | None, Meta(description="epoch seconds of the last answer, or of none; null: never")] = (
        None
    )
    good_at: MaybeAt = None
    next_at: Annotated[int | None, Meta(description="when it is asked next; null: nobody is asked")] = None
    latency_ms: Annotated[int | None, Meta(description="to the head of the last good answer")] = None
    copy: CopyReport | None = None
    before: Annotated[CopyReport | None, Meta(description="an earlier copy")] = None
    not_kept: Annotated[str, Meta(description="why the last good answer did not become a copy; may be empty")] = ""


class WatchesReport(Struct, frozen=True, kw_only=True):
    """`tidegate watch list`."""

    at: int
    running: Annotated[bool, Meta(description="false: no gateway runs here, so nobody asks by himself")]
    watches: tuple[WatchReport, ...]
    copies_bytes: Annotated[int, Meta(description="that the copies take, all together")]
    notes: tuple[str, ...] = ()


class CheckReport(Struct, frozen=True, kw_only=True):
    """A watch that was asked just now."""

    watch: WatchReport
    wait_s: Annotated[
        float | None,
        Meta(description="not asked yet, since its host wishes for a pause of so long; null: it was asked"),
    ] = None


class ChecksReport(Struct, frozen=True, kw_only=True):
    """`tidegate watch check`."""

    checks: tuple[CheckReport, ...]


class WatchTextReport(Struct, frozen=True, kw_only=True):
    """`tidegate watch show`."""

    watch: WatchReport
    taken_at: Annotated[int, Meta(description="epoch seconds; by the copy itself")]
    url: Annotated[str, Meta(description="where the page was found")]
    content_type: str
    text: Annotated[str, Meta(description="what can be read of it; empty where it is no text")]
    cut: Annotated[bool, Meta(description="there is more than is told")] = False


def watch_report(
    watch: Watch, kept: Kept, told: tuple[State, float | None], next_at: float | None, now: float
) -> WatchReport:
    """One watch. `told`: its state as it may be told now, and since when."""
    standing, (state, since) = kept.standing, told
    reason = standing.reason
    if state is State.UNKNOWN and standing.state is not State.UNKNOWN:
        reason = f"nobody asked since then, when it was {standing.state}"
    return WatchReport(
        name=watch.name,
        url=watch.url,
        state=state.value,
        public_as=watch.settings.public_as,
        since=_whole(since),
        reason=reason,
        checked_at=_whole(standing.asked_at),
        good_at=_whole(standing.good_at),
        next_at=None if next_at is None else int(max(next_at, now)),
        latency_ms=None if standing.latency_s is None else round(1000 * standing.latency_s),
        copy=_copy(kept.copy, None if kept.not_kept else standing.good_at),
        before=_copy(kept.before, None),
        not_kept=kept.not_kept,
    )


def _copy(note: CopyNote | None, good_at: float | None) -> CopyReport | None:
    if note is None:
        return None
    return CopyReport(
        url=note.url,
        taken_at=int(note.taken_at),
        seen_at=int(max(note.taken_at, good_at or 0.0)),
        content_type=note.content_type,
        bytes=note.bytes,
        file_bytes=note.file_bytes,
    )


def _whole(at: float | None) -> int | None:
    return None if at is None else int(at)
