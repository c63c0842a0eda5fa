"""Which source is asked, and in which order. Pure: a plan with a reason for each that is passed over."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.sources.archive import Source
from tidegate.sources.failure import Excluded
from tidegate.sources.health import Health

_CHANGING = (
    "Packages",
    "Sources",
    "Contents-",
    "Translation-",
    "Components-",
    "Commands-",
    "Release",
    "InRelease",
    "icons-",
    "Index",
    "MD5SUMS",  # of the installer's images, which some Releases list
    "SHA256SUMS",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to ask for one thing: a source and the path it has there.

    `lasting`: the name belongs to these bytes for good (a pool file, a by-hash name); other bytes under it are a lie,
    while under the plain name of an index they are merely another version.
    """

    source: Source
    path: str
    lasting: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Candidates, best first, and the sources that are not asked."""

    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]


def is_lasting(path: str) -> bool:
    """Whether a path names the same bytes for ever."""
    return "/by-hash/" in path or not path.rpartition("/")[2].startswith(_CHANGING)


def plan(sources: Sequence[Source], paths: Sequence[str], health: Health, monotonic: float) -> Plan:
    """Sources in their configured order, those that failed a moment ago last, those that gave wrong bytes not at all.

    `paths` are names for the same bytes, the surest first (by-hash before plain): each source is asked for the
    first, then for the next. Where every source is excluded, none is: a wrong answer costs only time.
    """
    excluded = tuple(
        Excluded(source.url, f"gave wrong bytes: {health.of(source.url).last_failure}")
        for source in sources
        if health.of(source.url).violating_until > monotonic
    )
    barred = {one.source for one in excluded}
    asked = [source for source in sources if source.url not in barred] or list(sources)
    asked.sort(key=lambda source: health.of(source.url).cool_until > monotonic)
    candidates = tuple(Candidate(source, path, is_lasting(path)) for source in asked for path in paths)
    return Plan(candidates, excluded if len(barred) < len(sources) else ())
