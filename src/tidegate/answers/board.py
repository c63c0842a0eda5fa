"""What a page tells of a CVE or a notice: what it is, what each vendor says of each release, and what to do now.

Everything here is text for people, from the feeds as they are: whoever shows it keeps it from being anything else.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tidegate.advisories.history import Edition, History
from tidegate.advisories.listing import priority_of
from tidegate.advisories.statement import Kind, Record, Score
from tidegate.answers.advice import Advice, advice
from tidegate.answers.of_release import OfRelease, by_release, shortened
from tidegate.answers.scoring import best

TEXT_CHARS_MAX = 20_000
"""Of one text on a page; what is longer is cut, and said to be."""
REFERENCES_MAX = 100
NOTICES_MAX = 200
CVES_MAX = 1_000

KEV = "kev"
"""The feed that CISA's list is."""

_MITIGATES = re.compile(r"\bmitigat", re.IGNORECASE)
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_TITLES = ("ubuntu-notices", "kev", "ubuntu-osv", "debian-osv")
"""Whose title is shown: who writes one for people."""
_TEXTS = ("ubuntu-security-api", "ubuntu-notices", "ubuntu-osv", "ubuntu-tracker", "debian-osv", "ubuntu-vex",
          "debian-tracker", "kev")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exploited:
    """What CISA's catalogue says. Days as it writes them."""

    name: str
    since: int | None
    due: str
    action: str
    ransomware: bool


@dataclass(frozen=True, slots=True)
class Named:
    """Another record, as it is listed."""

    name: str
    title: str
    published: int | None
    priority: str = ""
    mitigates: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """A record that all this is from."""

    feed: str
    record: str
    since: int
    digest: str


@dataclass(frozen=True, slots=True)
class BoardPage:
    """A CVE or a notice. Times are seconds since 1970."""

    name: str
    kind: Kind
    title: str
    text: str
    cut: bool
    published: int | None
    modified: int | None
    withdrawn: int | None
    priority: str
    score: float | None
    rating: str
    vector: str
    epss: Score | None
    exploited: Exploited | None
    exploited_at: int | None
    """When CISA's list was last seen to be current; None where it is not held, so that nothing follows from silence."""
    releases: tuple[OfRelease, ...]
    named: tuple[Named, ...]
    mitigation: str
    instructions: str
    notes: str
    advice: Advice
    links: tuple[str, ...]
    basis: tuple[Basis, ...]


def page(history: History, name: str, as_of: int | None = None) -> BoardPage | None:
    """What is known of a CVE or a notice; None where no record is about it."""
    about = [one for one in history.about(name, as_of) if one.record.kind is not Kind.EXPLOITED]
    if not about:
        return None
    kind = about[0].record.kind
    mentions = history.mentions(name, as_of) if kind is Kind.CVE else ()
    records = [one.record for one in sorted(about, key=_rank)]
    facts = {key: value for record in reversed(records) for key, value in record.facts}
    exploited, kev = _exploited(mentions), history.feed(KEV, as_of)
    severities = [one for record in records for one in record.severities]
    base = best(severities)
    plain = next((one.value for one in severities if one.scheme == "CVSS_V3_BASE"), None)
    releases = by_release(history.said(name, as_of))
    named = (
        _notices(history, mentions, _packages(releases), as_of) if kind is Kind.CVE else _cves(history, about, as_of)
    )
    text = next((record.description for record in records if record.description), "")
    return BoardPage(
        name=name,
        kind=kind,
        title=_title(about, exploited),
        text=text[:TEXT_CHARS_MAX],
        cut=len(text) > TEXT_CHARS_MAX,
        published=min((one.published for one in records if one.published is not None), default=None),
        modified=max((one.modified for one in records if one.modified is not None), default=None),
        withdrawn=records[0].withdrawn,
        priority=next(filter(None, map(priority_of, records)), ""),
        score=base.score if base else float(plain) if plain else None,
        rating=base.rating if base else "",
        vector=base.vector if base else "",
        epss=history.score(name, as_of) if kind is Kind.CVE else None,
        exploited=exploited,
        exploited_at=None if kev is None else kev.confirmed_at,
        releases=releases,
        named=named,
        mitigation=facts.get("Mitigation", "")[:TEXT_CHARS_MAX],
        instructions=facts.get("Instructions", "")[:TEXT_CHARS_MAX],
        notes=facts.get("Notes", "")[:TEXT_CHARS_MAX],
        advice=advice(releases, [one.name for one in named if one.mitigates], exploited=exploited is not None),
        links=_links(records),
        basis=tuple(Basis(one.feed, one.record.id, one.since, one.digest.hex()) for one in (*about, *_kev(mentions))),
    )


