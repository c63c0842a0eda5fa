"""Ubuntu's CVE tracker: the one feed that keeps needs-triage, needed, pending, deferred and ignored apart.

A record is a CVE's file of the tracker's repository (git.launchpad.net/ubuntu-cve-tracker, `active/CVE-…` and
`retired/CVE-…`): fields, their continuation lines indented, and a line for each release and source package, like
`esm-infra/focal_linux: released (5.4.0-230.250)`. Or it is an entry of the security API
(https://ubuntu.com/security/cves.json), which says the same in JSON.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from tidegate.advisories import fields
from tidegate.advisories.releases import ubuntu_place, ubuntu_pocket
from tidegate.advisories.statement import Kind, Parsed, Place, Record, Severity, Statement, Status
from tidegate.archive.errors import FormatError, excerpt

LINES_MAX = 200_000
"""Of one file; the longest has some 5,000."""
NOT_RELEASES = frozenset({"upstream", "snap"})
"""What has statuses like a release and is none: its versions are no package's."""
NOT_THERE = "DNE"
"""Does not exist: the release does not have the package, so there is nothing to say."""

_STATUSES = {
    status.value: status
    for status in (
        Status.NEEDS_TRIAGE,
        Status.NEEDED,
        Status.PENDING,
        Status.DEFERRED,
        Status.IGNORED,
        Status.RELEASED,
        Status.NOT_AFFECTED,
    )
} | {"active": Status.NEEDED}  # written for a fix that somebody works on, until 2016
_FIELD = re.compile(r"(?P<name>[A-Za-z0-9][^:\s]*):[ \t]*(?P<value>.*)")
_STATUS_FIELD = re.compile(r"(?P<release>[a-z0-9][a-z0-9./-]*)_(?P<package>[A-Za-z0-9][A-Za-z0-9+.-]*)")
_SAID = re.compile(r"(?P<status>[A-Za-z-]+)(?:[ \t]+\((?P<note>.*)\)?)?[ \t]*")


def parse(data: bytes, _name: str = "") -> Parsed:
    """One record, in either form. Raises FormatError."""
    return _parse_json(data) if data.lstrip()[:1] == b"{" else _parse_text(data)


def _statement(cve: str, package: str, place: Place, status: str, note: str, where: str) -> Iterator[Statement]:
    """What one line says; nothing, if the package is not there."""
    if status == NOT_THERE:
        return
    known = _STATUSES.get(status)
    if known is None:
        raise FormatError(f"no status: {excerpt(status)}", where)
    fixed = None
    if known is Status.RELEASED:
        if not note:
            raise FormatError("released, and in no version", where)
        fixed, note = fields.version(note, where), ""
    elif known is Status.PENDING and note:
        # A version by custom, and not by rule: what is no version is a remark.
        try:
            fixed, note = fields.version(note, where), ""
        except FormatError:
            fixed = None
    yield Statement(
        about=cve,
        package=fields.package_name(package, where),
        place=place,
        status=known,
        fixed=fixed,
        note=fields.text_of(note, where),
    )


# The tracker's own files.


def _parse_text(data: bytes) -> Parsed:
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"no UTF-8: {error.reason}") from None
    if len(lines) > LINES_MAX:
        raise FormatError(f"more than {LINES_MAX} lines")
    found: dict[str, str] = {}
    statements: list[Statement] = []
    cve = ""
    for number, name, value in _fields(lines):
        where = f"line {number}"
        status = _STATUS_FIELD.fullmatch(name)
        if name == "Candidate":
            cve = fields.cve_id(value.strip(), where)
        elif status is None or status["release"] in NOT_RELEASES:
            found.setdefault(name, value)
        elif not cve:
            raise FormatError("a status before the candidate's name", where)
        else:
            statements.extend(_said(cve, status, value, where))
    if not cve:
        raise FormatError("no candidate")
    return Parsed(_text_record(cve, found), fields.one_each(statements))


