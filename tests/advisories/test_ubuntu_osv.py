"""Ubuntu's OSV records: CVEs, notices, live patches, the ESM pockets, and what is withdrawn."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.advisories.samples import at, by_subject, sample
from tidegate.advisories import ubuntu_osv
from tidegate.advisories.statement import Kind, Place, Severity, Status
from tidegate.archive.errors import FormatError

FIXED_IN = "UBUNTU-CVE-2024-51988.json"


def changed(path: str, change: Callable[[Any], object]) -> bytes:
    """A real record with a change made to it."""
    document = json.loads(sample(f"ubuntu-osv/{path}"))
    change(document)
    return json.dumps(document).encode()


def test_a_cve_says_in_which_version_each_release_is_fixed() -> None:
    record, statements = ubuntu_osv.parse(sample("ubuntu-osv/UBUNTU-CVE-2024-51988.json"))
    assert (record.id, record.about, record.kind) == ("UBUNTU-CVE-2024-51988", "CVE-2024-51988", Kind.CVE)
    assert record.cves == ("CVE-2024-51988",)
    assert (record.published, record.modified, record.withdrawn) == (
        at("2024-11-06 20:15:00"),
        at("2025-06-02 17:30:48"),
        None,
    )
    assert record.severities == (Severity("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:H/A:N"),)
    found = by_subject(statements)
    assert {place.release: one.fixed for (_, place), one in found.items()} == {
        "focal": "3.8.3-0ubuntu0.1",
        "jammy": "3.9.27-0ubuntu0.1",
        "oracular": "3.12.1-1ubuntu2",
        "noble": "3.12.1-1ubuntu1",
    }
    jammy = found["rabbitmq-server", Place("ubuntu", "jammy")]
    assert (jammy.about, jammy.status, jammy.urgency) == ("CVE-2024-51988", Status.RELEASED, "medium")
    assert jammy.note == "No subscription required"


def test_a_cve_without_a_fix_is_affected_and_never_fixed_in_zero() -> None:
    _, statements = ubuntu_osv.parse(sample("ubuntu-osv/UBUNTU-CVE-2026-35352.json"))
    assert {one.place.release for one in statements} == {"noble", "questing", "resolute"}
    assert {(one.status, one.fixed, one.introduced) for one in statements} == {(Status.AFFECTED, None, None)}


def test_a_notice_names_its_cve_in_upstream_alone() -> None:
    """USN-8226-1, whose own CVE lists are empty: kmod's update against Copy Fail."""
    record, statements = ubuntu_osv.parse(sample("ubuntu-osv/USN-8226-1.json"))
    assert (record.kind, record.title, record.cves) == (Kind.NOTICE, "kmod update", ("CVE-2026-31431",))
    assert record.upstream == ("UBUNTU-CVE-2026-31431",)
    assert {(one.about, one.package, one.place.release, one.fixed) for one in statements} == {
        ("USN-8226-1", "kmod", "jammy", "29-1ubuntu1.1"),
        ("USN-8226-1", "kmod", "noble", "31+20240202-2ubuntu7.2"),
        ("USN-8226-1", "kmod", "questing", "34.2-2ubuntu1.1"),
    }


def test_a_notice_names_its_cves_release_by_release() -> None:
    assert ubuntu_osv.parse(sample("ubuntu-osv/USN-5614-1.json")).record.cves == ("CVE-2021-3782",)


def test_a_live_patch_is_in_a_pocket_of_its_own() -> None:
    record, statements = ubuntu_osv.parse(sample("ubuntu-osv/LSN-0108-1.json"))
    assert record.kind is Kind.NOTICE
    assert record.cves == ("CVE-2024-26800", "CVE-2024-26921")
    assert {one.place for one in statements} == {
        Place("ubuntu", "bionic", "livepatch"),
        Place("ubuntu", "focal", "livepatch"),
    }


def test_a_withdrawn_record_is_kept_and_states_nothing() -> None:
    record, statements = ubuntu_osv.parse(sample("ubuntu-osv/UBUNTU-CVE-2013-2208.json"))
    assert record.withdrawn == at("2025-07-18 16:42:51")
    assert statements == ()


def test_esm_is_told_by_the_purl_and_else_by_the_ecosystem() -> None:
    assert by_subject(ubuntu_osv.parse(sample("ubuntu-osv/UBUNTU-CVE-2014-9913.json")).statements).keys() == {
        ("unzip", Place("ubuntu", "trusty", "esm")),
        ("unzip", Place("ubuntu", "xenial")),
    }

    def without_purl(document: Any) -> None:
        for entry in document["affected"]:
            del entry["package"]["purl"]
        document["affected"][1]["package"]["ecosystem"] = "Ubuntu:Pro:FIPS-updates:22.04:LTS"

    statements = ubuntu_osv.parse(changed("UBUNTU-CVE-2014-9913.json", without_purl)).statements
    assert [one.place for one in statements] == [
        Place("ubuntu", "trusty", "pro"),
        Place("ubuntu", "jammy", "fips-updates"),
    ]


def test_a_release_that_is_newer_than_we_are_keeps_its_number() -> None:
    def newer(document: Any) -> None:
        document["affected"][0]["package"] = {"ecosystem": "Ubuntu:30.04:LTS", "name": "unzip"}

    statements = ubuntu_osv.parse(changed("UBUNTU-CVE-2014-9913.json", newer)).statements
    assert statements[0].place == Place("ubuntu", "30.04")


def event(**values: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["affected"][0]["ranges"][0]["events"][-1] = values

    return change


def twice(document: Any) -> None:
    document["affected"].append(json.loads(json.dumps(document["affected"][0])))
    document["affected"][-1]["ranges"][0]["events"][-1]["fixed"] = "99"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (event(fixed="see the notes"), "upstream part of version 'see the notes'"),
        (event(fixed="unfixed"), "a version that begins with no digit: 'unfixed'"),
        (event(fixed="0"), "version '0', which no package has"),
        (event(fixed="0:0-00"), "version '0:0-00', which no package has"),
        (event(fixed=""), "upstream part of version ''"),
        (event(last_affected="3.8.2-0ubuntu1.5"), "last_affected"),
        (event(introduced="1"), "not one beginning with at most one end"),
        (twice, "two statements about 'rabbitmq-server' in ubuntu focal"),
        (lambda document: document["affected"][0]["ranges"].clear(), "0 ranges of versions instead of one"),
        (lambda document: document.update(modified="yesterday"), "modified: no time: 'yesterday'"),
        (lambda document: document.update(modified="0001-01-01T00:00:00Z"), "modified: no time"),
        (lambda document: document.update(id="GHSA-2"), "an id this feed does not have: 'GHSA-2'"),
        (lambda document: document["related"].append("\x00"), "related: no id"),
        (lambda document: document["affected"][0]["package"].update(name="a b"), r"no package name: 'a b'"),
        (lambda document: document["affected"][0]["package"].update(purl="pkg:deb/x?distro=a/b/c"), "no release"),
        (lambda document: document.pop("modified"), "missing required field `modified`"),
    ],
)
def test_a_bad_value_is_said_with_its_place(change: Callable[[Any], object], complaint: str) -> None:
    with pytest.raises(FormatError, match=complaint):
        ubuntu_osv.parse(changed("UBUNTU-CVE-2024-51988.json", change))


def test_a_package_that_is_there_twice_with_the_same_words_is_there_once() -> None:
    data = changed(FIXED_IN, lambda document: document["affected"].append(document["affected"][0]))
    assert ubuntu_osv.parse(data).statements == ubuntu_osv.parse(sample(f"ubuntu-osv/{FIXED_IN}")).statements
