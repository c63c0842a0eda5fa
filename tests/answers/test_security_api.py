"""What is put together in the shape of Ubuntu's security API: sound, whatever the feeds' records are like."""

from hashlib import sha256

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.advisories.samples import NOON, provenance
from tidegate.advisories.listing import Listing
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.statement import Kind, Parsed, Place, Record, Severity, Statement, Status
from tidegate.answers import security_api
from tidegate.answers.age import age_of
from tidegate.answers.security_api import CVE_FEEDS, SecurityApi
from tidegate.answers.security_api_query import Asked, Wrong, cves_asked, notices_asked
from tidegate.answers.ubuntu_cve import packages_of
from tidegate.answers.ubuntu_notice import releases_of
from tidegate.fleet.freshness import DEFAULT_LIMITS

CVE, NOTICE = "CVE-2026-0001", "USN-1-1"
TEXT = st.text(max_size=30)
TIMES = st.none() | st.integers(-(2**40), 2**60)


SEVERITIES = st.builds(Severity, st.sampled_from(["Ubuntu", "CVSS_V3", "CVSS_V4", "x"]), TEXT)


def records(identity: str, kind: Kind) -> st.SearchStrategy[Record]:
    return st.builds(
        Record,
        id=st.just(identity),
        kind=st.just(kind),
        about=st.just(identity),
        title=TEXT,
        description=TEXT,
        published=TIMES,
        modified=TIMES,
        withdrawn=TIMES,
        cves=st.just((CVE,)),
        upstream=st.lists(TEXT, max_size=2).map(tuple),
        severities=st.lists(st.builds(Severity, st.sampled_from(["Ubuntu", "CVSS_V3", "CVSS_V4", "x"]), TEXT)).map(
            tuple
        ),
        references=st.lists(TEXT, max_size=2).map(tuple),
        facts=st.lists(st.tuples(st.sampled_from(["Notes", "Mitigation"]), TEXT), max_size=2).map(tuple),
    )


STATEMENTS = st.builds(
    Statement,
    about=st.just(CVE),
    package=st.sampled_from(["bash", "linux"]),
    place=st.builds(Place, st.just("ubuntu"), st.sampled_from(["noble", "jammy"]), st.sampled_from(["", "esm-infra"])),
    status=st.sampled_from(list(Status)),
    fixed=st.none() | st.just("1.0"),
    note=TEXT,
)


def told(*kept: tuple[str, Parsed, bytes]) -> SecurityApi:
    history = MemoryHistory()
    for feed, parsed, data in kept:
        with history.importing(provenance(feed), reader=1) as session:
            session.put(parsed, data, sha256(data + feed.encode()).digest())
            session.close((), read=[parsed.record.id], whole=True)
    states = [state for feed in CVE_FEEDS if (state := history.feed(feed)) is not None]
    return SecurityApi(history, age_of(states, NOON + 60, DEFAULT_LIMITS), DEFAULT_LIMITS)


@given(records(CVE, Kind.CVE), records(NOTICE, Kind.NOTICE), st.lists(STATEMENTS, max_size=6), st.binary(max_size=50))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_records_say_the_answer_is_json_with_the_apis_fields(
    cve: Record, notice: Record, said: list[Statement], data: bytes
) -> None:
    statements = tuple({one.subject: one for one in said}.values())
    api = told(("ubuntu-tracker", Parsed(cve, statements), data), ("ubuntu-osv", Parsed(notice, ()), data))
    found = msgspec.json.decode(msgspec.json.encode(api.cve(CVE)))
    assert found["notices_ids"] == [NOTICE]
    assert {one["id"] for one in found["notices"]} == {NOTICE}
    releases = [(one["name"], status["release_codename"]) for one in found["packages"] for status in one["statuses"]]
    assert len(releases) == len(set(releases))
    whole = msgspec.json.decode(msgspec.json.encode(api.notice(NOTICE)))
    assert (whole["id"], whole["type"]) == (NOTICE, "USN")
    assert api.cves(Listing(Kind.CVE))["total_results"] == 1


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b'{"id": ', b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_bytes_that_are_no_entry_of_the_api_are_put_together_instead(data: bytes) -> None:
    parsed = Parsed(Record(CVE, Kind.CVE, CVE, description="what it is", cves=(CVE,)), ())
    found = told((security_api.CVES, parsed, data)).cve(CVE)
    assert found is not None
    assert (found["id"], found["description"], found["packages"]) == (CVE, "what it is", [])


