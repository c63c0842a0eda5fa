"""Which source is asked, in which order, and who is passed over and why."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.sources.archive import Reach, Source, source_of
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import COOL_DOWN_S, VIOLATION_S, Health
from tidegate.sources.naming import index_paths
from tidegate.sources.selection import is_lasting, plan

NOW = 1000.0
A, B, C = (
    source_of(f"http://{name}.example", reach=Reach.PUBLIC, operator=name, kind="mirror") for name in ("a", "b", "c")
)
DEB = "pool/main/h/hello/hello_1_amd64.deb"


def failed(health: Health, source: Source, failure: Failure, status: int | None = None, at: float = NOW) -> None:
    health.failed(source.url, FetchError(failure, "in a test", status), at=1, monotonic=at)


def order(health: Health, at: float = NOW) -> list[Source]:
    return [candidate.source for candidate in plan((A, B, C), (DEB,), health, at).candidates]


def test_sources_are_asked_in_their_configured_order() -> None:
    assert order(Health()) == [A, B, C]


def test_each_source_is_asked_for_the_surest_name_first() -> None:
    planned = plan((A, B), ("x/by-hash/SHA256/0", "x/Packages"), Health(), NOW)
    assert [(c.source, c.path, c.lasting) for c in planned.candidates] == [
        (A, "x/by-hash/SHA256/0", True),
        (A, "x/Packages", False),
        (B, "x/by-hash/SHA256/0", True),
        (B, "x/Packages", False),
    ]


def test_a_source_that_failed_a_moment_ago_comes_last_until_it_has_cooled_down() -> None:
    health = Health()
    failed(health, A, Failure.UNREACHABLE)
    assert order(health) == [B, C, A]
    assert order(health, NOW + COOL_DOWN_S) == [A, B, C]


def test_a_source_that_succeeded_since_is_in_its_place_again() -> None:
    health = Health()
    failed(health, A, Failure.SILENT)
    health.succeeded(A.url, 5, at=2)
    assert order(health) == [A, B, C]


def test_a_source_that_lacks_something_is_not_blamed() -> None:
    health = Health()
    failed(health, A, Failure.STATUS, 404)
    failed(health, B, Failure.OTHER_VERSION)
    assert order(health) == [A, B, C]
    assert health.of(A.url).failed == 1


def test_a_source_that_gave_wrong_bytes_is_not_asked_for_long_and_the_plan_says_why() -> None:
    health = Health()
    failed(health, A, Failure.WRONG_BYTES)
    health.succeeded(A.url, 5, at=2)  # one right answer does not make up for a lie
    planned = plan((A, B), (DEB,), health, NOW + 1)
    assert [candidate.source for candidate in planned.candidates] == [B]
    assert [one.source for one in planned.excluded] == [A.url]
    assert "wrong bytes" in planned.excluded[0].reason
    assert order(health, NOW + VIOLATION_S) == [A, B, C]


def test_where_all_gave_wrong_bytes_all_are_asked() -> None:
    health = Health()
    for source in (A, B, C):
        failed(health, source, Failure.WRONG_BYTES)
    planned = plan((A, B, C), (DEB,), health, NOW)
    assert [candidate.source for candidate in planned.candidates] == [A, B, C]
    assert planned.excluded == ()


def test_without_sources_there_is_nobody_to_ask() -> None:
    assert plan((), (DEB,), Health(), NOW).candidates == ()


@given(
    st.lists(
        st.tuples(st.sampled_from((A, B, C)), st.sampled_from(Failure), st.floats(NOW - 2 * VIOLATION_S, NOW)),
        max_size=8,
    )
)
def test_every_source_is_either_asked_or_excluded_with_a_reason(history: list[tuple[Source, Failure, float]]) -> None:
    health = Health()
    for source, failure, at in sorted(history, key=lambda one: one[2]):
        failed(health, source, failure, 503 if failure is Failure.STATUS else None, at)
    planned = plan((A, B, C), (DEB,), health, NOW)
    asked = [candidate.source.url for candidate in planned.candidates]
    barred = [one.source for one in planned.excluded]
    assert sorted(asked + barred) == [A.url, B.url, C.url]
    assert asked
    assert all(one.reason for one in planned.excluded)


def test_pool_files_and_by_hash_names_last_and_other_names_do_not() -> None:
    for path in (DEB, "dists/s/main/by-hash/SHA256/00", "a_1.dsc", "a_1.orig.tar.xz", "x/Packages.diff/2026-11-22.gz"):
        assert is_lasting(path)
    for path in (
        "dists/s/InRelease",
        "dists/s/Release",
        "dists/s/Release.gpg",
        "dists/s/main/binary-amd64/Packages.xz",
        "dists/s/main/source/Sources.gz",
        "dists/s/main/i18n/Translation-de.bz2",
        "dists/s/main/Contents-amd64.gz",
        "dists/s/main/binary-amd64/Packages.diff/Index",
        "dists/s/main/installer-amd64/current/images/SHA256SUMS",
        "Packages",
    ):
        assert not is_lasting(path)


def test_an_index_is_asked_for_by_its_digest_and_then_by_its_plain_name() -> None:
    digest = bytes(range(32))
    lasting = f"dists/s/main/by-hash/SHA256/{digest.hex()}"
    assert index_paths("dists/s/main/Packages", digest) == (lasting, "dists/s/main/Packages")
    assert index_paths("dists/s/main/Packages", digest, by_hash=False) == ("dists/s/main/Packages",)
    assert index_paths("Packages", digest)[0] == f"by-hash/SHA256/{digest.hex()}"


def test_health_counts_what_came_and_keeps_the_last_failure() -> None:
    health = Health()
    health.succeeded(A.url, 100, at=5)
    failed(health, A, Failure.CUT)
    record = health.of(A.url)
    assert (record.fetched, record.fetched_bytes, record.failed) == (1, 100, 1)
    assert (record.last_success_at, record.last_failure_at) == (5, 1)
    assert record.last_failure == "cut: in a test"
