"""Which indices of a Release are held beforehand. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tidegate.archive.paths import ENDINGS
from tidegate.archive.release import IndexEntry, Release


@dataclass(frozen=True, slots=True)
class Scope:
    """What is held of a suite. Empty components: all that the Release names."""

    components: tuple[str, ...]
    architectures: tuple[str, ...]
    deb_src: bool


@dataclass(frozen=True, slots=True)
class WantedIndices:
    """`required`: without them the snapshot is not adopted. `learned`: clients asked for them; held if to be had."""

    required: tuple[IndexEntry, ...]
    learned: tuple[IndexEntry, ...]


def wanted_indices(release: Release, suite: str, scope: Scope, asked: Collection[str]) -> WantedIndices:
    """Packages (and Sources) of the scope in their smallest form, and whatever clients asked for of late."""
    stems = _flat_stems(scope) if suite.endswith("/") else _stems(release, scope)
    required = {entry.path: entry for stem in stems if (entry := _smallest(release, stem)) is not None}
    learned = {path: release.entries[path] for path in asked if path in release.entries and path not in required}
    return WantedIndices(tuple(required.values()), tuple(learned.values()))


def indices_that_may_list(path: str, release: Release, suite: str) -> tuple[IndexEntry, ...]:
    """For a path in a pool: the indices of the Release that could list it, judged by its component and ending."""
    if suite.endswith("/"):
        stems: Iterator[str] = _flat_stems(Scope((), (), deb_src=True))
        return tuple(entry for stem in stems if (entry := _smallest(release, stem)) is not None)
    parts = path.split("/")
    named = {part for part in parts[1:-1] if part in _component_names(release)}
    components = tuple(sorted(named)) or _component_names(release)
    name = parts[-1]
    if name.endswith((".deb", ".udeb", ".ddeb")):
        architecture = name.rpartition(".")[0].rpartition("_")[2]
        all_of_them = release.architectures
        architectures = all_of_them if architecture not in all_of_them or architecture == "all" else (architecture,)
        leaves = [f"binary-{one}/Packages" for one in architectures]
        leaves += [f"debian-installer/{leaf}" for leaf in leaves] if name.endswith(".udeb") else []
    else:
        leaves = ["source/Sources"]
    found = (_smallest(release, f"{component}/{leaf}") for component in components for leaf in leaves)
    return tuple(entry for entry in found if entry is not None)


def _component_names(release: Release) -> tuple[str, ...]:
    # Security archives have written `updates/main` for what stands at `main/`.
    return tuple(dict.fromkeys(one.rpartition("/")[2] for one in release.components))


def _stems(release: Release, scope: Scope) -> Iterator[str]:
    apart = ("all",) if release.architecture_all_apart else ()
    for component in scope.components or _component_names(release):
        for architecture in (*scope.architectures, *apart):
            yield f"{component}/binary-{architecture}/Packages"
        if scope.deb_src:
            yield f"{component}/source/Sources"


def _flat_stems(scope: Scope) -> Iterator[str]:
    yield "Packages"
    if scope.deb_src:
        yield "Sources"


def _smallest(release: Release, stem: str) -> IndexEntry | None:
    return next((release.entries[stem + ending] for ending in ENDINGS if stem + ending in release.entries), None)