def listed(history: History, names: Iterable[str], as_of: int | None = None) -> tuple[Named, ...]:
    """Records for a list, in its order."""
    found = (_named(name, history.about(name, as_of)) for name in names)
    return tuple(one if one.title else _by_packages(history, one, as_of) for one in found if one is not None)


def _by_packages(history: History, named: Named, as_of: int | None) -> Named:
    """What nobody wrote a word about is known by its packages."""
    packages = sorted({one.statement.package for one in history.said(named.name, as_of)})
    return replace(named, title=shortened(", ".join(packages)))


def _named(name: str, about: Sequence[Edition]) -> Named | None:
    editions = sorted((one for one in about if one.record.kind is not Kind.EXPLOITED), key=_rank)
    if not editions:
        return None
    records = [one.record for one in editions]
    title = _title(editions, None) or next((one.description for one in records if one.description), "")
    published = min((one.published for one in records if one.published is not None), default=None)
    return Named(name, shortened(title), published, next(filter(None, map(priority_of, records)), ""))


def _rank(edition: Edition) -> tuple[bool, int]:
    known = edition.feed in _TEXTS
    return edition.record.withdrawn is not None, _TEXTS.index(edition.feed) if known else len(_TEXTS)


def _title(about: Iterable[Edition], exploited: Exploited | None) -> str:
    by_feed = {one.feed: one.record.title for one in about if one.record.title}
    return next((by_feed[feed] for feed in _TITLES if feed in by_feed), exploited.name if exploited else "")


def _kev(mentions: Iterable[Edition]) -> list[Edition]:
    return [one for one in mentions if one.record.kind is Kind.EXPLOITED]


def _exploited(mentions: Iterable[Edition]) -> Exploited | None:
    for one in _kev(mentions):
        facts = dict(one.record.facts)
        known = facts.get("Ransomware", "").lower() == "known"
        return Exploited(
            one.record.title, one.record.published, facts.get("Due", ""), facts.get("Action", ""), ransomware=known
        )
    return None


def _packages(releases: Iterable[OfRelease]) -> frozenset[str]:
    return frozenset(line.package for one in releases for line in one.lines)


def _notices(
    history: History, mentions: Iterable[Edition], packages: frozenset[str], as_of: int | None
) -> tuple[Named, ...]:
    """The notices on a CVE, the newest first; each once, by whoever has a title for it."""
    found: dict[str, list[Edition]] = {}
    for one in mentions:
        if one.record.kind is Kind.NOTICE and ("Hidden", "yes") not in one.record.facts:
            found.setdefault(one.record.about, []).append(one)
    named = [
        Named(
            name,
            _title(editions, None),
            editions[0].record.published,
            mitigates=any(_MITIGATES.search(f"{one.record.title}\n{one.record.description}") for one in editions)
            and _updates_another(history, name, packages, as_of),
        )
        for name, editions in found.items()
    ]
    return tuple(sorted(named, key=lambda one: (-(one.published or 0), one.name)))[:NOTICES_MAX]


def _updates_another(history: History, notice: str, packages: frozenset[str], as_of: int | None) -> bool:
    """Whether what a notice updates does not have the fault: else it is the fix, whatever its text says."""
    updated = {one.statement.package for one in history.said(notice, as_of)}
    return bool(updated) and updated.isdisjoint(packages)


def _cves(history: History, about: Iterable[Edition], as_of: int | None) -> tuple[Named, ...]:
    """The CVEs that a notice speaks of."""
    names = sorted({cve for one in about for cve in one.record.cves if _CVE.fullmatch(cve)})[:CVES_MAX]
    return tuple(_named(name, history.about(name, as_of)) or Named(name, "", None) for name in names)


def _links(records: Iterable[Record]) -> tuple[str, ...]:
    """References that lead anywhere: of other schemes than the web's, none."""
    found = dict.fromkeys(url for record in records for url in record.references if _is_link(url))
    return tuple(found)[:REFERENCES_MAX]


def _is_link(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https") and url.isprintable() and " " not in url
    except ValueError:
        return False
