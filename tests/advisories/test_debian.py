"""Debian's tracker and its OSV records."""

import json
from typing import Any

import pytest

from tests.advisories.samples import by_subject, records, sample
from tidegate.advisories import debian_osv, debian_tracker, json_members
from tidegate.advisories.statement import Kind, Place, Status
from tidegate.archive.errors import FormatError

BULLSEYE = Place("debian", "bullseye")


def entry(name: str) -> bytes:
    return dict(records(json_members.members([sample("debian-tracker.json")])))[name]


def said(**release: object) -> Any:
    data = json.dumps({"releases": {"bookworm": release}}).encode()
    return debian_tracker.parse(data, "bash/CVE-2026-0001").statements[0]


def test_a_record_is_one_packages_cve() -> None:
    record, statements = debian_tracker.parse(entry("389-ds-base/CVE-2016-5405"), "389-ds-base/CVE-2016-5405")
    assert (record.id, record.about, record.cves) == ("389-ds-base/CVE-2016-5405", "CVE-2016-5405", ("CVE-2016-5405",))
    assert record.description.startswith("389 Directory Server in Red Hat")
    one = by_subject(statements)["389-ds-base", BULLSEYE]
    assert (one.status, one.fixed, one.urgency) == (Status.RELEASED, "1.3.5.15-1", "not yet assigned")


def test_fixed_in_zero_means_not_affected() -> None:
    record, statements = debian_tracker.parse(entry("wordpress/TEMP-0000000-0CA7E3"), "wordpress/TEMP-0000000-0CA7E3")
    assert (record.about, record.cves) == ("TEMP-0000000-0CA7E3", ())
    assert {(one.status, one.fixed) for one in statements} == {(Status.NOT_AFFECTED, None)}


def test_open_is_affected_ignored_or_deferred_by_what_the_team_decided() -> None:
    found = by_subject(debian_tracker.parse(entry("389-ds-base/CVE-2016-5416"), "389-ds-base/CVE-2016-5416").statements)
    ignored = found["389-ds-base", BULLSEYE]
    assert (ignored.status, ignored.note) == (Status.IGNORED, "Minor issue")
    assert found["389-ds-base", Place("debian", "sid")].status is Status.AFFECTED
    assert said(status="open", nodsa="later", nodsa_reason="postponed").status is Status.DEFERRED
    assert said(status="open", urgency="end-of-life").status is Status.IGNORED
    assert said(status="undetermined").status is Status.UNDETERMINED


@pytest.mark.parametrize(
    ("release", "complaint"),
    [
        ({"status": "resolved"}, "releases.bookworm: upstream part of version ''"),
        ({"status": "resolved", "fixed_version": "soon"}, "begins with no digit: 'soon'"),
        ({"status": "resolved", "fixed_version": "very soon"}, "upstream part of version 'very soon'"),
        ({"status": "fixed"}, "no status: 'fixed'"),
        ({"status": 1}, "Expected `str`, got `int`"),
    ],
)
def test_a_bad_value_is_said_with_its_release(release: dict[str, object], complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        said(**release)


def test_an_advisory_of_debian_is_a_notice_with_its_cves() -> None:
    record, statements = debian_osv.parse(sample("debian-osv/DSA-135.json"))
    assert (record.kind, record.title) == (Kind.NOTICE, "libapache-mod-ssl -- buffer overflow / DoS")
    assert record.cves == ("CVE-2002-0653",)
    assert [(one.about, one.package, one.place, one.fixed) for one in statements] == [
        ("DSA-135", "libapache-mod-ssl", Place("debian", "woody"), "2.8.9-2")
    ]


def test_a_cve_of_debian_has_two_spellings_and_one_name() -> None:
    document = json.loads(sample("debian-osv/DSA-135.json"))
    document["affected"][0]["package"]["ecosystem"] = "Debian:12"
    for identity in ("CVE-2026-0001", "DEBIAN-CVE-2026-0001"):
        record, statements = debian_osv.parse(json.dumps(document | {"id": identity}).encode())
        assert (record.kind, record.about) == (Kind.CVE, "CVE-2026-0001")
        assert statements[0].place == Place("debian", "bookworm")


def test_other_distributions_in_a_record_are_none_of_ours() -> None:
    document = json.loads(sample("debian-osv/DSA-135.json"))
    document["affected"][0]["package"]["ecosystem"] = "Alpine:v3.20"
    assert debian_osv.parse(json.dumps(document).encode()).statements == ()
