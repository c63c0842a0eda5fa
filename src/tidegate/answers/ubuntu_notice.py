"""A notice as Ubuntu's security API tells it, put together from its OSV record.

The shape is that of https://ubuntu.com/security/notices.json (`NoticeAPIDetailedSchemaV2`). OSV has neither the API's
summary nor what to do besides updating; both are given as the title and as nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

import msgspec

from tidegate.advisories.fields import common_id, decoded
from tidegate.advisories.history import Edition
from tidegate.advisories.releases import ubuntu_ecosystem, ubuntu_number, ubuntu_place
from tidegate.advisories.statement import Place
from tidegate.answers.ubuntu_cve import Json, naive
from tidegate.archive.errors import FormatError

_DISTRO = re.compile(r"[?&]distro=([^&#]+)")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_OWN = "https://ubuntu.com/security/"
"""What the API has as fields of their own, and `pro` would call bugs."""
_LTS_YEARS = 5
_ESM_YEARS = 10
_SECONDS_A_YEAR = 31_556_952
_LTS = re.compile(r"([0-9]{2})\.04")


class _Package(msgspec.Struct, frozen=True, gc=False):
    ecosystem: str
    name: str
    purl: str = ""


class _Event(msgspec.Struct, frozen=True, gc=False):
    fixed: str | None = None


class _Range(msgspec.Struct, frozen=True):
    events: list[_Event] = []


class _Cve(msgspec.Struct, frozen=True, gc=False):
    id: str


class _CvesMap(msgspec.Struct, frozen=True):
    cves: list[_Cve] | None = None


class _Specific(msgspec.Struct, frozen=True):
    binaries: list[dict[str, str]] | None = None
    """Each with `binary_name` and `binary_version`; before 2025, a name and its version."""


class _DatabaseSpecific(msgspec.Struct, frozen=True):
    cves_map: _CvesMap | None = None


class _Affected(msgspec.Struct, frozen=True):
    package: _Package
    ranges: list[_Range] | None = None
    ecosystem_specific: _Specific | None = None
    database_specific: _DatabaseSpecific | None = None


class _Document(msgspec.Struct, frozen=True):
    affected: list[_Affected] | None = None


_DECODER = msgspec.json.Decoder(_Document)


def notice_of(edition: Edition, data: bytes, now: int) -> Json:
    """A notice, from its OSV record and that record's bytes; `cves` and `related_notices` are for `linked`."""
    record = edition.record
    try:
        affected = decoded(_DECODER, data).affected or []
    except FormatError:
        affected = []
    packages = _release_packages(affected)
    return {
        "id": record.id,
        "title": record.title,
        "summary": record.title,
        "description": record.description,
        "instructions": "",
        "references": [url for url in record.references if not url.startswith(_OWN)],
        "published": None if record.published is None else naive(record.published),
        "is_hidden": False,
        "type": notice_type(record.id),
        "release_packages": packages,
        "releases": releases_of(packages, now),
        "cves_ids": _cves(affected, (*record.upstream, *record.related)),
    }


def linked(notice: Json, notices_of: Mapping[str, Sequence[str]]) -> Json:
    """A notice with its CVEs, each with its notices, and with the other notices on them."""
    cves = cves_of(notice)
    related = dict.fromkeys(one for cve in cves for one in notices_of.get(cve, ()) if one != notice["id"])
    return {
        **notice,
        "cves": [{"id": cve, "notices_ids": list(notices_of.get(cve, ()))} for cve in cves],
        "related_notices": list(related),
    }


def cves_of(notice: Json) -> list[str]:
    """The CVEs of a notice, its own or one as the API gave it."""
    ids = notice.get("cves_ids")
    return [one for one in ids if isinstance(one, str)] if isinstance(ids, list) else []


def notice_type(identity: str) -> str:
    """The API's word for it: of other kinds it has none."""
    kind = identity.partition("-")[0].upper()
    return kind if kind in ("USN", "LSN") else ""


def releases_of(codenames: Iterable[str], now: int) -> list[Json]:
    """Releases, the newest first, with what the API says of how they are supported at `now`."""
    numbered = sorted(((ubuntu_number(name), name) for name in codenames), reverse=True)
    return [{"codename": name, "version": number, "support_tag": _support(number, now)} for number, name in numbered]


def _support(number: str, now: int) -> str:
    """By the calendar: long-term releases are those of April of even years, for five years, and for ten with ESM."""
    found = _LTS.fullmatch(number)
    if found is None or int(found[1]) % 2:
        return ""
    begun = datetime(2000 + int(found[1]), 4, 25, tzinfo=UTC).timestamp()
    years = (now - begun) / _SECONDS_A_YEAR
    return "LTS" if years < _LTS_YEARS else "ESM" if years < _ESM_YEARS else ""


def _release_packages(affected: Iterable[_Affected]) -> dict[str, list[Json]]:
    """By release; a name twice would be an error to `pro`, which takes the first pocket that it finds as well."""
    packages: dict[str, list[Json]] = {}
    seen: set[tuple[str, str, bool]] = set()
    for one in affected:
        try:
            place = _place(one.package)
        except FormatError:
            continue
        fixed = next((event.fixed for found in one.ranges or [] for event in found.events if event.fixed), "")
        of_release = packages.setdefault(place.release, [])
        if (place.release, one.package.name, True) in seen:
            continue
        seen.add((place.release, one.package.name, True))
        of_release.append(_source(one.package.name, fixed, place))
        for name, version in _binaries(one.ecosystem_specific):
            if (place.release, name, False) not in seen:
                seen.add((place.release, name, False))
                of_release.append(_binary(name, version, one.package.name, fixed, place))
    return packages


def _place(package: _Package) -> Place:
    distro = _DISTRO.search(package.purl)
    return ubuntu_place(unquote(distro[1]), "purl") if distro else ubuntu_ecosystem(package.ecosystem, "ecosystem")


def _binaries(specific: _Specific | None) -> Iterable[tuple[str, str]]:
    for entry in (specific.binaries if specific else None) or []:
        if "binary_name" in entry:
            yield entry["binary_name"], entry.get("binary_version", "")
        else:
            yield from entry.items()


def _source(name: str, version: str, place: Place) -> Json:
    return {
        "name": name,
        "version": version,
        "description": "",
        "is_source": True,
        "pocket": place.pocket or "security",
    }


def _binary(name: str, version: str, source: str, source_version: str, place: Place) -> Json:
    link = f"https://launchpad.net/ubuntu/+source/{source}"
    return {
        "name": name,
        "version": version or source_version,
        "is_source": False,
        "is_visible": True,
        "source_link": link,
        "version_link": f"{link}/{source_version}",
        "pocket": place.pocket or "security",
    }


def _cves(affected: Sequence[_Affected], others: Iterable[str]) -> list[str]:
    """Those that it names release by release, where it does: the API has no others. Else any that it points to."""
    maps = [one.database_specific.cves_map for one in affected if one.database_specific]
    named = [cve.id for found in maps if found for cve in found.cves or []]
    ids = named if any(found is not None for found in maps) else [common_id(one) for one in others]
    return sorted({one for one in ids if _CVE.fullmatch(one)})
