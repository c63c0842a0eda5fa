"""CISA's catalogue of known exploited vulnerabilities (KEV), one JSON document.

https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json, and in github.com/cisagov/kev-data.
"""

import msgspec

from tidegate.advisories import fields
from tidegate.advisories.statement import Kind, Parsed, Record

MEMBER = "vulnerabilities"
"""Where the entries are in the document."""


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    cve_id: str = msgspec.field(name="cveID")
    date_added: str
    due_date: str | None = None
    vulnerability_name: str | None = None
    short_description: str | None = None
    required_action: str | None = None
    vendor_project: str | None = None
    product: str | None = None
    known_ransomware_campaign_use: str | None = None
    notes: str | None = None


_DECODER = msgspec.json.Decoder(_Entry)


def parse(data: bytes, _name: str = "") -> Parsed:
    """One entry: exploited since `published` at the latest; what to do, and until when, is in its facts.

    Raises FormatError.
    """
    entry = fields.decoded(_DECODER, data)
    cve = fields.cve_id(entry.cve_id, "cveID")
    added = fields.epoch_s(entry.date_added, "dateAdded")
    fields.epoch_s(entry.due_date, "dueDate")
    facts = {
        "Due": entry.due_date,
        "Action": entry.required_action,
        "Vendor": entry.vendor_project,
        "Product": entry.product,
        "Ransomware": entry.known_ransomware_campaign_use,
        "Notes": entry.notes,
    }
    record = Record(
        id=cve,
        kind=Kind.EXPLOITED,
        about=cve,
        title=fields.text_of(entry.vulnerability_name, "vulnerabilityName"),
        description=fields.text_of(entry.short_description, "shortDescription"),
        published=added,
        modified=added,
        cves=(cve,),
        facts=tuple((name, fields.text_of(value, name)) for name, value in facts.items() if value),
    )
    return Parsed(record, ())
