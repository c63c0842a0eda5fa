"""Ubuntu's CVE tracker: its statuses kept apart, in its own files and in the security API's words."""

import json

import pytest

from tests.advisories.samples import at, by_subject, records, sample
from tidegate.advisories import json_members, ubuntu_tracker
from tidegate.advisories.statement import Place, Severity, Status
from tidegate.archive.errors import FormatError


def said(line: str) -> Status:
    return ubuntu_tracker.parse(f"Candidate: CVE-2026-0001\n{line}\n".encode()).statements[0].status


def test_a_file_of_the_tracker_is_read() -> None:
    record, statements = ubuntu_tracker.parse(sample("ubuntu-tracker/CVE-2025-11411"))
    assert (record.id, record.published) == ("CVE-2025-11411", at("2025-10-22 13:15:00"))
    assert record.description.startswith("NLnet Labs Unbound up to and including version 1.24.0 is vulnerable to")
    assert record.severities[0] == Severity("Ubuntu", "medium")
    assert record.severities[1].scheme == "CVSS_V4"
    assert record.severities[1].value.startswith("CVSS:4.0/AV:A/")
    assert record.references[0] == "https://www.cve.org/CVERecord?id=CVE-2025-11411"
    found = by_subject(statements)
    assert {one.status for one in statements} == {Status.NEEDS_TRIAGE}
    assert ("unbound", Place("ubuntu", "trusty", "esm-infra-legacy")) in found
    assert ("unbound", Place("ubuntu", "jammy")) in found
    assert "upstream" not in {one.place.release for one in statements}


def test_what_is_not_in_a_release_is_not_stated_and_a_blank_may_be_missing() -> None:
    found = by_subject(ubuntu_tracker.parse(sample("ubuntu-tracker/CVE-2019-15903")).statements)
    assert {(place.release, place.pocket): (one.status, one.note) for (_, place), one in found.items()} == {
        ("trusty", ""): (Status.IGNORED, "out of standard support"),
        ("trusty", "esm"): (Status.NEEDED, ""),
        ("xenial", ""): (Status.NEEDED, ""),
        ("bionic", ""): (Status.NEEDED, ""),
        ("disco", ""): (Status.NOT_AFFECTED, "code not present"),
        ("eoan", ""): (Status.NOT_AFFECTED, "code not present"),
    }


def test_released_and_pending_name_versions() -> None:
    found = by_subject(ubuntu_tracker.parse(sample("ubuntu-tracker/CVE-2020-0009")).statements)
    bionic, eoan = (found["linux-oem", Place("ubuntu", release)] for release in ("bionic", "eoan"))
    assert (bionic.status, bionic.fixed, bionic.note) == (Status.RELEASED, "4.15.0-1080.90", "")
    assert (eoan.status, eoan.fixed) == (Status.PENDING, "4.15.0-1087.97")


@pytest.mark.parametrize("status", ["needs-triage", "needed", "pending", "deferred", "ignored", "not-affected"])
def test_each_status_is_kept_apart(status: str) -> None:
    assert said(f"noble_bash: {status}").value == status
    assert said(f"noble_bash: {status} (2026-05-01)").value == status


@pytest.mark.parametrize(
    ("release", "place"),
    [
        ("noble", Place("ubuntu", "noble")),
        ("esm-apps/noble", Place("ubuntu", "noble", "esm-apps")),
        ("fips-updates/jammy", Place("ubuntu", "jammy", "fips-updates")),
        ("trusty/esm", Place("ubuntu", "trusty", "esm")),
        ("vivid/ubuntu-core", Place("ubuntu", "vivid", "ubuntu-core")),
    ],
)
def test_a_release_may_have_a_pocket_before_or_behind_it(release: str, place: Place) -> None:
    data = f"Candidate: CVE-2026-0001\n{release}_bash: needed\n".encode()
    assert ubuntu_tracker.parse(data).statements[0].place == place


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("noble_bash: released (see the notes)", "line 2: upstream part of version 'see the notes'"),
        ("noble_bash: released (1.2, 1.3)", "line 2: upstream part of version '1.2, 1.3'"),
        ("noble_bash: released", "line 2: released, and in no version"),
        ("noble_bash: released (0)", "line 2: version '0'"),
        ("noble_bash: fixed (1.2)", "line 2: no status: 'fixed'"),
        ("noble_bash:", "line 2: no status: ''"),
        ("noble_bash: needed\nnoble_bash: ignored", "two statements about 'bash' in ubuntu noble"),
        ("a/b/c_bash: needed", "line 2: no release: 'a/b/c'"),
        ("this is no field", "line 2: no field"),
    ],
)
def test_a_bad_line_is_said_with_its_number(lines: str, complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint.replace("(", r"\(").replace(")", r"\)")):
        ubuntu_tracker.parse(f"Candidate: CVE-2026-0001\n{lines}\n".encode())


def test_a_file_without_a_candidate_is_none() -> None:
    for data in (b"", b"Priority: low\n", b"\xff\xfe", b"Candidate: CVE-26-1\n"):
        with pytest.raises(FormatError):
            ubuntu_tracker.parse(data)


def test_the_security_api_says_the_same_in_json() -> None:
    pages = dict(records(json_members.members([sample("ubuntu-security-api.json")])))
    record, statements = ubuntu_tracker.parse(pages["cves/0"])
    assert (record.id, record.modified) == ("CVE-2025-27556", at("2025-04-02 19:59:15"))
    assert record.severities == (Severity("Ubuntu", "medium"),)
    assert {one.place.release for one in statements} == {
        "bionic", "focal", "jammy", "noble", "oracular", "trusty", "xenial",
    }  # fmt: skip
    assert {(one.status, one.note) for one in statements} == {(Status.NOT_AFFECTED, "windows specific")}


def test_the_security_apis_pockets_are_kept_apart() -> None:
    def status(pocket: str | None, version: str) -> dict[str, object]:
        return {"release_codename": "jammy", "status": "released", "description": version, "pocket": pocket}

    entry = {
        "id": "CVE-2026-0001",
        "packages": [{"name": "linux", "statuses": [status("security", "1"), status("fips-updates", "2")]}],
    }
    found = by_subject(ubuntu_tracker.parse(json.dumps(entry).encode()).statements)
    assert {place.pocket: one.fixed for (_, place), one in found.items()} == {"": "1", "fips-updates": "2"}