@given(st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=40), max_size=3), max_size=6))
def test_whatever_is_asked_is_read_or_refused(query: dict[str, list[str]]) -> None:
    for read in (cves_asked, notices_asked):
        found = read(query)
        assert isinstance(found, Asked | Wrong)
        if isinstance(found, Asked):
            assert 1 <= found.listing.limit <= 20
        else:
            assert msgspec.json.encode(found.body())


def test_what_a_list_carries_of_its_notices_packages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = msgspec.json.encode({
        "affected": [{
            "package": {"ecosystem": "Ubuntu:24.04:LTS", "name": "linux"},
            "ranges": [{"events": [{"fixed": "2"}]}],
            "ecosystem_specific": {"binaries": [{"linux-a": "2", "linux-b": "2"}, {"binary_name": "linux-c"}]},
        }]
    })  # fmt: skip
    cve = Parsed(Record(CVE, Kind.CVE, CVE, cves=(CVE,)), ())
    notice = Parsed(Record(NOTICE, Kind.NOTICE, NOTICE, cves=(CVE,)), ())
    api = told(("ubuntu-tracker", cve, b""), ("ubuntu-osv", notice, data))
    (found,) = api.cve(CVE)["notices"]  # type: ignore[index, misc]  # JSON
    assert [one["name"] for one in found["release_packages"]["noble"]] == ["linux", "linux-a", "linux-b", "linux-c"]
    monkeypatch.setattr(security_api, "PACKAGES_OF_LIST_MAX", 3)
    ((listed,),) = (one["notices"] for one in api.cves(Listing(Kind.CVE))["cves"])  # type: ignore[attr-defined]  # JSON
    assert listed["release_packages"] == {}


def test_a_fix_that_is_only_in_a_pocket_of_its_own_is_the_releases_status() -> None:
    history = MemoryHistory()
    said = [
        Statement(CVE, "bash", Place("ubuntu", "jammy"), Status.NEEDED),
        Statement(CVE, "bash", Place("ubuntu", "jammy", "esm-infra"), Status.RELEASED, "1.0+esm1"),
        Statement(CVE, "dash", Place("ubuntu", "jammy"), Status.RELEASED, "2.0"),
        Statement(CVE, "dash", Place("ubuntu", "jammy", "esm-infra"), Status.RELEASED, "2.0+esm1"),
    ]
    with history.importing(provenance("ubuntu-tracker"), reader=1) as session:
        session.put(Parsed(Record(CVE, Kind.CVE, CVE, cves=(CVE,)), tuple(said)), b"", b"x" * 32)
        session.close((), read=[CVE], whole=True)
    bash, dash = ([(one["description"], one["pocket"]) for one in found["statuses"]]  # type: ignore[attr-defined]  # JSON
                  for found in packages_of(history.said(CVE)))  # fmt: skip
    assert (bash, dash) == ([("1.0+esm1", "esm-infra")], [("2.0", "security")])


def test_releases_come_newest_first_with_how_they_are_supported() -> None:
    found = releases_of(["trusty", "noble", "questing", "focal", "jammy"], NOON)
    assert [(one["codename"], one["version"], one["support_tag"]) for one in found] == [
        ("questing", "25.10", ""),
        ("noble", "24.04", "LTS"),
        ("jammy", "22.04", "LTS"),
        ("focal", "20.04", "ESM"),
        ("trusty", "14.04", ""),
    ]
