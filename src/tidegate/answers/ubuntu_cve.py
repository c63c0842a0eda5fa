"""A CVE as Ubuntu's security API tells it, put together from what the other feeds say.

The shape is that of https://ubuntu.com/security/cves.json (github.com/canonical/ubuntu-com-security-api, its
`CVEAPISchema`): every field there, null or empty where the feeds do not say it.
"""

import re
from collections.abc import Iterable, Sequence

from tidegate.advisories.history import Edition, Said
from tidegate.advisories.listing import priority_of
from tidegate.advisories.releases import UBUNTU
from tidegate.advisories.statement import Statement, Status
from tidegate.advisories.ubuntu_osv import LIVEPATCH
from tidegate.answers.age import moment
from tidegate.answers.scoring import Base, best
from tidegate.fleet.ruling import newest

Json = dict[str, object]

_ORDER = ("ubuntu-security-api", "ubuntu-tracker", "ubuntu-osv", "ubuntu-vex")
"""Whose words about a CVE are taken first: who says more in them."""
_STATUSES = {Status.AFFECTED: "needed", Status.UNDETERMINED: "needs-triage"}
"""Words that Ubuntu's API does not have."""
_NOTE = re.compile(r"^\s*([a-z][a-z0-9-]{1,30})[>|] ?", re.MULTILINE)
_PRIORITIES = frozenset({"unknown", "negligible", "low", "medium", "high", "critical"})
_METRICS = {
    "AV": ("attackVector", {"N": "NETWORK", "A": "ADJACENT_NETWORK", "L": "LOCAL", "P": "PHYSICAL"}),
    "AC": ("attackComplexity", {"L": "LOW", "H": "HIGH"}),
    "PR": ("privilegesRequired", {"N": "NONE", "L": "LOW", "H": "HIGH"}),
    "UI": ("userInteraction", {"N": "NONE", "R": "REQUIRED"}),
    "S": ("scope", {"U": "UNCHANGED", "C": "CHANGED"}),
    "C": ("confidentialityImpact", {"N": "NONE", "L": "LOW", "H": "HIGH"}),
    "I": ("integrityImpact", {"N": "NONE", "L": "LOW", "H": "HIGH"}),
    "A": ("availabilityImpact", {"N": "NONE", "L": "LOW", "H": "HIGH"}),
}


def cve_of(cve: str, editions: Sequence[Edition], said: Iterable[Said], notices: Sequence[str]) -> Json:
    """A CVE. `editions`: the records about it, of which there is one at least; `notices`: the ids of those on it."""
    records = [one.record for one in sorted(editions, key=_rank)]
    severities = [one for record in records for one in record.severities]
    base = best(severities, ("CVSS_V3",))
    plain = next((float(one.value) for one in severities if one.scheme == "CVSS_V3_BASE"), None)
    priority = next(filter(None, map(priority_of, records)), "")
    facts = {name: value for record in reversed(records) for name, value in record.facts}
    published = [record.published for record in records if record.published is not None]
    modified = [record.modified for record in records if record.modified is not None]
    return {
        "id": cve,
        "published": naive(min(published)) if published else None,
        "updated_at": moment(max(modified)).replace("Z", "+00:00") if modified else None,
        "description": next((record.description for record in records if record.description), ""),
        "ubuntu_description": "",
        "notes": _notes(facts.get("Notes", "")),
        "codename": None,
        "priority": priority if priority in _PRIORITIES else None,
        "cvss3": base.score if base else plain,
        "impact": _impact(base) if base else None,
        "status": "rejected" if all(record.withdrawn is not None for record in records) else "active",
        "mitigation": facts.get("Mitigation", ""),
        "references": list(dict.fromkeys(url for record in records for url in record.references)),
        "bugs": [],
        "patches": {},
        "tags": {},
        "packages": packages_of(said),
        "notices_ids": list(notices),
    }


def packages_of(said: Iterable[Said]) -> list[Json]:
    """By source package, a status for each release; a fix in a pocket of its own where the release has none."""
    by_place: dict[tuple[str, str], dict[str, list[Said]]] = {}
    for one in said:
        place = one.statement.place
        if place.distribution == UBUNTU and place.pocket != LIVEPATCH:
            pockets = by_place.setdefault((one.statement.package, place.release), {})
            pockets.setdefault(place.pocket, []).append(one)
    packages: dict[str, list[Json]] = {}
    for (package, release), pockets in sorted(by_place.items()):
        chosen = _chosen({pocket: newest(found).statement for pocket, found in pockets.items()})
        packages.setdefault(package, []).append(_status(release, chosen))
    return [_package(name, statuses) for name, statuses in packages.items()]


def naive(seconds: int) -> str:
    """A time as the API writes `published`: UTC, and no word of it."""
    return moment(seconds).removesuffix("Z")


def _rank(edition: Edition) -> int:
    return _ORDER.index(edition.feed) if edition.feed in _ORDER else len(_ORDER)


def _chosen(by_pocket: dict[str, Statement]) -> Statement:
    """The API has one status for each release: the release's own, but for a fix that is only elsewhere."""
    own = by_pocket.get("")
    if own is not None and own.status in (Status.RELEASED, Status.NOT_AFFECTED):
        return own
    elsewhere = [one for pocket, one in sorted(by_pocket.items()) if pocket and one.status is Status.RELEASED]
    if elsewhere:
        return next((one for one in elsewhere if one.place.pocket.startswith("esm")), elsewhere[0])
    return own or by_pocket[min(by_pocket)]


def _status(release: str, statement: Statement) -> Json:
    return {
        "release_codename": release,
        "status": _STATUSES.get(statement.status, statement.status.value),
        "description": (statement.fixed or "") if statement.status is Status.RELEASED else statement.note,
        "component": None,
        "pocket": statement.place.pocket or "security",
    }


def _package(name: str, statuses: list[Json]) -> Json:
    return {
        "name": name,
        "source": f"https://ubuntu.com/security/cve?package={name}",
        "ubuntu": "https://packages.ubuntu.com/search?suite=all&section=all&arch=any&searchon=sourcenames"
        f"&keywords={name}",
        "debian": f"https://tracker.debian.org/pkg/{name}",
        "statuses": statuses,
    }


def _notes(text: str) -> list[Json]:
    """The tracker's notes: `sbeattie> text`, each beginning with who wrote it."""
    parts = _NOTE.split(text)
    return [{"author": author, "note": note.strip()} for author, note in zip(parts[1::2], parts[2::2], strict=True)]


def _impact(base: Base) -> Json:
    told = {_METRICS[name][0]: _METRICS[name][1].get(value) for name, value in base.metrics if name in _METRICS}
    vector = {"version": base.vector[5:8], "vectorString": base.vector, **told}
    return {
        "baseMetricV3": {
            "cvssV3": {**vector, "baseScore": base.score, "baseSeverity": base.rating.upper()},
            "exploitabilityScore": base.exploitability,
            "impactScore": base.impact,
        }
    }
