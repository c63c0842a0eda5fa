"""From the entries of sources.list(.d) to archives: which belong together, what they are called, who signs.

Pure: what the files say comes in, settings and notes come out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from msgspec.structs import replace

from tidegate import presets
from tidegate.archive.sources_list import SourceEntry
from tidegate.config.addresses import is_address, is_folder, masked, operator_of, spelling
from tidegate.config.checks import FINGERPRINT
from tidegate.config.mirror_list import Mirror
from tidegate.presets import Preset
from tidegate.sources.settings import ArchiveSettings, SourceSettings

_SLUG = re.compile(r"[^a-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the host says beside its entries."""

    trusted_keyrings: tuple[str, ...] = ()
    """trusted.gpg and trusted.gpg.d: keys for entries without Signed-By."""
    architecture: str = ""
    """The native one, for `$(ARCH)` in an entry."""
    foreign_architectures: tuple[str, ...] = ()
    prefix: str = ""
    """Goes before the paths of Signed-By: the root that they are below, without its closing slash."""
    mirror_lists: Mapping[str, tuple[Mirror, ...]] = field(default_factory=dict)
    """What each `mirror+file:` that could be read lists."""


@dataclass(frozen=True, slots=True)
class HostSources:
    """What the host's own apt sources come to."""

    archives: tuple[ArchiveSettings, ...]
    notes: tuple[str, ...]
    """What was left out or understood in another way than apt does, one sentence each."""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By archive: the entries (`FILE:LINE`) that it was made of."""


@dataclass(slots=True)
class _Draft:
    name: str
    preset: Preset | None
    sources: dict[str, SourceSettings] = field(default_factory=dict)
    """By address, as it is written."""
    suites: dict[str, None] = field(default_factory=dict)
    components: dict[str, None] = field(default_factory=dict)
    architectures: dict[str, None] = field(default_factory=dict)
    is_every_entry_narrowed: bool = True
    keys: dict[str, None] = field(default_factory=dict)
    fingerprints: dict[str, None] = field(default_factory=dict)
    is_unsigned_by: bool = False
    deb_src: bool = False
    where: list[str] = field(default_factory=list)


def archives_of(entries: Iterable[SourceEntry], facts: HostFacts) -> HostSources:
    """The archives that enabled entries name, in their order. Never raises: what cannot be used is noted."""
    drafts: list[_Draft] = []
    owners: dict[str, _Draft] = {}
    notes: list[str] = []
    for entry in entries:
        if not entry.enabled:
            continue
        sources = _sources(entry, facts, notes)
        urls = [url for url in sources if is_address(url)]
        if urls:
            draft = _draft_for(entry, urls, owners, drafts)
            _add(draft, entry, sources, owners, facts)
            notes += _remarks(entry)
        elif sources:
            notes.append(f"{entry.where}: is left out: what is in folders only, goes past the gateway")
    archives = tuple(_settled(draft, facts, notes) for draft in drafts)
    return HostSources(archives, tuple(dict.fromkeys(notes)), {each.name: tuple(each.where) for each in drafts})


def _sources(entry: SourceEntry, facts: HostFacts, notes: list[str]) -> dict[str, SourceSettings]:
    """The places that an entry names, by address and in order; a note for each that cannot be asked."""
    found: dict[str, SourceSettings] = {}
    for uri in entry.uris:
        if uri in facts.mirror_lists:
            for mirror in facts.mirror_lists[uri]:
                _add_mirror(mirror, f"{entry.where}: {masked(mirror.url)} in {uri}", found, notes)
        elif is_address(address := uri.replace("$(ARCH)", facts.architecture)):
            found.setdefault(address, SourceSettings(url=address, kind="mirror" if found else "origin"))
        elif uri.startswith("mirror+file:"):
            notes.append(f"{entry.where}: {uri} is left out: its list cannot be read")
        else:
            notes.append(f"{entry.where}: {masked(uri)} is left out: {_why_not(uri)}")
    return found


def _add_mirror(mirror: Mirror, what: str, found: dict[str, SourceSettings], notes: list[str]) -> None:
    """One line of a mirror list: apt takes folders in it, and so do we."""
    if is_folder(mirror.url):
        url = spelling(mirror.url)
        found.setdefault(url, SourceSettings(url=url, kind="media", priority=mirror.priority))
    elif is_address(mirror.url):
        found.setdefault(mirror.url, SourceSettings(url=mirror.url, priority=mirror.priority))
    else:
        notes.append(f"{what} is left out: {_why_not(mirror.url)}")
    if mirror.ignored:
        notes.append(f"{what}: {' '.join(mirror.ignored)} is passed over; only `priority` counts of a mirror's tags")


def _why_not(uri: str) -> str:
    scheme = uri.partition(":")[0]
    if scheme in {"http", "https"}:
        return "addresses with a password or a query are not fetched"
    return f"{scheme}: goes past the gateway"


def _remarks(entry: SourceEntry) -> list[str]:
    notes = []
    if entry.trusted:
        notes.append(f"{entry.where}: is marked trusted; Tidegate wants a signature all the same")
    if entry.options.get("check-valid-until", "").lower() in {"no", "false", "0", "off"}:
        notes.append(f"{entry.where}: switches Valid-Until off; Tidegate refuses an expired Release all the same")
    return notes


def _draft_for(entry: SourceEntry, urls: Sequence[str], owners: Mapping[str, _Draft], drafts: list[_Draft]) -> _Draft:
    """The archive that an entry belongs to: one that has an address of it, or its preset's, or a new one."""
    for url in urls:
        if owner := owners.get(_place(url)):
            return owner
    preset = next((found for url in urls if (found := presets.match(url))), None)
    preset = preset or _preset_by_key(entry, urls)
    if preset:
        for draft in drafts:
            if draft.preset is not None and draft.preset.name == preset.name:
                return draft
    name = preset.name if preset else _slug(urls[0])
    draft = _Draft(_unique(name, {each.name for each in drafts}), preset)
    drafts.append(draft)
    return draft


