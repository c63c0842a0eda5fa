"""What can be given for a place, from what the catalogue knows: pure, over the catalogue in memory."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.places import archive
from tidegate.gateway.answer import date_of
from tidegate.gateway.refusal import Asked
from tidegate.gateway.resolve import Absent, Found, Needs, Resolution, Resolver, Step, Unlisted
from tidegate.gateway.target import Place
from tidegate.store.catalogue import Adoption, Listed, Snapshot
from tidegate.store.memory_catalogue import MemoryCatalogue

NOW = 1_800_000_000
BASE = "dists/stable/"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def listed(path: str, content: str = "") -> Listed:
    return Listed(path, digest(content or path), 100)


def adopt(catalogue: MemoryCatalogue, suite: str, members: list[Listed], *, date: int = NOW, at: int = NOW) -> Snapshot:
    snapshot = Snapshot("debian", suite, date, None, digest(f"{suite}{date}"), "http://mirror.example", at, at)
    return catalogue.adopt(Adoption(snapshot, members, {hashlib.sha512(b"x").digest(): members[0].digest}))


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    made = MemoryCatalogue()
    packages = listed(f"{BASE}main/binary-amd64/Packages.xz")
    patches = listed(f"{BASE}main/binary-amd64/Packages.diff/Index")
    made.add_listing(packages.digest, [listed("pool/main/h/hello/hello_1.0_amd64.deb")])
    adopt(made, "stable", [packages, patches, listed(f"{BASE}InRelease"), listed(f"{BASE}main/i18n/Translation-en.xz")])
    return made


def resolver(catalogue: MemoryCatalogue, *suites: str, fresh_since: int = 0) -> Resolver:
    return Resolver((archive("debian", suites=suites or ("stable",)),), catalogue, fresh_since=fresh_since)


def resolve(catalogue: MemoryCatalogue, path: str, *tried: Needs) -> Resolution:
    return resolver(catalogue).resolve(Place("debian", path), tried)


def test_release_is_given_from_the_served_snapshot_under_its_own_date(catalogue: MemoryCatalogue) -> None:
    found = resolve(catalogue, f"{BASE}InRelease")
    assert isinstance(found, Found)
    assert (found.asked, found.date, found.lasting) == (Asked.RELEASE, NOW, False)
    assert found.listed.digest == digest(f"{BASE}InRelease")


def test_detached_release_is_fetched_when_it_is_first_asked_for(catalogue: MemoryCatalogue) -> None:
    needs = Needs(Step.COMPLETE, Asked.RELEASE, "stable")
    assert resolve(catalogue, f"{BASE}Release.gpg") == needs
    assert resolve(catalogue, f"{BASE}Release") == needs
    found = resolve(catalogue, f"{BASE}Release.gpg", needs)
    assert isinstance(found, Absent)


def test_missing_inrelease_sends_apt_on_to_release_and_its_signature() -> None:
    catalogue = MemoryCatalogue()
    adopt(catalogue, "stable", [listed(f"{BASE}Release"), listed(f"{BASE}Release.gpg")])
    found = resolve(catalogue, f"{BASE}InRelease")
    assert isinstance(found, Absent)
    assert isinstance(resolve(catalogue, f"{BASE}Release.gpg"), Found)


@pytest.mark.parametrize("path", ["InRelease", "Release", "Release.gpg", "main/binary-amd64/Packages.xz"])
def test_unknown_suite_has_to_be_adopted_first_and_only_once(path: str) -> None:
    found = resolve(MemoryCatalogue(), BASE + path)
    assert isinstance(found, Needs)
    assert (found.step, found.suite) == (Step.ADOPT, "stable")
    again = resolve(MemoryCatalogue(), BASE + path, found)
    assert isinstance(again, Absent)


def test_index_that_the_release_does_not_list_is_proven_absent(catalogue: MemoryCatalogue) -> None:
    found = resolve(catalogue, f"{BASE}main/binary-arm64/Packages.xz")
    assert isinstance(found, Absent)
    assert found.asked is Asked.INDEX


def test_file_of_a_suite_that_is_no_index_may_pass_through(catalogue: MemoryCatalogue) -> None:
    assert isinstance(resolve(catalogue, f"{BASE}main/installer-amd64/current/images/SHA256SUMS"), Unlisted)
    assert isinstance(resolve(catalogue, "pool/main/h/hello/changelog"), Needs)
    assert isinstance(resolve(catalogue, "README"), Unlisted)


def test_index_is_looked_for_by_hash_first_and_may_mean_other_bytes_tomorrow(catalogue: MemoryCatalogue) -> None:
    found = resolve(catalogue, f"{BASE}main/binary-amd64/Packages.xz")
    assert isinstance(found, Found)
    assert not found.lasting
    by_hash, plain = found.names
    assert by_hash == f"{BASE}main/binary-amd64/by-hash/SHA256/{found.listed.digest.hex()}"
    assert plain == f"{BASE}main/binary-amd64/Packages.xz"


def test_by_hash_name_gives_what_has_that_digest_and_no_other(catalogue: MemoryCatalogue) -> None:
    known = digest(f"{BASE}main/binary-amd64/Packages.xz")
    found = resolve(catalogue, f"{BASE}main/binary-amd64/by-hash/SHA256/{known.hex()}")
    assert isinstance(found, Found)
    assert found.listed.digest == known
    assert found.lasting
    assert found.date == date_of(known)
    unknown = resolve(catalogue, f"{BASE}main/binary-amd64/by-hash/SHA256/{digest('other').hex()}")
    assert isinstance(unknown, Absent)
    assert unknown.asked is Asked.BY_HASH


def test_by_hash_of_sha512_finds_the_same_bytes(catalogue: MemoryCatalogue) -> None:
    name = hashlib.sha512(b"x").hexdigest()
    found = resolve(catalogue, f"{BASE}main/binary-amd64/by-hash/SHA512/{name}")
    assert isinstance(found, Found)
    assert found.listed.digest == digest(f"{BASE}main/binary-amd64/Packages.xz")


def test_older_generation_stays_reachable_by_its_digest_alone(catalogue: MemoryCatalogue) -> None:
    older = digest(f"{BASE}main/binary-amd64/Packages.xz")
    adopt(catalogue, "stable", [listed(f"{BASE}main/binary-amd64/Packages.xz", "newer")], date=NOW + 60)
    plain = resolve(catalogue, f"{BASE}main/binary-amd64/Packages.xz")
    assert isinstance(plain, Found)
    assert plain.listed.digest == digest("newer")
    by_hash = resolve(catalogue, f"{BASE}main/binary-amd64/by-hash/SHA256/{older.hex()}")
    assert isinstance(by_hash, Found)
    assert by_hash.listed.digest == older


def test_listed_package_is_given_whatever_time_it_came(catalogue: MemoryCatalogue) -> None:
    path = "pool/main/h/hello/hello_1.0_amd64.deb"
    found = resolve(catalogue, path)
    assert isinstance(found, Found)
    assert (found.asked, found.lasting, found.date) == (Asked.ARTIFACT, True, date_of(digest(path)))


def test_package_that_no_index_lists_is_absent_after_all_that_may_list_it_was_taken_in() -> None:
    catalogue = MemoryCatalogue()
    adopt(catalogue, "stable", [listed(f"{BASE}InRelease")])
    asker, path, tried = resolver(catalogue, "stable", "other"), "pool/main/x/x_1_amd64.deb", list[Needs]()
    while isinstance(found := asker.resolve(Place("debian", path), tried), Needs):
        assert found not in tried
        tried.append(found)
    assert [(one.step, one.suite) for one in tried] == [(Step.WIDEN, ""), (Step.ADOPT, "other")]
    assert isinstance(found, Absent)
    assert found.asked is Asked.ARTIFACT


def test_patch_needs_its_index_taken_in_and_exists_only_if_that_lists_it(catalogue: MemoryCatalogue) -> None:
    path = f"{BASE}main/binary-amd64/Packages.diff/2026-11-22-0000.00.gz"
    needs = resolve(catalogue, path)
    assert needs == Needs(Step.LIST, Asked.INDEX, "stable", "main/binary-amd64/Packages.diff/Index")
    assert isinstance(resolve(catalogue, path, needs), Absent)
    catalogue.add_listing(digest(f"{BASE}main/binary-amd64/Packages.diff/Index"), [listed(path)])
    assert isinstance(resolve(catalogue, path), Found)


def test_release_not_confirmed_since_is_looked_for_anew_once(catalogue: MemoryCatalogue) -> None:
    fresh = resolver(catalogue, fresh_since=NOW + 1)
    place = Place("debian", f"{BASE}InRelease")
    needs = fresh.resolve(place, ())
    assert needs == Needs(Step.FRESHEN, Asked.RELEASE, "stable")
    assert isinstance(fresh.resolve(place, (needs,)), Found)
    catalogue.confirm("debian", "stable", NOW + 1, ["mirror.example"])
    assert isinstance(resolver(catalogue, fresh_since=NOW + 1).resolve(place, ()), Found)


def test_resolver_follows_the_catalogue(catalogue: MemoryCatalogue) -> None:
    asker = resolver(catalogue)
    place = Place("debian", "dists/testing/InRelease")
    assert isinstance(asker.resolve(place, ()), Needs)
    adopt(catalogue, "testing", [listed("dists/testing/InRelease")])
    assert isinstance(asker.resolve(place, ()), Found)


def test_flat_repository_is_served_from_its_own_directory() -> None:
    catalogue = MemoryCatalogue()
    packages = listed("Packages.gz")
    catalogue.add_listing(packages.digest, [listed("hello_1.0_amd64.deb")])
    adopt(catalogue, "./", [listed("InRelease"), packages])
    asker = resolver(catalogue, "./")
    for path, asked in (
        ("InRelease", Asked.RELEASE),
        ("Packages.gz", Asked.INDEX),
        ("hello_1.0_amd64.deb", Asked.ARTIFACT),
    ):
        found = asker.resolve(Place("debian", path), ())
        assert isinstance(found, Found)
        assert found.asked is asked


segments = st.sampled_from(
    [
        *("dists", "stable", "other", "main", "binary-amd64", "by-hash", "SHA256", "MD5Sum", "0" * 64, "f" * 63),
        *("InRelease", "Release", "Release.gpg", "Packages", "Packages.xz", "Packages.diff", "Index"),
        *("pool", "x_1_amd64.deb", "x.dsc"),
    ]
)


@given(st.lists(segments, max_size=7).map("/".join), st.booleans())
def test_any_path_comes_to_an_answer_after_a_few_steps(path: str, served: bool) -> None:
    catalogue = MemoryCatalogue()
    if served:
        adopt(catalogue, "stable", [listed(f"{BASE}InRelease")])
    asker, tried = resolver(catalogue, "stable", "other"), list[Needs]()
    while isinstance(found := asker.resolve(Place("debian", path), tried), Needs):
        assert found not in tried
        tried.append(found)
        assert len(tried) <= 4
    if isinstance(found, Found):
        assert found.listed.path == path == f"{BASE}InRelease"
