"""Which indices are held beforehand, and which may list a file: pure, by table and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.archive.paths import ENDINGS, listing_stem
from tidegate.archive.release import IndexEntry, Release
from tidegate.keeper.wanted import Scope, WantedIndices, indices_that_may_list, wanted_indices

AMD64 = Scope((), ("amd64",), deb_src=False)


def release(
    *paths: str,
    components: tuple[str, ...] = ("main", "contrib"),
    architectures: tuple[str, ...] = ("all", "amd64", "arm64"),
    apart: bool = False,
) -> Release:
    entries = {path: IndexEntry(path, bytes([number % 256]) * 32, number + 1) for number, path in enumerate(paths)}
    return Release(None, None, "stable", None, None, 1, None, architectures, components, True, apart, entries)


def every(*leaves: str, components: tuple[str, ...] = ("main", "contrib")) -> tuple[str, ...]:
    """Each leaf of each component, plain and in two compressions."""
    return tuple(f"{c}/{leaf}{ending}" for c in components for leaf in leaves for ending in ("", ".gz", ".xz"))


DEBIAN = release(
    *every(
        "binary-amd64/Packages",
        "binary-arm64/Packages",
        "binary-all/Packages",
        "source/Sources",
        "debian-installer/binary-amd64/Packages",
        "debian-installer/binary-arm64/Packages",
        "i18n/Translation-en",
    ),
    *every("Contents-amd64"),
)


def required(wanted: WantedIndices) -> list[str]:
    return [entry.path for entry in wanted.required]


def learned(wanted: WantedIndices) -> list[str]:
    return [entry.path for entry in wanted.learned]


def paths(entries: tuple[IndexEntry, ...]) -> list[str]:
    return [entry.path for entry in entries]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (AMD64, ["main/binary-amd64/Packages.xz", "contrib/binary-amd64/Packages.xz"]),
        (Scope(("main",), ("amd64",), deb_src=False), ["main/binary-amd64/Packages.xz"]),
        (
            Scope(("main",), ("amd64", "arm64"), deb_src=False),
            ["main/binary-amd64/Packages.xz", "main/binary-arm64/Packages.xz"],
        ),
        (
            Scope(("main",), ("amd64",), deb_src=True),
            ["main/binary-amd64/Packages.xz", "main/source/Sources.xz"],
        ),
        (Scope(("main",), ("riscv64",), deb_src=False), []),
        (Scope(("non-free",), ("amd64",), deb_src=True), []),
    ],
)
def test_packages_of_the_scope_are_required_in_their_smallest_form(scope: Scope, expected: list[str]) -> None:
    assert required(wanted_indices(DEBIAN, "stable", scope, ())) == expected


def test_where_architecture_all_stands_apart_its_index_is_required_too() -> None:
    apart = release(*every("binary-amd64/Packages", "binary-all/Packages"), apart=True)
    assert required(wanted_indices(apart, "stable", Scope(("main",), ("amd64",), deb_src=False), ())) == [
        "main/binary-amd64/Packages.xz",
        "main/binary-all/Packages.xz",
    ]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_one_form_that_there_is_will_do(ending: str) -> None:
    only = release(f"main/binary-amd64/Packages{ending}")
    assert required(wanted_indices(only, "stable", AMD64, ())) == [f"main/binary-amd64/Packages{ending}"]


def test_a_flat_repository_has_its_indices_beside_its_release() -> None:
    flat = release("Packages", "Packages.gz", "Sources.gz", components=(), architectures=())
    assert required(wanted_indices(flat, "./", AMD64, ())) == ["Packages.gz"]
    assert required(wanted_indices(flat, "x/y/", Scope((), (), deb_src=True), ())) == ["Packages.gz", "Sources.gz"]


def test_what_clients_asked_for_is_learned_where_the_release_still_has_it() -> None:
    asked = {"main/i18n/Translation-en.xz", "main/Contents-amd64.gz", "gone/long/ago", "main/binary-amd64/Packages.xz"}
    wanted = wanted_indices(DEBIAN, "stable", AMD64, asked)
    assert sorted(learned(wanted)) == ["main/Contents-amd64.gz", "main/i18n/Translation-en.xz"]
    assert "main/binary-amd64/Packages.xz" in required(wanted)


def test_components_that_repeat_the_suites_directory_are_taken_by_their_last_part() -> None:
    old = release("main/binary-amd64/Packages.xz", components=("updates/main",))
    assert required(wanted_indices(old, "buster/updates", AMD64, ())) == ["main/binary-amd64/Packages.xz"]


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("main/binary-amd64/Packages.xz", "main/binary-amd64/Packages"),
        ("main/binary-amd64/Packages", "main/binary-amd64/Packages"),
        ("main/source/Sources.gz", "main/source/Sources"),
        ("Packages.zst", "Packages"),
        ("main/binary-amd64/Packages.diff/Index", "main/binary-amd64/Packages.diff/Index"),
        ("main/binary-amd64/Release", None),
        ("main/i18n/Translation-en.xz", None),
        ("main/Contents-amd64.gz", None),
        ("main/installer-amd64/Index", None),
        ("main/binary-amd64/Packages.xz.gz", None),
        ("main/binary-amd64/XPackages.xz", None),
    ],
)
def test_only_packages_sources_and_patch_indices_list_files(path: str, stem: str | None) -> None:
    assert listing_stem(path) == stem


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pool/main/h/hello/hello_1_amd64.deb", ["main/binary-amd64/Packages.xz"]),
        ("pool/contrib/h/hello/hello_1_arm64.deb", ["contrib/binary-arm64/Packages.xz"]),
        (
            "pool/main/h/hello/hello_1_all.deb",
            ["main/binary-all/Packages.xz", "main/binary-amd64/Packages.xz", "main/binary-arm64/Packages.xz"],
        ),
        (
            "pool/main/h/hello/hello.udeb",
            [
                "main/binary-all/Packages.xz",
                "main/binary-amd64/Packages.xz",
                "main/binary-arm64/Packages.xz",
                "main/debian-installer/binary-amd64/Packages.xz",
                "main/debian-installer/binary-arm64/Packages.xz",
            ],
        ),
        (
            "pool/main/h/hello/hello_1_arm64.udeb",
            ["main/binary-arm64/Packages.xz", "main/debian-installer/binary-arm64/Packages.xz"],
        ),
        ("pool/main/h/hello/hello_1.dsc", ["main/source/Sources.xz"]),
        ("pool/main/h/hello/hello_1.orig.tar.xz", ["main/source/Sources.xz"]),
        ("pool/h/hello_1_amd64.deb", ["contrib/binary-amd64/Packages.xz", "main/binary-amd64/Packages.xz"]),
    ],
)
def test_a_file_in_the_pool_may_be_listed_by_the_indices_of_its_component_and_kind(
    path: str, expected: list[str]
) -> None:
    assert sorted(paths(indices_that_may_list(path, DEBIAN, "stable"))) == sorted(expected)


def test_any_index_of_a_flat_repository_may_list_any_file() -> None:
    flat = release("Packages", "Packages.gz", "Sources.gz", components=(), architectures=())
    assert paths(indices_that_may_list("./hello_1_amd64.deb", flat, "./")) == ["Packages.gz", "Sources.gz"]


NAMES = st.sampled_from(["main", "contrib", "amd64", "arm64", "all", "riscv64"])
LEAVES = st.sampled_from(["binary-amd64/Packages", "binary-all/Packages", "source/Sources", "i18n/Translation-en"])
PATHS = st.builds("{}/{}{}".format, NAMES, LEAVES, st.sampled_from(ENDINGS))


@given(
    st.lists(PATHS, unique=True),
    st.builds(Scope, st.lists(NAMES).map(tuple), st.lists(NAMES, unique=True).map(tuple), st.booleans()),
    st.sets(PATHS),
    st.booleans(),
)
def test_what_is_wanted_is_listed_once_and_no_index_in_two_forms(
    listed: list[str], scope: Scope, asked: set[str], apart: bool
) -> None:
    made = release(*listed, apart=apart)
    wanted = wanted_indices(made, "stable", scope, asked)
    all_of_them = required(wanted) + learned(wanted)
    assert len(all_of_them) == len(set(all_of_them))
    assert set(all_of_them) <= set(listed)
    assert set(learned(wanted)) <= asked
    stems = [listing_stem(path) for path in required(wanted)]
    assert None not in stems
    assert len(stems) == len(set(stems))


@given(st.text(max_size=40), st.lists(PATHS, unique=True), st.sampled_from(["stable", "./"]))
def test_whatever_is_asked_for_only_indices_of_the_release_may_list_it(
    path: str, listed: list[str], suite: str
) -> None:
    found = paths(indices_that_may_list(path, release(*listed), suite))
    assert set(found) <= set(listed)
    assert len(found) == len(set(found))
