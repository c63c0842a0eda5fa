"""From a place to what can be given there: the decision behind every request.

Reads the catalogue, changes nothing, waits for nothing. Where something has to happen first (a suite adopted, an
index taken in), the resolution says what; the caller makes it happen and asks again with it among `tried`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from tidegate.archive.errors import FormatError
from tidegate.archive.paths import (
    ByHash,
    IndexFile,
    PdiffPatch,
    PoolFile,
    ReleaseFile,
    classify,
    is_artifact,
    suite_base,
)
from tidegate.gateway.answer import date_of
from tidegate.gateway.refusal import Asked
from tidegate.gateway.target import Place
from tidegate.sources.archive import Archive
from tidegate.sources.naming import index_paths
from tidegate.store.catalogue import Catalogue, Listed, Snapshot


@dataclass(frozen=True, slots=True)
class Found:
    """Signed metadata lists it. `names`: where sources have it. `lasting`: the target means these bytes for good."""

    listed: Listed
    date: int
    asked: Asked
    names: tuple[str, ...]
    lasting: bool
    snapshot: Snapshot | None = None
    """The served snapshot that lists it, for indices and Release files asked for by their plain names."""


class Step(Enum):
    """What has to happen before the question can be answered."""

    ADOPT = "adopt"
    FRESHEN = "freshen"
    COMPLETE = "complete"
    LIST = "list"
    WIDEN = "widen"


@dataclass(frozen=True, slots=True)
class Needs:
    """A step, on a suite (or a path) of the place's archive."""

    step: Step
    asked: Asked
    suite: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """Signed metadata proves that there is no such thing; only as far as every step that was needed went well."""

    why: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Unlisted:
    """No index lists it, but archives carry such files: changelogs, installer images, icons."""

    why: str
    asked: Asked = Asked.OTHER


Resolution = Found | Needs | Absent | Unlisted

# Names that only a Release can vouch for: without an entry there, they do not exist.
_INDEX_NAMES = ("Packages", "Sources", "Contents", "Translation-", "Components-", "Commands-", "icons-", "Release")


class Resolver:
    """Answers for all archives, from one catalogue."""

    def __init__(self, archives: Iterable[Archive], catalogue: Catalogue, *, fresh_since: int = 0) -> None:
        """`fresh_since`: a Release last confirmed before then is looked for anew before it is given."""
        self._archives = {archive.name: archive for archive in archives}
        self._catalogue = catalogue
        self._fresh_since = fresh_since
        self._generation = -1
        self._snapshots: dict[str, dict[str, Snapshot]] = {}
        self._suites: dict[str, frozenset[str]] = {}

    def resolve(self, place: Place, tried: Collection[Needs]) -> Resolution:
        """What can be given for a place. A `Needs` that is in `tried` is not asked for again."""
        self._look_again()
        try:
            kind = classify(place.path, self._suites.get(place.archive, frozenset()))
        except FormatError as error:
            return Absent(str(error), Asked.OTHER)
        match kind:
            case ReleaseFile():
                return self._release(place, kind, tried)
            case ByHash():
                return self._by_hash(place, kind, tried)
            case IndexFile():
                return self._index(place, kind, tried)
            case PdiffPatch():
                index = f"{kind.directory}/Index"
                return self._artifact(place, Needs(Step.LIST, Asked.INDEX, kind.suite, index), tried)
            case PoolFile():
                return self._artifact(place, Needs(Step.WIDEN, Asked.ARTIFACT, path=place.path), tried)

    def _look_again(self) -> None:
        """Follow the catalogue when it has changed, in this process or another."""
        generation = self._catalogue.generation()
        if generation == self._generation:
            return
        self._generation = generation
        self._snapshots = {name: {} for name in self._archives}
        for snapshot in self._catalogue.served():
            self._snapshots.setdefault(snapshot.archive, {})[snapshot.suite] = snapshot
        self._suites = {
            name: frozenset((*archive.suites, *self._snapshots[name])) for name, archive in self._archives.items()
        }

    def _release(self, place: Place, kind: ReleaseFile, tried: Collection[Needs]) -> Resolution:
        snapshot = self._snapshots[place.archive].get(kind.suite)
        if snapshot is None:
            return self._once(Needs(Step.ADOPT, Asked.RELEASE, kind.suite), tried, f"no suite {kind.suite}")
        freshen = Needs(Step.FRESHEN, Asked.RELEASE, kind.suite)
        if snapshot.confirmed_at < self._fresh_since and freshen not in tried:
            return freshen
        member = self._catalogue.member(snapshot, place.path)
        if member is not None:
            return Found(member, snapshot.date, Asked.RELEASE, (), lasting=False, snapshot=snapshot)
        if kind.name == "InRelease":
            return Absent(f"{kind.suite} has Release and Release.gpg instead", Asked.RELEASE)
        return self._once(Needs(Step.COMPLETE, Asked.RELEASE, kind.suite), tried, f"no {kind.name} of what is served")

    def _by_hash(self, place: Place, kind: ByHash, tried: Collection[Needs]) -> Resolution:
        listed = self._catalogue.by_digest(place.archive, bytes.fromhex(kind.digest))
        if listed is not None:
            names = index_paths(listed.path, listed.digest)
            return Found(
                listed,
                date_of(listed.digest),
                Asked.BY_HASH,
                names,
                lasting=True,
                snapshot=self._snapshots[place.archive].get(kind.suite or ""),
            )
        if kind.suite is not None and kind.suite not in self._snapshots[place.archive]:
            return self._once(Needs(Step.ADOPT, Asked.BY_HASH, kind.suite), tried, "no Release lists this digest")
        return Absent(f"no Release that we hold lists this {kind.algorithm}", Asked.BY_HASH)

    def _index(self, place: Place, kind: IndexFile, tried: Collection[Needs]) -> Resolution:
        snapshot = self._snapshots[place.archive].get(kind.suite)
        if snapshot is None:
            return self._once(Needs(Step.ADOPT, Asked.INDEX, kind.suite), tried, f"no suite {kind.suite}")
        member = self._catalogue.member(snapshot, suite_base(kind.suite) + kind.path)
        if member is not None:
            names = index_paths(member.path, member.digest)
            return Found(member, snapshot.date, Asked.INDEX, names, lasting=False, snapshot=snapshot)
        if kind.path.rpartition("/")[2].startswith(_INDEX_NAMES):
            return Absent(f"the Release of {kind.suite} does not list {kind.path}", Asked.INDEX)
        return Unlisted(f"the Release of {kind.suite} does not list {kind.path}")

    def _artifact(self, place: Place, needs: Needs, tried: Collection[Needs]) -> Resolution:
        listed = self._catalogue.artifact(place.archive, place.path)
        if listed is not None:
            return Found(listed, date_of(listed.digest), Asked.ARTIFACT, (listed.path,), lasting=True)
        must_be_listed = needs.step is Step.LIST or is_artifact(place.path.rpartition("/")[2])
        if not must_be_listed and not place.path.startswith("pool/"):
            return Unlisted("no index lists it")
        unadopted = [
            Needs(Step.ADOPT, needs.asked, suite)
            for suite in self._archives[place.archive].suites
            if suite not in self._snapshots[place.archive]
        ]
        for need in (needs, *unadopted):
            if need not in tried:
                return need
        if must_be_listed:
            return Absent("no index of a Release that we hold lists it", needs.asked)
        return Unlisted("no index of a Release that we hold lists it")

    @staticmethod
    def _once(needs: Needs, tried: Collection[Needs], why: str) -> Resolution:
        return Absent(why, needs.asked) if needs in tried else needs
