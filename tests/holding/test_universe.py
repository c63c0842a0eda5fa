"""What could be installed: read lazily, by name and by what is provided, as apt sees it."""

import tracemalloc

import pytest

from tests.archive.strategies import DATA
from tests.holding.stanzas import held, of_two_architectures, stanza, universe
from tidegate.archive.dependencies import parse_dependencies
from tidegate.archive.errors import FormatError
from tidegate.archive.packages import parse_packages
from tidegate.holding import universe as module
from tidegate.holding.hot_set import Place
from tidegate.holding.universe import HeldIndex, Universe

REAL = (DATA / "archive/bookworm.Packages").read_bytes()


def solvers(one: Universe, text: str, architecture: str = "amd64") -> list[str]:
    ((relation,),) = parse_dependencies(text)
    found = one.solvers(relation, architecture)
    return [f"{solver.name}:{solver.package.architecture}={solver.package.version}" for solver in found]


def test_every_real_package_is_found_as_the_strict_reader_reads_it() -> None:
    index = HeldIndex(Place("debian", "bookworm", "bookworm", "main", "amd64"), [REAL])
    one = Universe([index], "amd64")
    packages = list(parse_packages([REAL]))
    for package in packages:
        assert package in [found.package for found in one.versions(package.name)]
    assert list(parse_packages(one.stanzas(packages))) == packages


def test_chunks_that_end_anywhere_make_the_same_index() -> None:
    place = Place("debian", "bookworm", "bookworm", "main", "amd64")
    whole = HeldIndex(place, [REAL])
    cut = HeldIndex(place, (REAL[at : at + 7] for at in range(0, len(REAL), 7)))
    for package in parse_packages([REAL]):
        assert list(cut.named(package.name)) == list(whole.named(package.name))


def test_what_is_said_to_people_is_not_kept_and_fields_in_it_mean_nothing() -> None:
    index = held(stanza("a", Depends="b,\n c", Task="server, desktop"), stanza("b"))
    (kept,) = index.named("a")
    assert b"Description" not in kept
    assert b"on nothing" not in kept
    assert b"Depends: b,\n c\n" in kept
    assert index.task("server") == index.task("desktop") == {"a"}
    assert index.task("serv") == frozenset()


def test_base_is_what_is_essential_or_required() -> None:
    one = universe(stanza("a", Essential="yes"), stanza("b", Priority="required"), stanza("c", Priority="important"))
    assert one.base() == {"a", "b"}


def test_newest_is_the_candidate_wherever_it_is_listed() -> None:
    one = Universe([held(stanza("a", "1.9")), held(stanza("a", "1.10"), suite="stable-security")], "amd64")
    candidate = one.candidate("a", "amd64")
    assert candidate is not None
    assert (candidate.package.version, candidate.place.suite) == ("1.10", "stable-security")


def test_higher_priority_goes_before_a_newer_version() -> None:
    backports = held(stanza("a", "2"), stanza("only-there"), suite="backports", priority=100)
    one = Universe([backports, held(stanza("a", "1"))], "amd64")
    assert solvers(one, "a") == ["a:amd64=1"]
    assert solvers(one, "a (>= 2)") == [], "apt, too, takes candidates alone"
    assert solvers(one, "only-there") == ["only-there:amd64=1"]


def test_pinned_version_is_the_candidate() -> None:
    one = Universe([held(stanza("a", "1"), stanza("a", "2"))], "amd64", pins={"a": "1"})
    assert solvers(one, "a") == ["a:amd64=1"]


def test_first_index_is_preferred_among_equals() -> None:
    one = Universe([held(stanza("a"), suite="first"), held(stanza("a"), suite="second")], "amd64")
    assert [found.place.suite for found in one.versions("a")] == ["first", "second"]
    candidate = one.candidate("a", "amd64")
    assert candidate is not None
    assert candidate.place.suite == "first"


def test_providers_come_behind_the_package_itself_by_their_weight() -> None:
    one = universe(
        stanza("light", Provides="mta", Priority="extra"),
        stanza("usual", Provides="mta", Priority="optional"),
        stanza("heavy", Provides="mta", Essential="yes", Priority="extra"),
        stanza("mta"),
    )
    assert solvers(one, "mta") == [f"{name}:amd64=1" for name in ("mta", "heavy", "usual", "light")]


def test_only_what_is_provided_as_a_version_meets_a_version() -> None:
    one = universe(
        stanza("old", Provides="api (= 1)"), stanza("new", Provides="api (= 2)"), stanza("none", Provides="api")
    )
    assert solvers(one, "api (>= 2)") == ["new:amd64=1"]
    assert sorted(solvers(one, "api")) == ["new:amd64=1", "none:amd64=1", "old:amd64=1"]


def test_older_version_that_provided_a_name_is_no_solver() -> None:
    one = universe(stanza("a", "1", Provides="api"), stanza("a", "2"))
    assert solvers(one, "api") == []


@pytest.mark.parametrize(
    ("multi_arch", "relation", "expected"),
    [
        ("", "a", ["a:i386=1"]),
        ("same", "a", ["a:i386=1"]),
        ("allowed", "a", ["a:i386=1"]),
        ("foreign", "a", ["a:amd64=1", "a:i386=1"]),
        ("", "a:any", []),
        ("allowed", "a:any", ["a:amd64=1", "a:i386=1"]),
        ("", "a:amd64", ["a:amd64=1"]),
        ("", "a:native", ["a:amd64=1"]),
    ],
)
def test_architectures_go_by_multi_arch(multi_arch: str, relation: str, expected: list[str]) -> None:
    both = [(own, stanza("a", "1", own, Multi_Arch=multi_arch)) for own in ("amd64", "i386")]
    assert solvers(of_two_architectures(both), relation, "i386") == expected


def test_package_for_all_architectures_counts_as_native() -> None:
    one = of_two_architectures(
        [("all", stanza("a", "1", "all")), ("all", stanza("f", "1", "all", Multi_Arch="foreign"))]
    )
    assert solvers(one, "a", "amd64") == ["a:all=1"]
    assert solvers(one, "a", "i386") == []
    assert solvers(one, "f", "i386") == ["f:all=1"]


def test_any_means_nothing_where_there_is_one_architecture() -> None:
    assert solvers(universe(stanza("a")), "a:any") == ["a:amd64=1"]


def test_package_whose_relations_cannot_be_read_says_so() -> None:
    (found,) = universe(stanza("a", Depends="b (")).versions("a")
    assert "'b ('" in found.flaw


def test_indices_beyond_the_limits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VERSIONS_MAX", 2)
    with pytest.raises(FormatError, match="versions of 'a'"):
        held(*(stanza("a", str(version)) for version in range(3)))
    monkeypatch.setattr(module, "KEPT_BYTES_MAX", 200)
    with pytest.raises(FormatError, match="bytes of relations"):
        held(stanza("a"), stanza("b"))


def test_index_takes_less_than_what_it_is_made_from() -> None:
    pieces = [
        b"".join(stanza(f"package-{number}-{one}", Description="d" * 600, Provides=f"v{one}") for one in range(50))
        for number in range(40)
    ]
    tracemalloc.start()
    index = HeldIndex(Place("a", "s", "s", "main", "amd64"), pieces)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now < 0.8 * sum(map(len, pieces))
    assert peak < 3 * sum(map(len, pieces))
    assert next(index.named("package-39-49"), b"")
