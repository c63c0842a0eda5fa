"""Ubuntu's OpenVEX documents (openvex.dev/ns/v0.2.0), one for each CVE and each notice.

Published as https://security-metadata.canonical.com/vex/vex-all.tar.xz. Each document names binary packages by the
thousand; what is said of them is said of their source, whose purl has `arch=source`, so only that is read. Which of
the tracker's statuses stands behind one of OpenVEX's four is told in a sentence, as
documentation.ubuntu.com/security (Ubuntu VEX data) lists them; everything behind "CVE Notes" in it is free text.

A purl's version is the one the release had when the document was made, not the one that brought the fix:
CVE-2023-38545 was fixed in jammy's curl 7.81.0-1ubuntu1.14, and its document of 2026 says 7.81.0-1ubuntu1.24. So these
statements name no fixed version; Ubuntu's OSV records do.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

import msgspec

from tidegate.advisories import fields
from tidegate.advisories.releases import ubuntu_place
from tidegate.advisories.statement import Kind, Parsed, Place, Record, Statement, Status
from tidegate.archive.errors import FormatError, excerpt

PRODUCTS_MAX = 1_000_000
"""In one document; a kernel CVE names some 100,000 binaries."""


class _Product(msgspec.Struct, frozen=True, gc=False):
    id: str = msgspec.field(name="@id")


class _Vulnerability(msgspec.Struct, frozen=True):
    name: str
    description: str | None = None
    aliases: list[str] | None = None


class _Statement(msgspec.Struct, frozen=True):
    vulnerability: _Vulnerability
    status: str
    products: list[_Product]
    timestamp: str | None = None
    justification: str | None = None
    action_statement: str | None = None
    impact_statement: str | None = None
    status_notes: str | None = None


class _Head(msgspec.Struct, frozen=True, gc=False):
    id: str = msgspec.field(name="@id")
    timestamp: str | None = None


class _Document(msgspec.Struct, frozen=True):
    """`metadata` held what is at the top now, until 2025."""

    statements: list[_Statement]
    id: str | None = msgspec.field(name="@id", default=None)
    timestamp: str | None = None
    metadata: _Head | None = None


_DECODER = msgspec.json.Decoder(_Document)
_DOCUMENT = re.compile(r"(?:.*/)?((?:CVE-[0-9]{4}-[0-9]{4,19})|(?:(?:USN|LSN|SSN)-[0-9]{1,6}(?:-[0-9]{1,4})?))")
_SOURCE = re.compile(r"pkg:deb/ubuntu/([^@?#]+)@[^?#]+\?(?:[^#]*&)?arch=source(?:&[^#]*)?")
_DISTRO = re.compile(r"[?&]distro=([^&#]+)")
_FREE_TEXT = "CVE Notes"


def parse(data: bytes, _name: str = "") -> Parsed:
    """One document. Raises FormatError."""
    document = fields.decoded(_DECODER, data)
    head = document.metadata or _Head(document.id or "", document.timestamp)
    name = _DOCUMENT.fullmatch(head.id)
    if name is None:
        raise FormatError(f"an id this feed does not have: {excerpt(head.id)}", "@id")
    if sum(len(statement.products) for statement in document.statements) > PRODUCTS_MAX:
        raise FormatError(f"more than {PRODUCTS_MAX} products", "statements")
    statements = [one for number, said in enumerate(document.statements) for one in _statements(said, number)]
    first = document.statements[0] if document.statements else None
    record = Record(
        id=name[1],
        kind=Kind.CVE if name[1].startswith("CVE-") else Kind.NOTICE,
        about=name[1],
        description=fields.text_of(first.vulnerability.description, "description") if first else "",
        published=fields.epoch_s(first.timestamp, "statements[0].timestamp") if first else None,
        modified=fields.epoch_s(head.timestamp, "timestamp"),
        cves=fields.cves_of([name[1]], (said.vulnerability.name for said in document.statements)),
        references=tuple(dict.fromkeys(first.vulnerability.aliases or [])) if first else (),
    )
    return Parsed(record, fields.one_each(statements))


def _statements(said: _Statement, number: int) -> Iterator[Statement]:
    where = f"statements[{number}]"
    about = fields.identifier(said.vulnerability.name, f"{where}.vulnerability.name")
    status = _status(said, where)
    sources = [found for product in said.products if (found := _SOURCE.fullmatch(product.id))]
    if said.products and not sources:
        raise FormatError("names no source package", f"{where}.products")
    if status is None:
        return
    note = fields.text_of(said.action_statement or said.impact_statement or said.status_notes, where)
    for source in sources:
        yield Statement(
            about=about,
            package=fields.package_name(unquote(source[1]), f"{where}.products"),
            place=_place(source[0], f"{where}.products"),
            status=status,
            note=note,
        )


def _status(said: _Statement, where: str) -> Status | None:
    """The tracker's status; None where the release does not have the package."""
    sentence = (said.action_statement or said.status_notes or "").partition(_FREE_TEXT)[0]
    match said.status:
        case "fixed":
            return Status.RELEASED
        case "not_affected":
            return None if said.justification == "component_not_present" else Status.NOT_AFFECTED
        case "under_investigation":
            return Status.DEFERRED if "deferred" in sentence else Status.NEEDS_TRIAGE
        case "affected" if "decided to not fix" in sentence or "no longer supported" in sentence:
            return Status.IGNORED
        case "affected" if "pending" in sentence:
            return Status.PENDING
        case "affected" if "deferred" in sentence:
            return Status.DEFERRED
        case "affected":
            return Status.NEEDED if "needs fixing" in sentence else Status.AFFECTED
    raise FormatError(f"no status: {excerpt(said.status)}", where)


def _place(purl: str, where: str) -> Place:
    distro = _DISTRO.search(purl)
    if distro is None:
        raise FormatError(f"a product of no release: {excerpt(purl)}", where)
    return ubuntu_place(unquote(distro[1]), where)
