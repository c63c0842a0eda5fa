"""Others' clients ask as they ask the vendors, and are told how old what they hear is."""

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.advisories.samples import DATA, NOON, sample
from tests.advisories.test_documents import publish
from tests.web.bulletin import Bulletin, held
from tidegate.advisories.from_files import take_in_path
from tidegate.answers.age import DAY_S

MONTH_S = 30 * DAY_S


@pytest.fixture(scope="module")
def all_held() -> Iterator[Bulletin]:
    with Bulletin(held()) as made:
        yield made


@pytest.fixture
def bulletin(all_held: Bulletin) -> Iterator[Bulletin]:
    clock = all_held.clock
    yield all_held
    all_held.clock = clock


@pytest.fixture(scope="module")
def composed() -> Iterator[Bulletin]:
    """What the security API itself said is not held."""
    with Bulletin(held("ubuntu-osv", "ubuntu-tracker", "ubuntu-vex")) as made:
        yield made


def shape(value: object) -> object:
    """What it is made of: names and types, a list's by its first entry."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def assert_has_shape(found: Any, wanted: Any, where: str = "") -> None:
    """Every name that the vendor's answer has is there; of lists and objects, that they are such."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), where
        for name, one in wanted.items():
            assert name in found, f"{where}.{name}"
            if one is not None and found[name] is not None:
                assert_has_shape(found[name], one, f"{where}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(found, list), where
        for one in found[:1]:
            assert_has_shape(one, wanted[0], where + "[]") if wanted else None
    else:
        assert type(found) is type(wanted) or {type(found), type(wanted)} <= {int, float}, where


def without_age(body: dict[str, Any]) -> dict[str, Any]:
    assert body["tidegate"]["as_of"] == "2026-05-01T12:01:40Z"
    return {name: value for name, value in body.items() if name != "tidegate"}


def test_what_the_api_itself_said_is_given_as_it_said_it(bulletin: Bulletin) -> None:
    (cve,) = json.loads(sample("ubuntu-security-api.json"))["cves"]
    assert without_age(bulletin.get(f"/security/cves/{cve['id']}.json").json) == cve
    first, second = json.loads(sample("ubuntu-notices.json"))["notices"]
    assert without_age(bulletin.get(f"/security/notices/{first['id'].lower()}.json").json) == first
    page = bulletin.get("/security/notices.json?limit=20&details=integer+overflow").json
    assert page["notices"] == [second, first]
    assert (page["offset"], page["limit"], page["total_results"]) == (0, 20, 2)


def test_what_is_put_together_has_every_field_of_the_api(composed: Bulletin) -> None:
    (wanted,) = json.loads(sample("ubuntu-security-api.json"))["cves"]
    for cve in ("CVE-2020-0009", "CVE-2026-35352"):
        found = composed.get(f"/security/cves/{cve}.json").json
        assert_has_shape(found, {**wanted, "notes": [], "patches": {}})
        for note in found["notes"]:
            assert note.keys() == {"author", "note"}
    (wanted, _) = json.loads(sample("ubuntu-notices.json"))["notices"]
    found = composed.get("/security/notices/USN-5614-1.json").json
    assert_has_shape(found, {**wanted, "release_packages": {"jammy": []}, "references": []})


def test_a_notice_put_together_says_what_pro_fix_needs(composed: Bulletin) -> None:
    found = composed.get("/security/notices/USN-5614-1.json").json
    assert (found["title"], found["type"], found["cves_ids"]) == ("wayland vulnerability", "USN", ["CVE-2021-3782"])
    assert found["cves"] == [{"id": "CVE-2021-3782", "notices_ids": ["USN-5614-1"]}]
    for packages in found["release_packages"].values():
        sources = [one["name"] for one in packages if one["is_source"]]
        assert sources == ["wayland"]
        for one in packages:
            assert one["version"]
            assert one["pocket"] == "security"
            assert one["is_source"] or one["source_link"].rpartition("/")[2] == "wayland"
    assert [one["codename"] for one in found["releases"]] == sorted(
        found["release_packages"], key=["jammy", "focal", "bionic"].index
    )


def test_a_cve_put_together_has_one_status_for_each_release(composed: Bulletin) -> None:
    found = composed.get("/security/cves/cve-2026-35352.json").json
    (package,) = found["packages"]
    assert package["name"] == "rust-coreutils"
    assert {one["release_codename"]: (one["status"], one["pocket"]) for one in package["statuses"]} == {
        "noble": ("needed", "security"),
        "questing": ("needed", "security"),
        "resolute": ("needed", "security"),
    }
    assert (found["priority"], found["cvss3"], found["impact"]["baseMetricV3"]["cvssV3"]["baseScore"]) == (
        "medium", 7.0, 7.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "cves"),
    [
        ("q=python-django", ["CVE-2025-27556"]),
        ("package=coreutils&version=resolute&status=needed", ["CVE-2026-35352"]),
        ("package=coreutils&version=resolute&status=released", []),
        ("package=coreutils&version=hoary", []),
        ("q=%27%3B--", []),
        ("cve_status=rejected", []),
        ("status=DNE", []),
        ("limit=1&offset=0&order=oldest", ["CVE-2013-2208"]),
        ("limit=1&q=CVE-2026", ["CVE-2026-35352"]),
        ("priority=critical", []),
        ("unknown=parameter&limit=1&q=cve-2013", ["CVE-2013-2208"]),
    ],
)
def test_lists_of_cves_are_narrowed_as_the_api_does(bulletin: Bulletin, query: str, cves: list[str]) -> None:
    answer = bulletin.get(f"/security/cves.json?{query}")
    assert answer.status == 200
    assert [one["id"] for one in answer.json["cves"]] == cves
    assert answer.json["total_results"] >= len(cves)