def _fields(lines: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Each field with the line it begins at, its continuation lines joined to it."""
    begun, name, value = 0, "", list[str]()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " \t":
            value.append(line.strip())
            continue
        if name:
            yield begun, name, "\n".join(value).strip()
        field = _FIELD.fullmatch(line.rstrip("\r"))
        if field is None:
            raise FormatError(f"no field: {excerpt(line)}", f"line {number}")
        begun, name, value = number, field["name"], [field["value"].strip()]
    if name:
        yield begun, name, "\n".join(value).strip()


def _said(cve: str, field: re.Match[str], value: str, where: str) -> Iterator[Statement]:
    said = _SAID.fullmatch(value)
    if said is None:
        raise FormatError(f"no status: {excerpt(value)}", where)
    note = (said["note"] or "").strip().removesuffix(")")
    place = ubuntu_place(field["release"], where)
    return _statement(cve, field["package"], place, said["status"], note, where)


def _text_record(cve: str, found: dict[str, str]) -> Record:
    references = found.get("References", "").split()
    priority = found.get("Priority", "").split("\n")[0].strip()
    vectors = (line.partition(":")[2].strip() for line in found.get("CVSS", "").split("\n"))
    severities = [Severity("Ubuntu", priority)] if priority else []
    severities += [Severity("CVSS_V4" if v.startswith("CVSS:4") else "CVSS_V3", v.split()[0]) for v in vectors if v]
    return Record(
        id=cve,
        kind=Kind.CVE,
        about=cve,
        description=fields.text_of(found.get("Ubuntu-Description") or found.get("Description"), "Description"),
        published=_published(found.get("PublicDate", "")),
        cves=(cve,),
        severities=tuple(severities),
        references=tuple(dict.fromkeys(references)),
        facts=tuple((name, found[name]) for name in ("Mitigation", "Notes") if found.get(name)),
    )


def _published(text: str) -> int | None:
    """`2024-02-29 01:42:00 UTC`, or the day alone; `unknown` is said too."""
    return None if text == "unknown" else fields.epoch_s(text.removesuffix("UTC").strip(), "PublicDate")


# The security API's entries.


class _Status(msgspec.Struct, frozen=True, gc=False):
    release_codename: str
    status: str
    description: str | None = None
    pocket: str | None = None


class _Package(msgspec.Struct, frozen=True):
    name: str
    statuses: list[_Status]


class _Cve(msgspec.Struct, frozen=True):
    id: str
    packages: list[_Package]
    description: str | None = None
    ubuntu_description: str | None = None
    mitigation: str | None = None
    priority: str | None = None
    published: str | None = None
    updated_at: str | None = None
    cvss3: float | None = None
    notices_ids: list[str] | None = None
    references: list[str] | None = None


_DECODER = msgspec.json.Decoder(_Cve)


def _parse_json(data: bytes) -> Parsed:
    entry = fields.decoded(_DECODER, data)
    cve = fields.cve_id(entry.id, "id")
    severities = [Severity("Ubuntu", entry.priority)] if entry.priority else []
    severities += [Severity("CVSS_V3_BASE", str(entry.cvss3))] if entry.cvss3 is not None else []
    record = Record(
        id=cve,
        kind=Kind.CVE,
        about=cve,
        description=fields.text_of(entry.ubuntu_description or entry.description, "description").strip(),
        published=fields.epoch_s(entry.published, "published"),
        modified=fields.epoch_s(entry.updated_at, "updated_at"),
        cves=(cve,),
        related=fields.identifiers(entry.notices_ids, "notices_ids"),
        severities=tuple(severities),
        references=tuple(dict.fromkeys(entry.references or [])),
        facts=(("Mitigation", fields.text_of(entry.mitigation, "mitigation")),) if entry.mitigation else (),
    )
    return Parsed(record, fields.one_each(_api_statements(cve, entry.packages)))


def _api_statements(cve: str, packages: Iterable[_Package]) -> Iterator[Statement]:
    for package in packages:
        for status in package.statuses:
            where = ascii(f"{package.name} in {status.release_codename}")[1:-1]
            if status.release_codename in NOT_RELEASES:
                continue
            place = ubuntu_place(status.release_codename, where)
            if status.pocket:
                place = Place(place.distribution, place.release, ubuntu_pocket(status.pocket, where) or place.pocket)
            yield from _statement(cve, package.name, place, status.status, status.description or "", where)
