"""Debian's security tracker (https://security-tracker.debian.org/tracker/data/json): one document, 70 MB.

Package → CVE → what is said of each release. A record is one package's CVE, so that what is wrong in one spoils no
other. `fixed_version` "0" is the tracker's way to say "not affected".
"""

import msgspec

from tidegate.advisories import fields
from tidegate.advisories.releases import DEBIAN
from tidegate.advisories.statement import Kind, Parsed, Place, Record, Statement, Status
from tidegate.archive.errors import FormatError, excerpt

RELEASES_MAX = 100
NEVER = "0"


class _Release(msgspec.Struct, frozen=True, gc=False):
    status: str
    fixed_version: str | None = None
    urgency: str | None = None
    nodsa: str | None = None
    nodsa_reason: str | None = None


class _Entry(msgspec.Struct, frozen=True):
    releases: dict[str, _Release]
    description: str | None = None
    scope: str | None = None


_DECODER = msgspec.json.Decoder(_Entry)


def parse(data: bytes, name: str) -> Parsed:
    """One entry; `name` is `PACKAGE/CVE`, the keys it stood under. Raises FormatError."""
    package, _, identity = name.partition("/")
    package = fields.package_name(package, "package")
    cve = fields.identifier(identity, "CVE")
    entry = fields.decoded(_DECODER, data)
    if len(entry.releases) > RELEASES_MAX:
        raise FormatError(f"more than {RELEASES_MAX} releases")
    record = Record(
        id=name,
        kind=Kind.CVE,
        about=cve,
        description=fields.text_of(entry.description, "description"),
        cves=fields.cves_of([cve]),
        facts=(("Scope", entry.scope),) if entry.scope else (),
    )
    statements = (_statement(cve, package, release, said) for release, said in entry.releases.items())
    return Parsed(record, tuple(statements))


def _statement(cve: str, package: str, release: str, said: _Release) -> Statement:
    release = fields.release_name(release, "releases")
    where = f"releases.{release}"
    status = _status(said, where)
    return Statement(
        about=cve,
        package=package,
        place=Place(DEBIAN, release),
        status=status,
        fixed=fields.version(said.fixed_version or "", where) if status is Status.RELEASED else None,
        urgency=said.urgency or "",
        note=fields.text_of(said.nodsa, where),
    )


def _status(said: _Release, where: str) -> Status:
    match said.status:
        case "resolved":
            return Status.NOT_AFFECTED if said.fixed_version == NEVER else Status.RELEASED
        case "undetermined":
            return Status.UNDETERMINED
        case "open" if said.urgency == "end-of-life" or said.nodsa_reason == "ignored":
            return Status.IGNORED
        case "open" if said.nodsa_reason == "postponed":
            return Status.DEFERRED
        case "open":
            return Status.AFFECTED
    raise FormatError(f"no status: {excerpt(said.status)}", where)
