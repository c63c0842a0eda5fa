"""Mirror lists: an address a line, then tags (apt-transport-mirror(1), "mirror+file").

Of the tags `priority:N` counts, lower ones first. Lines without one come behind all that have one; in a list where none
has one, all are alike. Other tags (`arch:`, `lang:`, `type:`, …) say what a mirror lacks; it says so itself when asked.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.config.addresses import is_address, is_folder, masked
from tidegate.config.problems import ConfigError, Problem, Where, problem
from tidegate.sources.settings import PRIORITY_LAST, ArchiveSettings

MIRROR_LIST_BYTES_MAX = 1_048_576
MIRRORS_MAX = 256
"""Of one list: each becomes a source, which is probed and remembered."""

_PRIORITY = re.compile(r"priority:(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Mirror:
    """One line of a list."""

    url: str
    """As it is written; nobody has said yet that it is an address."""
    priority: int
    line: int
    ignored: tuple[str, ...] = ()
    """Its other tags."""


def parse_mirror_list(text: str) -> tuple[Mirror, ...]:
    """The mirrors in the order in which apt prefers them."""
    found = [(line, words) for line, words in _lines(text) if words]
    priorities = [_priority(words[1:]) for _, words in found]
    unsaid = 0 if all(each is None for each in priorities) else PRIORITY_LAST
    mirrors = [
        Mirror(words[0], unsaid if priority is None else priority, line, _others(words[1:]))
        for (line, words), priority in zip(found, priorities, strict=True)
    ]
    return tuple(sorted(mirrors, key=lambda mirror: mirror.priority))


def read_mirror_list(path: Path) -> tuple[Mirror, ...]:
    """The mirrors that a file lists. Raises OSError, and ValueError where it is too long or no text."""
    with path.open("rb") as file:
        data = file.read(MIRROR_LIST_BYTES_MAX + 1)
    if len(data) > MIRROR_LIST_BYTES_MAX:
        raise ValueError(f"it has more than {MIRROR_LIST_BYTES_MAX:,} bytes")
    try:
        mirrors = parse_mirror_list(data.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 at byte {error.start}") from None
    if len(mirrors) > MIRRORS_MAX:
        raise ValueError(f"it has {len(mirrors):,} mirrors, at most {MIRRORS_MAX} are taken")
    return mirrors


@dataclass(frozen=True, slots=True)
class MirrorLists:
    """What the lists of some archives come to."""

    mirrors: tuple[tuple[Mirror, ...], ...]
    """Of each archive, in their order."""
    notes: tuple[str, ...]


def read_mirror_lists(archives: Sequence[ArchiveSettings], root: Path, where_is: Where) -> MirrorLists:
    """Every archive's list, below `root`. Raises ConfigError with each file and line that cannot be used."""
    mirrors: list[tuple[Mirror, ...]] = []
    notes: list[str] = []
    problems: list[Problem] = []
    for number, archive in enumerate(archives):
        try:
            found = read_mirror_list(root / archive.mirror_list.lstrip("/")) if archive.mirror_list else ()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            key = ("archive", number, "mirror_list")
            problems.append(problem(key, f"{archive.mirror_list}: {why}", "Name a list that can be read.", where_is))
            found = ()
        problems += _problems(found, archive)
        notes += _notes(found, archive)
        mirrors.append(found)
    if problems:
        raise ConfigError(problems)
    return MirrorLists(tuple(mirrors), tuple(notes))


def _problems(mirrors: Sequence[Mirror], archive: ArchiveSettings) -> Iterator[Problem]:
    todo = "A line is an http:// or https:// address without a password, or a folder (file:///PATH), then tags."
    for mirror in mirrors:
        if not (is_address(mirror.url) or is_folder(mirror.url)):
            what = f"{masked(mirror.url)!r} is no source"
            yield Problem(what, f"{archive.mirror_list}:{mirror.line}", "archive.mirror_list", todo)


def _notes(mirrors: Sequence[Mirror], archive: ArchiveSettings) -> Iterator[str]:
    ignored = dict.fromkeys(tag.partition(":")[0] for mirror in mirrors for tag in mirror.ignored)
    if ignored:
        yield f"{archive.mirror_list}: {', '.join(ignored)}: only `priority` counts of a mirror's tags"


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.partition("#")[0].split()


def _priority(tags: list[str]) -> int | None:
    return next((int(match[1]) for tag in tags if (match := _PRIORITY.fullmatch(tag))), None)


def _others(tags: list[str]) -> tuple[str, ...]:
    return tuple(tag for tag in tags if not _PRIORITY.fullmatch(tag))
