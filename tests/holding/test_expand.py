"""What a rule needs: of each family of suites by itself, for each architecture, with vendors' own repositories."""

from collections.abc import Sequence

import pytest

from tests.holding.test_hot_set import CODENAMES, NOW
from tidegate.archive.packages import parse_packages
from tidegate.holding import expand
from tidegate.holding.expand import Needs, Offering, needs_of
from tidegate.holding.hot_set import HotSet, place_of
from tidegate.holding.universe import HeldIndex
from tidegate.store.holds import Wish

BASE = ("libc6", "", "Essential: yes")


def stanza(architecture: str, name: str, depends: str = "", more: str = "") -> bytes:
    lines = [
        f"Package: {name}",
        "Version: 1",
        f"Architecture: {architecture}",
        f"Filename: pool/main/{name}_1_{architecture}.deb",
        "Size: 1",
        f"SHA256: {name.encode().hex():0>64}",
        *([f"Depends: {depends}"] if depends else []),
        *([more] if more else []),
    ]
    return ("\n".join(lines) + "\n\n").encode()


def offering(archive: str, suite: str, *packages: Sequence[str], architecture: str = "amd64") -> Offering:
    flat = suite.endswith("/")
    path = "Packages" if flat else f"dists/{suite}/main/binary-{architecture}/Packages"
    text = b"".join(stanza(architecture, *one) for one in packages)
    listed = list(parse_packages([text]))
    index = HeldIndex(place_of(archive, suite, path, CODENAMES), [text])
    return Offering(index, frozenset(one.name for one in listed), frozenset(one.architecture for one in listed))


def needed(wish: Wish, *offered: Offering) -> Needs:
    return needs_of(wish, offered, HotSet([], [wish], CODENAMES, now=NOW, forget_after_s=1.0))


def keys(needs: Needs) -> set[str]:
    return {f"{key.suite} {key.name} {key.architecture}" for key in needs.keys}


WEB = Wish("web", ("web*",), closure=True)


def test_each_family_is_answered_for_by_itself() -> None:
    noble = offering("ubuntu", "noble", BASE, ("webd", "libweb2"), ("libweb2",))
    jammy = offering("ubuntu", "jammy", BASE, ("webd", "libweb1"), ("libweb1",))
    found = needed(WEB, noble, jammy)
    assert keys(found) == {"noble webd amd64", "noble libweb2 amd64", "jammy webd amd64", "jammy libweb1 amd64"}
    assert found.problems == ()


def test_a_rule_for_one_suite_may_need_what_another_pocket_of_its_family_has() -> None:
    release = offering("ubuntu", "noble", BASE, ("libweb2",))
    updates = offering("ubuntu", "noble-updates", ("webd", "libweb2"))
    other = offering("ubuntu", "jammy", BASE, ("webd", "libnone"))
    found = needed(Wish("web", ("webd",), suite="noble", closure=True), release, updates, other)
    assert keys(found) == {"noble-updates webd amd64", "noble libweb2 amd64"}
    assert found.problems == ()


def test_a_vendors_own_repository_belongs_to_every_family() -> None:
    noble = offering("ubuntu", "noble", BASE, ("libweb2",))
    jammy = offering("ubuntu", "jammy", BASE, ("libweb2",))
    vendor = offering("contoso", "./", ("webd", "libweb2"))
    found = needed(WEB, noble, jammy, vendor)
    assert keys(found) == {"./ webd amd64", "noble libweb2 amd64", "jammy libweb2 amd64"}


def test_without_any_base_system_what_there_is_is_one_family() -> None:
    found = needed(WEB, offering("contoso", "./", ("webd", "libweb")), offering("fabrikam", "x/", ("libweb",)))
    assert keys(found) == {"./ webd amd64", "x/ libweb amd64"}


def test_each_architecture_is_answered_for_unless_the_rule_names_one() -> None:
    both = [
        offering("ubuntu", "noble", BASE, ("webd", "libweb"), ("libweb",), architecture=one)
        for one in ("amd64", "arm64")
    ]
    assert len(needed(WEB, *both).keys) == 4
    found = needed(Wish("web", ("webd",), architecture="arm64", closure=True), *both)
    assert keys(found) == {"noble webd arm64", "noble libweb arm64"}


def test_what_cannot_be_had_is_told_and_the_rest_is_needed_all_the_same() -> None:
    found = needed(WEB, offering("ubuntu", "noble", BASE, ("webd", "libnone"), ("webfs", "libc6")))
    assert keys(found) == {"noble webfs amd64", "noble libc6 amd64"}
    assert len(found.problems) == 1
    assert "libnone" in found.problems[0]


def test_a_name_that_others_only_provide_is_wanted_by_that_name() -> None:
    wish = Wish("mta", ("mail-transport-agent",), closure=True)
    found = needed(wish, offering("ubuntu", "noble", BASE, ("postfix", "libc6", "Provides: mail-transport-agent")))
    assert keys(found) == {"noble postfix amd64", "noble libc6 amd64"}


def test_a_pattern_that_fits_too_much_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "NAMES_MAX", 2)
    found = needed(WEB, offering("ubuntu", "noble", BASE, *((f"web{number}",) for number in range(3))))
    assert found.keys == frozenset()
    assert found.problems == ("3 names fit, more than 2: what they need is not held",)