def test_pages_of_cves_go_on_where_the_last_ended(bulletin: Bulletin) -> None:
    every = [one["id"] for one in bulletin.get("/security/cves.json?limit=20").json["cves"]]
    paged: list[str] = []
    while len(paged) < len(every):
        page = bulletin.get(f"/security/cves.json?limit=3&offset={len(paged)}").json
        assert page["total_results"] == len(every)
        paged += [one["id"] for one in page["cves"]]
    assert paged == every
    assert bulletin.get("/security/cves.json?offset=1000").json["cves"] == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=21", "limit"), ("limit=0", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"),
        ("offset=" + "9" * 50, "offset"), ("priority=urgent", "priority"), ("status=fixed", "status"),
        ("sort_by=name", "sort_by"), ("component=main", "component"), ("show_hidden=maybe", "show_hidden"),
        ("q=" + "x" * 3000, "q"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused_in_the_apis_words(bulletin: Bulletin, query: str, name: str) -> None:
    answer = bulletin.get(f"/security/cves.json?{query}")
    assert answer.status == 422
    assert answer.json["message"] == "Invalid payload"
    assert f"'query': {{'{name}'" in answer.json["errors"]


def test_what_there_is_not_is_said_in_the_apis_words(bulletin: Bulletin) -> None:
    answer = bulletin.get("/security/cves/CVE-2000-0001.json")
    assert (answer.status, answer.json["message"]) == (404, "CVE with id 'CVE-2000-0001' does not exist")
    answer = bulletin.get("/security/notices/USN-0-1.json")
    assert (answer.status, answer.json["message"]) == (404, "Notice with id 'USN-0-1' does not exist")
    assert bulletin.get("/security/notices/CVE-2026-35352.json").status == 404
    assert bulletin.get("/security/cves/USN-5614-1.json").status == 404


def test_notices_are_found_by_cve_and_release(bulletin: Bulletin) -> None:
    for query in ("cves=CVE-2021-3782", "cve_id=cve-2021-3782", "cves=CVE-1-1,CVE-2021-3782&release=focal"):
        answer = bulletin.get(f"/security/notices.json?{query}").json
        assert [one["id"] for one in answer["notices"]] == ["USN-5614-1"]
    assert bulletin.get("/security/notices.json?cves=CVE-2021-3782&release=noble").json["notices"] == []


def test_every_answer_says_how_old_it_is(bulletin: Bulletin) -> None:
    for path in ("/security/cves.json", "/security/notices/USN-5614-1.json", "/osv/v1/vulns/USN-5614-1"):
        answer = bulletin.get(path)
        assert answer.headers["x-tidegate-as-of"] == "2026-05-01T12:01:40Z"
        assert answer.headers["x-tidegate-age"] == "100"
        assert "warning" not in answer.headers
    told = bulletin.get("/security/cves.json").json["tidegate"]
    assert (told["age_s"], told["unknown_since"], told["warning"]) == (100, None, None)
    assert {one["name"] for one in told["feeds"]} >= {"ubuntu-osv", "ubuntu-tracker", "ubuntu-security-api"}


def test_what_is_too_old_says_so_in_header_body_and_what_people_read(bulletin: Bulletin) -> None:
    bulletin.clock = NOON + 9 * DAY_S
    answer = bulletin.get("/security/cves/CVE-2026-35352.json")
    assert answer.status == 200
    assert answer.headers["warning"].startswith('110 tidegate "UNKNOWN since 2026-05-01T12:00:00Z: this is 9 days old')
    assert answer.json["tidegate"]["warning"] in answer.json["description"]
    title = bulletin.get("/security/notices/USN-5614-1.json").json["title"]
    assert title.startswith("[UNKNOWN since")
    assert title.endswith("wayland vulnerability")


@pytest.mark.parametrize(
    "path",
    [
        "/security/cves.json?package=nothing",
        "/security/cves/CVE-2000-0001.json",
        "/security/cves/CVE-2026-35352.json",
        "/security/notices.json",
        "/security/notices/USN-5614-1.json",
        "/debsecan/release/1/bookworm",
        "/osv/v1/vulns/CVE-2000-0001",
    ],
)
def test_a_feed_of_21_months_ago_is_unknown_in_every_answer_and_none_says_clean(bulletin: Bulletin, path: str) -> None:
    bulletin.clock = NOON + 21 * MONTH_S
    answer = bulletin.get(path)
    assert answer.status == 503
    assert b"UNKNOWN since 2026-05-01T12:00:00Z: this is 21 months old" in answer.body
    assert "UNKNOWN" in answer.headers["warning"]


def test_where_nothing_was_ever_taken_in_nothing_is_clean() -> None:
    with Bulletin(held("kev")) as bulletin:
        for path in ("/security/cves.json", "/debsecan/release/1/bookworm", "/osv/v1/vulns/CVE-2026-0001"):
            answer = bulletin.get(path)
            assert answer.status == 503
            assert b"UNKNOWN: no feed" in answer.body
            assert answer.headers["x-tidegate-age"] == "unknown"


def test_a_cve_without_the_notices_on_it_is_not_known_to_be_fixed_on_any_host() -> None:
    with Bulletin(held("ubuntu-tracker")) as bulletin:
        assert bulletin.get("/security/cves/CVE-2020-0009.json").status == 503
    history = held("ubuntu-osv", at=NOON - 9 * DAY_S)
    take_in_path(history, "ubuntu-tracker", DATA / "ubuntu-tracker", origin="x", fetched_at=NOON)
    with Bulletin(history) as bulletin:
        assert "UNKNOWN" in bulletin.get("/security/cves/CVE-2020-0009.json").headers["warning"]


def test_a_moment_of_the_past_can_be_asked_for(bulletin: Bulletin) -> None:
    bulletin.clock = NOON + 21 * MONTH_S
    for moment in (str(NOON + 60), "2026-05-01T12:01:00Z", "2026-05-01T14:01:00%2B02:00"):
        answer = bulletin.get(f"/security/cves/CVE-2026-35352.json?as_of={moment}")
        assert (answer.status, answer.headers["x-tidegate-as-of"]) == (200, "2026-05-01T12:01:00Z")
    assert bulletin.get(f"/security/cves/CVE-2026-35352.json?as_of={NOON - 1}").status == 503
    for moment in ("yesterday", "-5", "9999999999999", "2099-01-01", "x" * 99):
        answer = bulletin.get(f"/security/cves.json?as_of={moment}")
        assert answer.status == 422
        assert answer.body.startswith(b"as_of: ")


def test_a_record_is_given_byte_for_byte_by_its_id_or_its_cve(bulletin: Bulletin) -> None:
    record = (DATA / "ubuntu-osv" / "UBUNTU-CVE-2026-35352.json").read_bytes()
    assert bulletin.get("/osv/v1/vulns/UBUNTU-CVE-2026-35352").body == record
    assert bulletin.get("/osv/v1/vulns/CVE-2026-35352").body == record
    assert bulletin.get("/osv/v1/vulns/DSA-135").body == (DATA / "debian-osv" / "DSA-135.json").read_bytes()
    answer = bulletin.get("/osv/v1/vulns/CVE-2000-0001")
    assert (answer.status, answer.json["code"], answer.json["message"]) == (404, 5, "Bug not found.")


def test_debsecan_gets_lines_of_the_suite(bulletin: Bulletin) -> None:
    text = zlib.decompress(bulletin.get("/debsecan/release/1/bullseye").body).decode()
    version, *lines = text.split("\n")
    assert version == "VERSION 1"
    assert any(re.fullmatch(r"CVE-[0-9-]+,,.*", line) for line in lines)
    assert bulletin.get("/debsecan/release/1/GENERIC").status == 404


def test_a_file_goes_out_as_it_is_whole_in_part_or_not_again(bulletin: Bulletin) -> None:
    name = "com.ubuntu.noble.pkg.json.xz"
    data = bytes(range(256)) * 2000
    bulletin.files = {name: data, "osv-all.tar.xz": b"tar"}
    whole = bulletin.get(f"/oval/{name}")
    assert (whole.status, whole.body, whole.headers["content-length"]) == (200, data, str(len(data)))
    etag = whole.headers["etag"]
    assert bulletin.get(f"/oval/{name}", {"If-None-Match": etag}).status == 304
    assert bulletin.get(f"/oval/{name}", {"If-None-Match": '"x", W/' + etag}).status == 304
    assert bulletin.get(f"/oval/{name}", {"If-Modified-Since": whole.headers["last-modified"]}).status == 304
    part = bulletin.get(f"/oval/{name}", {"Range": "bytes=10-19"})
    assert (part.status, part.body, part.headers["content-range"]) == (206, data[10:20], f"bytes 10-19/{len(data)}")
    assert bulletin.get(f"/oval/{name}", {"Range": "bytes=-5"}).body == data[-5:]
    assert bulletin.get(f"/oval/{name}", {"Range": "bytes=511990-"}).body == data[511_990:]
    assert bulletin.get(f"/oval/{name}", {"Range": f"bytes={len(data)}-"}).status == 416
    assert bulletin.get(f"/oval/{name}", {"Range": "bytes=-0"}).status == 416
    assert bulletin.get(f"/oval/{name}", {"Range": "bytes=10-19", "If-Range": '"other"'}).body == data
    assert bulletin.get(f"/oval/{name}", {"Range": "bytes=1-2,4-5"}).body == data
    head = bulletin.get(f"/oval/{name}", method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(data)))
    assert bulletin.get(f"/oval/{name}.sha256").body.decode() == f"{etag[1:-1]}  {name}\n"
    assert bulletin.get("/osv/osv-all.tar.xz").body == b"tar"
    assert bulletin.get("/oval/com.ubuntu.hoary.pkg.json.xz").status == 404
    bulletin.clock = NOON + 9 * DAY_S
    assert "warning" in bulletin.get(f"/oval/{name}").headers


def test_files_are_those_that_are_kept_of_the_feeds_by_their_publishers_names(tmp_path: Path) -> None:
    with Bulletin(held("kev")) as bulletin:
        bulletin.feeds = tmp_path
        assert bulletin.get("/osv/osv-all.tar.xz").status == 404
        publish(tmp_path, b"one", now=NOON)
        first = bulletin.get("/osv/osv-all.tar.xz")
        assert (first.status, first.body, first.headers["x-tidegate-age"]) == (200, b"one", "100")
        publish(tmp_path, b"second", now=NOON + 50)
        again = bulletin.get("/osv/osv-all.tar.xz", {"If-None-Match": first.headers["etag"]})
        assert (again.status, again.body, again.headers["x-tidegate-age"]) == (200, b"second", "50")
        assert bulletin.get("/osv/osv-all.tar.xz.sha256").body.endswith(b"  osv-all.tar.xz\n")
        for name in ("current.json", "..", "%2e%2e", "lock"):
            assert bulletin.get(f"/osv/{name}").status == 404
