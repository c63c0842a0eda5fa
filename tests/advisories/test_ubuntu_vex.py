"""Ubuntu's OpenVEX documents: the tracker's statuses, told by a sentence."""

import json
from typing import Any

import pytest

from tests.advisories.samples import at, by_subject, sample
from tidegate.advisories import ubuntu_vex
from tidegate.advisories.statement import Kind, Place, Status
from tidegate.archive.errors import FormatError


def document(**statement: object) -> bytes:
    """A document with one statement on noble's bash."""
    said = {
        "vulnerability": {"name": "CVE-2026-0001"},
        "products": [{"@id": "pkg:deb/ubuntu/bash@5.2-1?arch=source&distro=noble"}],
        "status": "affected",
    } | statement
    return json.dumps({"@id": "https://vex.example/cve/2026/CVE-2026-0001", "statements": [said]}).encode()


def test_only_sources_are_read_and_no_version_is_taken_for_the_fixed_one() -> None:
    record, statements = ubuntu_vex.parse(sample("ubuntu-vex/CVE-2023-38545.json"))
    assert (record.id, record.kind, record.modified) == ("CVE-2023-38545", Kind.CVE, at("2026-05-20 15:02:47"))
    found = by_subject(statements)
    assert {package for package, _ in found} == {"curl"}
    assert {(place.release, place.pocket): one.status for (_, place), one in found.items()} == {
        ("jammy", ""): Status.RELEASED,
        ("noble", ""): Status.RELEASED,
        ("xenial", ""): Status.IGNORED,
        ("trusty", "esm-infra-legacy"): Status.NOT_AFFECTED,
        ("xenial", "esm-infra"): Status.NOT_AFFECTED,
        ("bionic", "esm-infra"): Status.NOT_AFFECTED,
        ("focal", "esm-infra"): Status.NOT_AFFECTED,
    }
    assert {one.fixed for one in statements} == {None}


def test_what_nobody_will_fix_is_ignored_and_what_is_not_there_is_not_stated() -> None:
    found = by_subject(ubuntu_vex.parse(sample("ubuntu-vex/CVE-2016-20013.json")).statements)
    assert {one.status for one in found.values()} == {Status.IGNORED}
    assert len(found) == 35
    assert ("zabbix", Place("ubuntu", "noble")) not in found


def test_the_form_of_before_2025_is_read() -> None:
    record, statements = ubuntu_vex.parse(sample("ubuntu-vex/CVE-2025-0167.json"))
    assert record.modified == at("2025-02-06 16:37:20")
    assert by_subject(statements)["curl", Place("ubuntu", "noble")].status is Status.NEEDED
    record, statements = ubuntu_vex.parse(sample("ubuntu-vex/CVE-2025-0194.json"))
    assert (record.id, statements) == ("CVE-2025-0194", ())


def test_a_notice_is_about_itself() -> None:
    record, statements = ubuntu_vex.parse(sample("ubuntu-vex/USN-7372-1.json"))
    assert record.kind is Kind.NOTICE
    assert {(one.about, one.package, one.place.pocket, one.status) for one in statements} == {
        ("USN-7372-1", "varnish", "esm-apps", Status.RELEASED)
    }


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ({"status": "under_investigation", "status_notes": "Vulnerability assessment is pending."}, "needs-triage"),
        ({"status": "under_investigation", "status_notes": "known but remediation is deferred. CVE Notes"}, "deferred"),
        ({"status": "affected", "action_statement": "needs fixing. CVE Notes: decided to not fix"}, "needed"),
        ({"status": "affected", "action_statement": "the update is pending"}, "pending"),
        ({"status": "affected", "action_statement": "something they never said before"}, "affected"),
    ],
)
def test_the_sentence_tells_the_status_and_the_notes_behind_it_do_not(statement: Any, status: str) -> None:
    assert ubuntu_vex.parse(document(**statement)).statements[0].status.value == status


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ({"status": "resolved"}, "no status: 'resolved'"),
        ({"products": [{"@id": "pkg:deb/ubuntu/bash@5.2-1?arch=amd64&distro=noble"}]}, "names no source package"),
        ({"products": [{"@id": "pkg:deb/ubuntu/bash@5.2-1?arch=source"}]}, "a product of no release"),
        ({"vulnerability": {"name": "\ud800"}}, "no id|malformed|surrogate"),
    ],
)
def test_a_bad_statement_is_said(statement: Any, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        ubuntu_vex.parse(document(**statement))
