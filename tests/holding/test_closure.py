"""What has to be held so that the wanted can be installed; the real apt is the judge."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.strategies import fewer
from tests.holding.stanzas import held, made_up, of_two_architectures, stanza, universe
from tidegate.archive import deb822
from tidegate.archive.dependencies import Relation, allows, parse_dependencies, parse_provides, written
from tidegate.archive.versions import version_key
from tidegate.holding import closure as module
from tidegate.holding.apt_judge import judge
from tidegate.holding.closure import Closure, closure, resolve
from tidegate.holding.universe import Universe

SEEDS_EACH = 12


def names(found: Closure) -> list[str]:
    return [one.package.name for one in found.packages]


def test_dependencies_of_dependencies_are_needed_and_it_is_said_by_whom() -> None:
    one = universe(
        stanza("a", Pre_Depends="b", Depends="c (>= 1)"),
        stanza("b"),
        stanza("c", "2", Depends="d"),
        stanza("d", Depends="a"),
        stanza("other"),
    )
    found = closure(one, ["a"])
    assert [(needed.package.name, needed.by) for needed in found.packages] == [
        ("a", ""),
        ("b", "a"),
        ("c", "a"),
        ("d", "c"),
    ]
    assert (found.problems, found.size) == ((), 40)


def test_first_alternative_that_can_be_had_is_taken() -> None:
    one = universe(stanza("a", Depends="gone | b | c"), stanza("b"), stanza("c"))
    assert names(closure(one, ["a"])) == ["a", "b"]


def test_alternative_that_leads_nowhere_is_passed_over() -> None:
    one = universe(
        stanza("a", Depends="b | c"),
        stanza("b", Depends="b2"),
        stanza("b2", Depends="b3 (>= 2)"),
        stanza("b3", "1"),
        stanza("c"),
    )
    found = closure(one, ["a"])
    assert (names(found), found.problems) == (["a", "c"], ())


def test_alternative_that_is_there_already_is_enough_for_one_host() -> None:
    one = universe(stanza("a", Depends="b | c"), stanza("c"), stanza("b"), stanza("d", Depends="c"))
    assert names(resolve(one, ["a", "d"])) == ["a", "c", "d"]
    assert names(closure(one, ["a", "d"])) == ["a", "b", "c", "d"], "another host wants only a"


def test_alternative_that_agrees_with_what_is_chosen_goes_first() -> None:
    one = universe(
        stanza("a", Depends="b | c"),
        stanza("b", Conflicts="d"),
        stanza("c"),
        stanza("d"),
        stanza("e", Breaks="b (<< 2)"),
    )
    assert names(resolve(one, ["a", "d"])) == ["a", "c", "d"]
    assert names(resolve(one, ["a", "e"])) == ["a", "c", "e"]


def test_recommended_is_taken_on_request_and_only_where_it_can_be() -> None:
    one = universe(
        stanza("a", Recommends="b, gone, broken, enemy | c"),
        stanza("b", Recommends="d"),
        stanza("broken", Depends="gone"),
        stanza("enemy", Conflicts="a"),
        *(stanza("c"), stanza("d")),
    )
    assert names(closure(one, ["a"])) == ["a"]
    found = closure(one, ["a"], recommends=True)
    assert (names(found), found.problems) == (["a", "b", "c", "d"], ())


def test_task_is_all_its_packages() -> None:
    one = universe(stanza("a", Task="server", Depends="c"), stanza("b", Task="desktop, server"), stanza("c"))
    assert names(closure(one, ["server^"])) == ["a", "b", "c"]
    assert closure(one, ["mainframe^"]).problems == ("mainframe^: no package that is listed belongs to this task",)


def test_what_hosts_have_is_not_held_unless_a_newer_one_is_needed() -> None:
    one = universe(
        stanza("a", Depends="libc (>= 1), libd (>= 2), mta, shell | b"),
        *(stanza("libc", "2"), stanza("libd", "2"), stanza("exim", Provides="mta"), stanza("b"), stanza("shell")),
    )
    installed = {"libc": "1", "libd": "1", "exim": "0.9", "b": "1", "nothing-of-dpkg": "?"}
    assert names(closure(one, ["a"], installed=installed)) == ["a", "libd"]


def test_installed_version_that_would_break_is_replaced_by_its_newer_one() -> None:
    one = universe(stanza("a", Breaks="old (<< 2)"), stanza("old", "2", Depends="more"), stanza("more"))
    assert names(closure(one, ["a"], installed={"old": "1"})) == ["a", "more", "old"]
    assert names(closure(one, ["a"], installed={"old": "2"})) == ["a"]


@pytest.mark.parametrize(
    ("depends", "sentence"),
    [
        ("gone (>= 2)", "a (1) cannot be installed: it depends on gone (>= 2), which nothing listed is or provides"),
        ("b (>= 2)", "a (1) cannot be installed: it depends on b (>= 2), but there is only b 1 (stable)"),
        (
            "gone | c",
            "a (1) cannot be installed: it depends on gone | c, and c (1) cannot be installed: it depends on gone, "
            "which nothing listed is or provides",
        ),
        (
            "b (",
            "a (1) cannot be installed: what it says of other packages cannot be read: no relation to a package: 'b ('",
        ),
    ],
)
def test_what_cannot_be_installed_is_left_out_and_said(depends: str, sentence: str) -> None:
    one = universe(stanza("a", Depends=depends), stanza("b"), stanza("c", Depends="gone"), stanza("fine"))
    found = closure(one, ["a", "fine"])
    assert (names(found), found.unmet) == (["fine"], (sentence,))


def test_names_that_mean_no_package_are_said() -> None:
    one = universe(stanza("exim", Provides="mta"), stanza("postfix", Provides="mta"), stanza("dash", Provides="sh"))
    found = closure(one, ["gone", "mta", "sh"])
    assert names(found) == ["dash"]
    assert found.problems == (
        "gone: not listed for amd64 in any of 1 indices",
        "mta: several packages provide it, one has to be named: postfix, exim",
    )


def test_what_cannot_be_on_one_host_is_held_and_told() -> None:
    one = universe(
        stanza("exim", Provides="mta", Conflicts="mta"), stanza("postfix", Provides="mta", Conflicts="mta"), stanza("b")
    )
    found = closure(one, ["exim", "postfix", "b"])
    assert names(found) == ["b", "exim", "postfix"]
    assert found.unmet == ()
    assert "exim (1) and postfix (1) cannot be on one host: exim rules out mta" in found.conflicts
    assert closure(one, ["exim"]).conflicts == (), "it does not rule out itself"


def test_package_for_several_architectures_takes_one_version_in_all() -> None:
    def both(*versions: str, multi_arch: str) -> Closure:
        listed = zip(("amd64", "i386"), versions, strict=True)
        one = of_two_architectures((own, stanza("a", version, own, Multi_Arch=multi_arch)) for own, version in listed)
        return closure(one, ["a", "a:i386"])

    assert both("1", "1", multi_arch="same").problems == ()
    assert "Multi-Arch: same" in both("1", "2", multi_arch="same").conflicts[0]
    assert "Multi-Arch: same" in both("1", "1", multi_arch="foreign").conflicts[0]
    assert len(both("1", "1", multi_arch="foreign").packages) == 2


def test_foreign_package_brings_its_own_libraries() -> None:
    one = of_two_architectures(
        [
            ("i386", stanza("wine", "1", "i386", Depends="libc, tool, data, python:any")),
            *((own, stanza("libc", "1", own, Multi_Arch="same")) for own in ("amd64", "i386")),
            *((own, stanza("tool", "1", own, Multi_Arch="foreign")) for own in ("amd64", "i386")),
            ("all", stanza("data", "1", "all", Multi_Arch="foreign")),
            *((own, stanza("python", "1", own, Multi_Arch="allowed")) for own in ("amd64", "i386")),
        ]
    )
    found = [(needed.package.name, needed.package.architecture) for needed in closure(one, ["wine"]).packages]
    assert found == [("data", "all"), ("libc", "i386"), ("python", "amd64"), ("tool", "amd64"), ("wine", "i386")]


def test_many_problems_are_counted() -> None:
    found = closure(universe(stanza("a")), [f"gone-{number}" for number in range(module.PROBLEMS_MAX + 5)])
    assert len(found.unmet) == module.PROBLEMS_MAX
    assert found.unmet[-1] == "and 6 more of the kind"


def test_resolution_that_does_not_come_to_an_end_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    one = universe(stanza("a", Depends="b | c"), stanza("b", Depends="gone"), stanza("c"))
    monkeypatch.setattr(module, "ROUNDS_MAX", 1)
    found = resolve(one, ["a"])
    assert names(found) == ["a"]
    assert found.unmet == ("given up after 1 attempts; what is held may not be all that is needed",)


def test_long_chains_of_what_is_missing_take_no_long_time_and_no_long_sentence() -> None:
    chain = [stanza(f"p{number}", Depends=f"p{number + 1}") for number in range(1500)]
    begun = time.process_time()
    found = closure(universe(*chain), ["p0"])
    assert time.process_time() - begun < 3
    assert not found.packages
    assert len(found.unmet[0]) < 1000


@fewer
@given(st.integers(0, 10**9))
def test_every_dependency_of_what_is_held_is_met_by_what_is_held(seed: int) -> None:
    stanzas, wanted = made_up(seed, several=False)
    one = Universe([held(*(s for _, s in stanzas))], "amd64")
    found = closure(one, wanted)
    fields = [next(deb822.stanzas(text)) for text in one.stanzas(needed.package for needed in found.packages)]
    there = [Relation(field["package"], "", "=", field["version"], version_key(field["version"])) for field in fields]
    there += [provided for field in fields for provided in parse_provides(field.get("provides", ""))]
    for field in fields:
        for alternatives in parse_dependencies(field.get("depends", "")):
            assert any(
                relation.name == other.name and allows(relation, other.key if other.operator else None)
                for relation in alternatives
                for other in there
            ), (field["package"], written(alternatives))
    assert set(wanted) <= {*names(found), *(sentence.partition(" ")[0] for sentence in found.unmet)}


@pytest.mark.parametrize("several", [False, True])
def test_what_is_held_can_be_installed_wherever_apt_can_install_from_everything(several: bool) -> None:
    """Packages made up from seeds. apt's word on all there is, and on the closure alone; ours before it."""
    agreed = refused = 0
    for seed in range(SEEDS_EACH):
        stanzas, wanted = made_up(seed, several=several)
        one = of_two_architectures(stanzas) if several else Universe([held(*(s for _, s in stanzas))], "amd64")
        architectures = one.architectures
        found, whole = resolve(one, wanted), judge([s for _, s in stanzas], wanted, architectures)
        assert whole.installable == (not found.problems), (seed, found.problems, whole.said)
        if whole.installable:
            packages = [needed.package for needed in closure(one, wanted).packages]
            from_held = judge(one.stanzas(packages), wanted, architectures)
            assert from_held.installable, (seed, from_held.said)
            assert whole.takes <= {(one.name, one.version, one.architecture) for one in packages}, seed
        agreed, refused = agreed + whole.installable, refused + (not whole.installable)
    assert agreed > 2
    assert refused > 2
