"""Records in the Open Source Vulnerability format (ossf.github.io/osv-schema, 1.6 and 1.7), as distributions use it.

One range for each package and release: a distribution's release has one line of versions. What says more than that
(`last_affected`, several ranges) is refused rather than read as less.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from tidegate.advisories import fields
from tidegate.advisories.statement import Kind, Parsed, Place, Record, Severity, Statement, Status
from tidegate.archive.errors import FormatError, excerpt

AFFECTED_MAX = 20_000
"""Packages times releases in one record; a kernel CVE has some 500."""


class Event(msgspec.Struct, frozen=True, gc=False):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(msgspec.Struct, frozen=True):
    type: str
    events: list[Event]


class Package(msgspec.Struct, frozen=True, gc=False):
    ecosystem: str
    name: str
    purl: str = ""


class EcosystemSpecific(msgspec.Struct, frozen=True, gc=False):
    availability: str | None = None
    ubuntu_priority: str | None = None
    urgency: str | None = None


class CveOfMap(msgspec.Struct, frozen=True, gc=False):
    id: str


class CvesMap(msgspec.Struct, frozen=True):
    cves: list[CveOfMap] | None = None


class DatabaseSpecific(msgspec.Struct, frozen=True):
    cves_map: CvesMap | None = None


class Affected(msgspec.Struct, frozen=True):
    package: Package
    ranges: list[Range] | None = None
    ecosystem_specific: EcosystemSpecific | None = None
    database_specific: DatabaseSpecific | None = None


class Score(msgspec.Struct, frozen=True, gc=False):
    type: str
    score: str


class Reference(msgspec.Struct, frozen=True, gc=False):
    url: str


class Document(msgspec.Struct, frozen=True):
    """What we read of a record; the rest stays in its verbatim bytes."""

    id: str
    modified: str
    published: str | None = None
    withdrawn: str | None = None
    aliases: list[str] | None = None
    upstream: list[str] | None = None
    related: list[str] | None = None
    summary: str | None = None
    details: str | None = None
    severity: list[Score] | None = None
    affected: list[Affected] | None = None
    references: list[Reference] | None = None


_DECODER = msgspec.json.Decoder(Document)


def read(
    data: bytes, *, cves: re.Pattern[str], notices: re.Pattern[str], place: Callable[[Package, str], Place | None]
) -> Parsed:
    """One record. `cves` and `notices` say by its id what it is, `place` where a package lives (None: not here).

    Raises FormatError.
    """
    document = fields.decoded(_DECODER, data)
    record = _record(document, _kind(document.id, cves, notices))
    affected = document.affected or []
    if len(affected) > AFFECTED_MAX:
        raise FormatError(f"more than {AFFECTED_MAX} packages", "affected")
    found = [
        _statement(record.about, entry, at, f"affected[{number}]")
        for number, entry in enumerate(affected)
        if (at := place(entry.package, f"affected[{number}].package")) is not None
    ]
    # A record that was withdrawn is read all the same, so that what is wrong in it is said; it states nothing.
    return Parsed(record, () if record.withdrawn is not None else fields.one_each(found))


def _kind(identity: str, cves: re.Pattern[str], notices: re.Pattern[str]) -> Kind:
    if cves.fullmatch(identity):
        return Kind.CVE
    if notices.fullmatch(identity):
        return Kind.NOTICE
    raise FormatError(f"an id this feed does not have: {excerpt(identity)}", "id")


def _record(document: Document, kind: Kind) -> Record:
    aliases = fields.identifiers(document.aliases, "aliases")
    upstream = fields.identifiers(document.upstream, "upstream")
    related = fields.identifiers(document.related, "related")
    return Record(
        id=document.id,
        kind=kind,
        about=fields.common_id(document.id),
        title=fields.text_of(document.summary, "summary"),
        description=fields.text_of(document.details, "details"),
        published=fields.epoch_s(document.published, "published"),
        modified=fields.epoch_s(document.modified, "modified"),
        withdrawn=fields.epoch_s(document.withdrawn, "withdrawn"),
        cves=fields.cves_of([document.id], aliases, upstream, related, _mapped(document.affected or [])),
        aliases=aliases,
        upstream=upstream,
        related=related,
        severities=tuple(Severity(score.type, score.score) for score in document.severity or []),
        references=tuple(dict.fromkeys(reference.url for reference in document.references or [])),
    )


def _mapped(affected: Iterable[Affected]) -> list[str]:
    """The CVEs that a notice names release by release."""
    maps = (entry.database_specific.cves_map for entry in affected if entry.database_specific)
    return [fields.identifier(cve.id, "cves_map") for found in maps if found for cve in found.cves or []]


def _statement(about: str, entry: Affected, place: Place, where: str) -> Statement:
    introduced, fixed = _interval(entry.ranges or [], where)
    specific = entry.ecosystem_specific or EcosystemSpecific()
    return Statement(
        about=about,
        package=fields.package_name(entry.package.name, f"{where}.package.name"),
        place=place,
        status=Status.AFFECTED if fixed is None else Status.RELEASED,
        fixed=fixed,
        introduced=introduced,
        urgency=specific.ubuntu_priority or specific.urgency or "",
        note=fields.text_of(specific.availability, f"{where}.availability"),
    )


def _interval(ranges: Sequence[Range], where: str) -> tuple[str | None, str | None]:
    """From which version on it is affected (None: all), and the first that is not (None: there is none)."""
    versions = [found for found in ranges if found.type == "ECOSYSTEM"]
    if len(versions) != 1:
        raise FormatError(f"{len(versions)} ranges of versions instead of one", f"{where}.ranges")
    introduced: list[str] = []
    fixed: list[str] = []
    for event in versions[0].events:
        if event.last_affected is not None or event.limit is not None:
            raise FormatError("last_affected and limit are not read here", f"{where}.ranges")
        introduced.extend([] if event.introduced is None else [event.introduced])
        fixed.extend([] if event.fixed is None else [event.fixed])
    if len(introduced) != 1 or len(fixed) > 1:
        raise FormatError("not one beginning with at most one end", f"{where}.ranges")
    return (
        None if introduced[0] == "0" else fields.version(introduced[0], f"{where}.introduced"),
        fields.version(fixed[0], f"{where}.fixed") if fixed else None,
    )
