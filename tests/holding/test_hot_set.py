"""Which listed packages are wanted, and why: families of suites, architectures, rules, and how uses fade."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.catalogue_contract import package
from tests.store.holds_contract import key, used
from tidegate.holding.hot_set import (
    FOLLOWED,
    POCKETS,
    Codenames,
    Hot,
    HotSet,
    Place,
    family_of,
    forgotten_at,
    key_of,
    names_matching,
    newest_in_family,
    place_of,
    sentence_of,
)
from tidegate.store.catalogue import Offer
from tidegate.store.holds import FADING, Hold, Origin, PackageKey, Wish

NOW = 1_795_000_000
DAY_S = 86_400
FORGET_AFTER_S = 90 * DAY_S
CODENAMES: Codenames = {("debian", "stable"): "bookworm", ("debian-security", "stable-security"): "bookworm-security"}
STABLE = place_of("debian", "stable", "dists/stable/main/binary-amd64/Packages.xz", CODENAMES)
SECURITY = place_of("debian-security", "stable-security", "dists/stable-security/main/binary-amd64/Packages", CODENAMES)
HELLO = package("hello")


def hot_set(*wanted: Hold | Wish, now: float = NOW) -> HotSet:
    holds = [one for one in wanted if isinstance(one, Hold)]
    wishes = [one for one in wanted if isinstance(one, Wish)]
    return HotSet(holds, wishes, CODENAMES, now=now, forget_after_s=FORGET_AFTER_S)


def why(place: Place, *wanted: Hold | Wish) -> list[str]:
    return [sentence_of(reason) for reason in hot_set(*wanted).reasons(place, HELLO)]


# Places


@pytest.mark.parametrize(
    ("suite", "index", "component", "architecture"),
    [
        ("stable", "dists/stable/main/binary-amd64/Packages.xz", "main", "amd64"),
        ("stable", "dists/stable/main/source/Sources.gz", "main", "source"),
        ("stable", "dists/stable/main/debian-installer/binary-arm64/Packages", "main", "arm64"),
        ("a/updates", "dists/a/updates/non-free/firmware/binary-all/Packages", "non-free/firmware", "all"),
        ("./", "Packages.gz", "", ""),
        ("flat/x/", "flat/x/Packages.gz", "", ""),
    ],
)
def test_an_index_stands_where_its_path_says(suite: str, index: str, component: str, architecture: str) -> None:
    assert place_of("debian", suite, index, {}) == Place("debian", suite, suite, component, architecture)


@pytest.mark.parametrize(
    ("codename", "family"),
    [
        ("noble", ("noble", "")),
        ("noble-security", ("noble", "security")),
        ("bookworm-proposed-updates", ("bookworm", "proposed-updates")),
        ("noble-apps-security", ("noble", "apps-security")),
        ("buster/updates", ("buster", "updates")),
        ("bookworm-pgdg", ("bookworm-pgdg", "")),
        ("security", ("security", "")),
        ("./", ("contoso ./", "")),
    ],
)
def test_a_codename_is_its_family_and_its_pocket(codename: str, family: tuple[str, str]) -> None:
    assert family_of("contoso", codename) == family


def test_every_pocket_is_either_followed_or_chosen() -> None:
    assert FOLLOWED - {""} <= set(POCKETS)
    assert {family_of("a", f"x-{pocket}") for pocket in POCKETS} == {("x", pocket) for pocket in POCKETS}


def test_of_the_suites_that_list_a_path_the_plainest_is_remembered() -> None:
    offers = [
        Offer(suite, f"dists/{suite}/main/binary-amd64/Packages.xz", HELLO)
        for suite in ("noble-security", "noble-proposed", "noble-updates")
    ]
    assert key_of("ubuntu", offers) == PackageKey("ubuntu", "noble-updates", "main", "amd64", "hello")
    assert key_of("ubuntu", []) is None


# Families


def test_what_was_taken_from_the_release_is_wanted_from_security_in_another_archive() -> None:
    assert why(STABLE, used(key())) == ["asked for by clients"]
    assert why(SECURITY, used(key())) == ["asked for by clients"]


@pytest.mark.parametrize("suite", ["testing", "trixie", "bookworm-pgdg", "./"])
def test_what_was_taken_from_one_family_says_nothing_about_another(suite: str) -> None:
    assert why(STABLE, used(key(suite=suite))) == []


def test_backports_are_wanted_only_by_who_took_them_from_there() -> None:
    backports = place_of("debian", "bookworm-backports", "dists/bookworm-backports/main/binary-amd64/Packages", {})
    assert why(backports, used(key())) == []
    assert why(backports, used(key(suite="bookworm-backports"))) == ["asked for by clients"]
    assert why(SECURITY, used(key(suite="bookworm-backports"))) == ["asked for by clients"]


def test_flat_repositories_of_two_archives_are_two_families() -> None:
    flat = place_of("contoso", "./", "Packages", {})
    assert why(flat, used(key(suite="./"))) == []
    assert why(flat, used(key(suite="./", archive="contoso"))) == ["asked for by clients"]


def test_what_hosts_of_a_release_have_is_wanted_from_every_archive_that_has_suites_of_it() -> None:
    reported = replace(used(PackageKey("", "bookworm", "", "amd64", "hello")), origin=Origin.INVENTORY)
    vendors = place_of("contoso", "bookworm", "dists/bookworm/main/binary-amd64/Packages", {})
    assert why(STABLE, reported) == why(SECURITY, reported) == why(vendors, reported) == [reported.why]
    trixie = place_of("debian", "trixie", "dists/trixie/main/binary-amd64/Packages", {})
    flat = place_of("contoso", "./", "Packages", {})
    assert why(trixie, reported) == why(flat, reported) == []
    assert why(flat, replace(reported, archive="contoso", suite="./")) == [reported.why]
    assert why(flat, replace(reported, suite="")) == [reported.why], "of which release is not known: of every one"


def test_a_hold_without_a_suite_is_for_its_whole_archive_and_for_no_other() -> None:
    need = replace(used(key(suite="")), origin=Origin.NEED, by="web")
    assert why(STABLE, need) == ["needed by web"]
    assert why(SECURITY, need) == []


@pytest.mark.parametrize(
    ("held", "listed", "wanted"),
    [
        ("amd64", "amd64", True),
        ("amd64", "arm64", False),
        ("all", "amd64", True),
        ("amd64", "all", True),
        ("", "riscv64", True),
        ("all", "source", False),
        ("source", "source", True),
        ("amd64", "source", False),
    ],
)
def test_architectures_fit_and_all_fits_each_but_source(held: str, listed: str, wanted: bool) -> None:
    hot = hot_set(used(key(architecture=held)))
    assert bool(hot.reasons(STABLE, package("hello", architecture=listed))) is wanted


# Fading


@given(st.sampled_from(sorted(FADING)), st.integers(-FORGET_AFTER_S * 2, FORGET_AFTER_S * 2), st.integers(0, 500))
def test_a_use_or_a_report_counts_until_nobody_said_so_for_so_long_however_often_they_did(
    origin: Origin, ago: int, uses: int
) -> None:
    hold = replace(used(key(), NOW - ago, NOW - ago, uses), origin=origin)
    end = forgotten_at(hold, FORGET_AFTER_S)
    assert end == NOW - ago + FORGET_AFTER_S
    assert bool(hot_set(hold).reasons(STABLE, HELLO)) is (ago < FORGET_AFTER_S) is (end > NOW)


@given(st.sampled_from(sorted(set(Origin) - FADING)), st.integers(0, 10 * FORGET_AFTER_S))
def test_what_the_operator_wants_fades_never(origin: Origin, ago: int) -> None:
    hold = replace(used(key(), NOW - ago, NOW - ago), origin=origin, by="web")
    assert forgotten_at(hold, FORGET_AFTER_S) is None
    assert hot_set(hold).reasons(STABLE, HELLO) == (hold,)


@given(st.lists(st.integers(0, 2 * FORGET_AFTER_S), max_size=5), st.integers(0, FORGET_AFTER_S))
def test_time_alone_never_makes_anything_hot(ages: list[int], later: int) -> None:
    holds = [used(key(name), NOW - ago, NOW - ago) for name, ago in zip("abcde", ages, strict=False)]

    def wanted(now: int) -> set[str]:
        return {name for name in "abcde" if hot_set(*holds, now=now).reasons(STABLE, package(name))}

    assert wanted(NOW + later) <= wanted(NOW)


# Rules


@pytest.mark.parametrize(
    ("wish", "stable", "security"),
    [
        (Wish("r", ("hello",)), True, True),
        (Wish("r", ("hel*",)), True, True),
        (Wish("r", ("ello", "h", "hello^")), False, False),
        (Wish("r", ("hello",), archive="debian"), True, False),
        (Wish("r", ("hello",), suite="stable"), True, False),
        (Wish("r", ("hello",), archive="debian", suite="stable"), True, False),
        (Wish("r", ("hello",), suite="bookworm"), True, True),
        (Wish("r", ("hello",), suite="bookworm-security"), False, True),
        (Wish("r", ("hello",), component="contrib"), False, False),
        (Wish("r", ("hello",), architecture="arm64"), False, False),
        (Wish("r", ("hello",), architecture="source"), False, False),
        (Wish("r", suite="stable-security"), False, True),
        (Wish("r", suite="bookworm"), True, False),
        (Wish("r", suite="bookworm", architecture="amd64", component="main"), True, False),
    ],
)
def test_a_rule_speaks_for_what_it_names(wish: Wish, stable: bool, security: bool) -> None:
    assert (why(STABLE, wish), why(SECURITY, wish)) == (["wanted by r"] * stable, ["wanted by r"] * security)


def test_a_rule_wants_source_packages_only_by_that_architecture() -> None:
    source = package("hello", architecture="source")
    place = replace(STABLE, architecture="source")
    assert hot_set(Wish("r", ("hello",))).reasons(place, source) == ()
    wish = Wish("r", ("hello",), architecture="source")
    assert hot_set(wish).reasons(place, source) == (wish,)


def test_of_several_versions_the_newest_is_wanted_and_a_whole_pocket_wants_all() -> None:
    versions = [package("hello", version) for version in ("1:0.9", "2.0", "1:1.0", "1:1.0~rc1")]
    named, whole = Wish("named", ("hello",)), Wish("whole", suite="stable")
    assert [one.package.version for one in hot_set(named).hot(STABLE, versions)] == ["1:1.0"]
    assert [one.package for one in hot_set(named, whole).hot(STABLE, versions)] == versions
    assert hot_set(used(key("other"))).hot(STABLE, versions) == ()


def test_among_the_pockets_of_a_family_the_newest_version_is_wanted() -> None:
    backports = place_of("debian", "bookworm-backports", "dists/bookworm-backports/main/binary-amd64/Packages", {})
    hot = hot_set(Wish("r", ("hello",)))
    listed = [
        (STABLE, package("hello", "1.0")),
        (SECURITY, package("hello", "1.1")),
        (replace(STABLE, suite="stable-updates", codename="bookworm-updates"), package("hello", "1.1")),
        (backports, package("hello", "1.0~bpo1")),
        (backports, package("hello", "2.0~bpo1")),
        (place_of("contoso", "./", "Packages", {}), package("hello", "9.0")),
        (STABLE, package("hello", "0.9", "arm64")),
    ]
    hots = [Hot(place, one, hot.reasons(place, one)) for place, one in listed]
    assert [(one.place.suite, one.package.version) for one in newest_in_family(hots)] == [
        ("stable-security", "1.1"),
        ("stable-updates", "1.1"),
        ("bookworm-backports", "2.0~bpo1"),
        ("./", "9.0"),
        ("stable", "0.9"),
    ]


@pytest.mark.parametrize(
    ("release", "security", "updates", "wanted"),
    [
        ("1.0", "1.1", "1.2", {"stable-security", "stable-updates"}),
        ("1.0", "1.2", "1.1", {"stable-security"}),
        ("1.2", "1.1", "1.0", {"stable"}),
        ("1.1", "1.0", "1.2", {"stable-updates"}),
    ],
)
def test_what_updates_overtake_is_wanted_for_hosts_that_take_security_alone(
    release: str, security: str, updates: str, wanted: set[str]
) -> None:
    hot = hot_set(Wish("r", ("hello",)))
    places = (STABLE, SECURITY, replace(STABLE, suite="stable-updates", codename="bookworm-updates"))
    listed = zip(places, (release, security, updates), strict=True)
    hots = [Hot(place, package("hello", one), hot.reasons(place, package("hello", one))) for place, one in listed]
    assert {one.place.suite for one in newest_in_family(hots)} == wanted


def test_every_reason_is_told() -> None:
    assert why(STABLE, used(key()), Wish("a", ("hel*",)), Wish("b", ("hello",))) == [
        "asked for by clients",
        "wanted by a",
        "wanted by b",
    ]


NAMES = st.text("ab", min_size=1, max_size=3)
PATTERNS = st.lists(st.text("ab*?", min_size=1, max_size=3), max_size=3)


@given(PATTERNS, NAMES)
def test_patterns_match_as_a_shells_do(patterns: Sequence[str], name: str) -> None:
    assert names_matching(patterns)(name) is any(fnmatchcase(name, one) for one in patterns)


@given(st.lists(NAMES), st.lists(NAMES, max_size=4), st.lists(PATTERNS, max_size=3))
def test_the_names_to_look_at_leave_out_nothing_that_is_wanted(
    offered: list[str], held: list[str], rules: list[list[str]]
) -> None:
    wishes = [Wish(str(number), tuple(patterns), suite="stable") for number, patterns in enumerate(rules)]
    hot = hot_set(*(used(key(name)) for name in held), *wishes)
    names = hot.names(STABLE, lambda: offered)
    wanted = {name for name in offered if hot.reasons(STABLE, package(name))}
    assert names is None or wanted == names
    assert (names is None) is any(not patterns for patterns in rules)
