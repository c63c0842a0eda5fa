"""Ubuntu's notices as its security API has them (https://ubuntu.com/security/notices.json), a page at a time.

They have what OSV's lack: a title for people, and what to do besides updating. Which version of which source fixes
what is in the OSV records, which also say in which pocket; so nothing is stated from here.
"""

import re

import msgspec

from tidegate.advisories import fields
from tidegate.advisories.statement import Kind, Parsed, Record
from tidegate.archive.errors import FormatError, excerpt

_NOTICE = re.compile(r"(?:USN|LSN|SSN)-[0-9]{1,6}(?:-[0-9]{1,4})?")


class _Release(msgspec.Struct, frozen=True, gc=False):
    codename: str


class _Notice(msgspec.Struct, frozen=True):
    id: str
    title: str
    published: str
    summary: str | None = None
    description: str | None = None
    instructions: str | None = None
    is_hidden: bool = False
    cves_ids: list[str] | None = None
    related_notices: list[str] | None = None
    references: list[str] | None = None
    releases: list[_Release] | None = None


_DECODER = msgspec.json.Decoder(_Notice)


def parse(data: bytes, _name: str = "") -> Parsed:
    """One notice. Raises FormatError."""
    notice = fields.decoded(_DECODER, data)
    if not _NOTICE.fullmatch(notice.id):
        raise FormatError(f"no notice: {excerpt(notice.id)}", "id")
    related = fields.identifiers(notice.related_notices, "related_notices")
    mentioned = fields.identifiers(notice.cves_ids, "cves_ids")
    releases = (fields.release_name(release.codename, "releases") for release in notice.releases or [])
    facts = {
        "Summary": fields.text_of(notice.summary, "summary"),
        "Instructions": fields.text_of(notice.instructions, "instructions"),
        "Releases": " ".join(releases),
        "Hidden": "yes" if notice.is_hidden else "",
    }
    published = fields.epoch_s(notice.published, "published")
    record = Record(
        id=notice.id,
        kind=Kind.NOTICE,
        about=notice.id,
        title=fields.text_of(notice.title, "title"),
        description=fields.text_of(notice.description, "description"),
        published=published,
        modified=published,
        cves=fields.cves_of(mentioned),
        related=related,
        references=tuple(dict.fromkeys(notice.references or [])),
        facts=tuple((name, value) for name, value in facts.items() if value),
    )
    return Parsed(record, ())