def _preset_by_key(entry: SourceEntry, urls: Sequence[str]) -> Preset | None:
    """A mirror that no pattern knows, known by the vendor's keyring and the vendor's folder name together.

    A folder name alone proves nothing: many vendors publish their own packages below `/debian`.
    """
    folder = urlsplit(urls[0]).path.rstrip("/").rpartition("/")[2]
    for preset in presets.load():
        if preset.name == folder and any(path in preset.host_keyrings for path in entry.signed_by):
            return preset
    return None


def _add(
    draft: _Draft,
    entry: SourceEntry,
    sources: Mapping[str, SourceSettings],
    owners: dict[str, _Draft],
    facts: HostFacts,
) -> None:
    for url, source in sources.items():
        if owners.setdefault(_place(url), draft) is draft:
            draft.sources.setdefault(url, source)
    draft.suites |= dict.fromkeys(_suite(suite, facts) for suite in entry.suites)
    draft.components |= dict.fromkeys(entry.components)
    architectures = _entry_architectures(entry, facts)
    draft.architectures |= dict.fromkeys(architectures)
    draft.is_every_entry_narrowed &= bool(architectures)
    draft.deb_src |= "deb-src" in entry.types
    draft.where.append(entry.where)
    paths = [facts.prefix + each for each in entry.signed_by if each.startswith("/")]
    fingerprints = [each for each in entry.signed_by if FINGERPRINT.match(each)]
    draft.keys |= dict.fromkeys([*paths, *([entry.inline_key] if entry.inline_key else [])])
    draft.fingerprints |= dict.fromkeys(fingerprints)
    draft.is_unsigned_by |= not (paths or fingerprints or entry.inline_key)


def _entry_architectures(entry: SourceEntry, facts: HostFacts) -> tuple[str, ...]:
    """Those that the entry names; empty where it leaves them to the host."""
    added = entry.options.get("architectures-add", "").split()
    removed = entry.options.get("architectures-remove", "").split()
    if not (added or removed):
        return entry.architectures
    base = entry.architectures or (facts.architecture, *facts.foreign_architectures)
    return tuple(each for each in dict.fromkeys([*base, *added]) if each not in removed)


def _settled(draft: _Draft, facts: HostFacts, notes: list[str]) -> ArchiveSettings:
    return ArchiveSettings(
        name=draft.name,
        keyring=_keyring(draft, facts, notes),
        suites=tuple(draft.suites),
        components=tuple(draft.components),
        architectures=_architectures(draft, facts),
        deb_src=draft.deb_src,
        aliases=tuple(url for url in draft.sources if is_address(url)),
        source=tuple(replace(source, operator=operator_of(url)) for url, source in draft.sources.items()),
    )


def _keyring(draft: _Draft, facts: HostFacts, notes: list[str]) -> tuple[str, ...]:
    """Signed-By; where there is none the preset's own keys, and only then whatever apt trusts for all."""
    where = ", ".join(draft.where)
    if draft.keys or draft.fingerprints:
        if draft.is_unsigned_by:
            notes.append(f"{draft.name}: an entry has no Signed-By; the others' keys count for it ({where})")
        trusted = facts.trusted_keyrings if draft.fingerprints and not draft.keys else ()
        return (*trusted, *draft.keys, *draft.fingerprints)
    if draft.preset and draft.preset.keyring:
        return ()
    if not facts.trusted_keyrings:
        notes.append(f"{draft.name}: no key is known for it, so all of it is refused: add Signed-By ({where})")
    return facts.trusted_keyrings


def _architectures(draft: _Draft, facts: HostFacts) -> tuple[str, ...]:
    """Empty where the host's only one is meant."""
    if draft.is_every_entry_narrowed:
        return tuple(draft.architectures)
    wanted = dict.fromkeys([facts.architecture, *facts.foreign_architectures, *draft.architectures])
    return () if list(wanted) == [facts.architecture] else tuple(wanted)


def _suite(suite: str, facts: HostFacts) -> str:
    """As `archives` keep it: a flat repository is `./` or `DIR/`."""
    suite = suite.replace("$(ARCH)", facts.architecture)
    return (suite.removeprefix("./").lstrip("/") or "./") if suite.endswith("/") else suite


def _place(url: str) -> str:
    """Two spellings of one place: http and https, with and without the closing slash."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2].lower()}{parts.path.rstrip('/')}"


def _slug(url: str) -> str:
    return _SLUG.sub("-", _place(url).lower()).strip("-.+") or "archive"


def _unique(name: str, taken: Sequence[str] | set[str]) -> str:
    number, unique = 2, name
    while unique in taken:
        number, unique = number + 1, f"{name}-{number}"
    return unique
