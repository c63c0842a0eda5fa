"""What counts as held of what the fleet would ask for: newest versions, security updates, fresh installs."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.holding.stanzas import held as index
from tests.holding.stanzas import made_up, stanza
from tests.store.catalogue_contract import package
from tests.store.holds_contract import key, used
from tidegate.archive.packages import Package
from tidegate.holding.closure import closure
from tidegate.holding.expand import Offering
from tidegate.holding.hot_set import Hot, Place
from tidegate.holding.stock import Kind, LostIndex, Share, Stock, Wanted, count, pending, percent, security_updates
from tidegate.holding.stocktaking import install_of
from tidegate.holding.universe import Universe
from tidegate.store.holds import Hold, Origin, Wish

NOW = 1_795_000_000
WHOLE = Wish("all of it", suite="bookworm-security")


def place(suite: str = "bookworm", architecture: str = "amd64", archive: str = "debian") -> Place:
    return Place(archive, suite, suite, "main", architecture)


SECURITY = place("bookworm-security", archive="debian-security")
SUITES = {("debian-security", "bookworm-security")}


def hot(version: str = "1", at: Place | None = None, name: str = "hello", architecture: str = "amd64") -> Hot:
    return Hot(at or place(), package(name, version, architecture), (used(key(name)),))


def versions(wanted: Sequence[Wanted]) -> list[str]:
    return [f"{one.place.suite} {one.package.version}" for one in wanted]


# Updates


def test_of_all_pockets_that_hosts_follow_the_newest_version_counts() -> None:
    found = pending([hot("1"), hot("1.2", SECURITY), hot("1.10", place("bookworm-updates"))])
    assert versions(found) == ["bookworm-updates 1.10"]
    assert found[0].why == "asked for by clients"


def test_what_was_chosen_from_backports_counts_beside_what_the_release_has() -> None:
    found = pending([hot("1"), hot("2", place("bookworm-backports"))])
    assert versions(found) == ["bookworm 1", "bookworm-backports 2"]


def test_each_family_and_each_architecture_has_a_newest_version_of_its_own() -> None:
    found = pending([hot("1"), hot("2", place("trixie")), hot("3", place(architecture="arm64"), architecture="arm64")])
    assert len(found) == 3


def test_a_version_for_all_architectures_takes_the_place_of_an_older_one_for_its_own() -> None:
    assert versions(pending([hot("1"), hot("2", architecture="all")])) == ["bookworm 2"]


def test_every_file_of_a_source_packages_newest_version_counts() -> None:
    files = [
        Package(f"pool/{name}", name.encode(), 1, "hello", version, "source", "hello", version)
        for name, version in (("a.dsc", "2"), ("a.tar", "2"), ("old.dsc", "1"))
    ]
    found = pending([Hot(place(architecture="source"), one, (WHOLE,)) for one in files])
    assert {one.package.path for one in found} == {"pool/a.dsc", "pool/a.tar"}


def test_a_version_that_is_none_is_older_than_every_other() -> None:
    assert versions(pending([hot("1"), hot("not a version")])) == ["bookworm 1"]


# Security


def test_a_mended_package_counts_with_the_newest_version_that_has_the_mending() -> None:
    everything = [hot("1"), hot("1.2", SECURITY), hot("1.3", place("bookworm-updates"))]
    assert versions(security_updates(everything, SUITES)) == ["bookworm-updates 1.3"]
    assert versions(security_updates(everything[:2], SUITES)) == ["bookworm-security 1.2"]
    assert versions(security_updates(everything[1:2], SUITES)) == ["bookworm-security 1.2"]


def test_what_was_never_mended_or_before_the_release_is_no_security_update() -> None:
    assert security_updates([hot("1"), hot("1.3", place("bookworm-updates"))], SUITES) == ()
    assert security_updates([hot("2"), hot("1.2", SECURITY)], SUITES) == ()
    assert len(security_updates([hot("1.2"), hot("1.2", SECURITY)], SUITES)) == 2  # each suite's file


def test_of_several_reasons_the_one_is_told_that_somebody_gave() -> None:
    needed = Hold(*key(), Origin.NEED, "web", NOW, NOW)
    at = place()
    assert pending([Hot(at, package("hello"), (needed, WHOLE))])[0].why == "wanted by all of it"
    assert pending([Hot(at, package("hello"), (needed,))])[0].why == "needed by web"


# Shares


def counted(held: Sequence[Wanted], *lacking: Wanted, known: int = 1, security_suites: int = 1) -> Stock:
    wanted = {Kind.SECURITY: held, Kind.UPDATES: [*held, *lacking]}
    digests = {one.package.sha256 for one in held}
    return count(wanted, digests, at=NOW, hot=known, security_suites=security_suites)


def share(stock: Stock, kind: Kind) -> Share:
    return next(one for one in stock.shares if one.kind is kind)


def test_what_is_lacking_is_named_with_all_that_it_is_missing_from_the_most_urgent_first() -> None:
    apt, bash = (pending([hot(name=name)])[0] for name in ("apt", "bash"))
    wanted = {Kind.UPDATES: [apt, bash], Kind.SECURITY: [bash], Kind.INSTALL: [apt]}
    stock = count(wanted, (), at=NOW, hot=2, security_suites=1)
    assert [(one.name, one.kinds) for one in stock.lacks] == [
        ("bash", (Kind.SECURITY, Kind.UPDATES)),
        ("apt", (Kind.UPDATES, Kind.INSTALL)),
    ]
    assert (stock.lacking, stock.lacking_bytes) == (2, apt.package.size + bash.package.size)
    assert share(stock, Kind.UPDATES).percent == 0.0


def test_a_file_that_several_suites_list_counts_once() -> None:
    same = [Wanted(place(suite), package("hello"), "") for suite in ("bookworm", "bookworm-updates")]
    assert share(counted(same), Kind.UPDATES).wanted == 1


def test_where_nothing_is_known_to_be_used_no_share_is_told() -> None:
    assert {one.percent for one in counted([], known=0).shares} == {None}


def test_where_no_suite_brings_security_updates_their_share_is_unknown_and_else_none_pending_is_all_of_them() -> None:
    assert share(counted([], security_suites=0), Kind.SECURITY).percent is None
    assert share(counted([], security_suites=1), Kind.SECURITY).percent == 100.0


def test_what_cannot_be_installed_at_all_lowers_the_share_of_fresh_installs() -> None:
    wanted = {Kind.INSTALL: pending([hot()])}
    held = {package("hello").sha256}
    stock = count(wanted, held, at=NOW, hot=1, security_suites=0, unmet=["mail: it depends on an mta"])
    assert share(stock, Kind.INSTALL).percent == 50.0
    assert stock.unmet == ("mail: it depends on an mta",)


def test_lists_of_what_is_lacking_are_bounded_and_the_count_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.holding.stock.LACKS_MAX", 3)
    stock = counted([], *pending([hot(name=f"p{number}") for number in range(5)]))
    assert (len(stock.lacks), stock.lacking) == (3, 5)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_share_is_a_hundred_only_if_nothing_is_lacking(held: int, lacking: int) -> None:
    share = percent(held, held + lacking)
    assert 0.0 <= share <= 100.0
    assert (share == 100.0) == (lacking == 0)


# Fresh installs


def offering(*stanzas: bytes, suite: str = "stable") -> Offering:
    return Offering(index(*stanzas, suite=suite), frozenset(), frozenset({"amd64", "all"}))


def install(*names: str, offered: Sequence[Offering]) -> tuple[set[str], tuple[str, ...]]:
    """What is wanted, by name, with why; and what cannot be had."""
    at = offered[0].place
    found = install_of([Hot(at, package(name), (used(key(name)),)) for name in names], offered)
    return {f"{one.package.name}: {one.why}" for one in found.wanted}, found.unmet


BASE = stanza("base", Essential="yes")


def test_a_fresh_host_needs_what_hot_packages_depend_on() -> None:
    offered = [offering(BASE, stanza("web", Depends="libc"), stanza("libc"), stanza("unused"))]
    assert install("web", offered=offered) == ({"web: asked for by clients", "libc: needed by web"}, ())


def test_of_a_choice_the_hot_package_counts() -> None:
    offered = [offering(BASE, stanza("web", Depends="exim | postfix"), stanza("exim"), stanza("postfix"))]
    assert install("web", "postfix", offered=offered)[0] == {
        "web: asked for by clients",
        "postfix: asked for by clients",
    }


def test_what_a_vendors_own_repository_needs_is_found_in_the_release() -> None:
    vendor = offering(stanza("agent", Depends="libc"), suite="vendor")
    found = install_of([Hot(vendor.place, package("agent"), (WHOLE, used(key("agent"))))], [vendor, offering(BASE)])
    assert [one for one in found.unmet if "libc" in one]
    release = offering(BASE, stanza("libc"))
    found = install_of([Hot(vendor.place, package("agent"), (used(key("agent")),))], [vendor, release])
    assert [one.package.name for one in found.wanted] == ["agent", "libc"]


def test_no_host_installs_a_whole_pocket() -> None:
    offered = [offering(BASE, stanza("web"))]
    assert install_of([Hot(offered[0].place, package("web"), (WHOLE,))], offered).wanted == ()


def test_lists_that_are_lost_are_told_as_they_are() -> None:
    lost = [LostIndex(archive="debian", suite="stable", path="dists/stable/InRelease")]
    assert count({}, (), at=NOW, hot=1, security_suites=0, lost=lost).lost == tuple(lost)


@given(st.integers(0, 10_000))
def test_what_a_closure_holds_is_all_that_a_fresh_install_needs(seed: int) -> None:
    stanzas, names = made_up(seed, several=False)
    offered = offering(BASE, *(one for _, one in stanzas))
    held = closure(Universe([offered.index], "amd64"), names).packages
    hots = [Hot(one.place, one.package, (used(key(one.package.name)),)) for one in held]
    found = install_of(hots, [offered])
    assert {one.package for one in found.wanted} <= {one.package for one in held}
    assert found.unmet == ()
