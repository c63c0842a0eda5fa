"""Which good answers become copies, and which copies go. Pure; times are epoch seconds."""

from collections.abc import Mapping
from enum import Enum, auto

from tidegate.watch.folder import CopyNote, Kept
from tidegate.watch.settings import CopiesSettings, WatchSettings

BEFORE_S = 86_400.0
"""The earlier copy stays for so long before the newest takes its place: a page that changes by the minute leaves one of
yesterday, too."""
RECORDS_BYTES = 4_096
"""What WARC puts around a page, at most, besides heads."""


class Step(Enum):
    """What becomes of a good answer."""

    SAME = auto()
    REPLACE = auto()
    ROTATE = auto()


def step(kept: Kept, digest: str, now: float) -> Step:
    """The same page needs no new copy."""
    if kept.copy is None:
        return Step.REPLACE
    if kept.copy.digest == digest:
        return Step.SAME
    is_old = kept.before is None or not 0 <= now - kept.before.taken_at < BEFORE_S
    return Step.ROTATE if is_old else Step.REPLACE


def objection(
    watch: WatchSettings, *, is_whole: bool, size: int, others: Mapping[str, Kept], limits: CopiesSettings
) -> str | None:
    """Why a good answer does not become a copy; None where it does. `size` is its bytes with heads, `others` are all
    watches' copies, this one's earlier ones included."""
    if not is_whole:
        return f"it is longer than {watch.copy_bytes_max:,} bytes (copy_bytes_max)"
    held = sum(file_bytes(kept) for kept in others.values())
    if held + size + RECORDS_BYTES > limits.bytes_max:
        return f"the copies take {held:,} bytes already, and may take {limits.bytes_max:,} together (copies.bytes_max)"
    return None


def file_bytes(kept: Kept) -> int:
    """What a watch's copies take on the disk."""
    return sum(note.file_bytes for note in (kept.copy, kept.before) if note is not None)


def is_too_old(kept: Kept, now: float, limits: CopiesSettings) -> bool:
    """Whether its copies go: the page was not seen to be good for too long."""
    return kept.copy is not None and now - _seen_at(kept.copy, kept) > limits.age_max_s


def _seen_at(copy: CopyNote, kept: Kept) -> float:
    return max(copy.taken_at, kept.standing.good_at or 0.0)
