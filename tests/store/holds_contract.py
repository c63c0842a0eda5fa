"""What every `Holds` promises. A subclass of `HoldsContract` gives it as the fixture `holds`."""

from dataclasses import replace

import pytest

from tidegate.store import holds as module
from tidegate.store import sqlite_holds
from tidegate.store.holds import Hold, Holds, Origin, PackageKey, Reported, Wish

NOW = 1_795_000_000
DAY_S = 86_400


def key(name: str = "hello", suite: str = "stable", architecture: str = "amd64", archive: str = "debian") -> PackageKey:
    return PackageKey(archive, suite, "main", architecture, name)


def used(of: PackageKey, since: int = NOW, last_used_at: int = NOW, uses: int = 1) -> Hold:
    return Hold(*of, Origin.CLIENTS, "", since, last_used_at, uses)


class HoldsContract:
    def test_at_first_nothing_is_wanted(self, holds: Holds) -> None:
        assert holds.all() == holds.named("hello") == ()
        assert holds.wishes() == ()
        assert holds.problems(Origin.NEED, "web") == ()

    # Uses

    def test_what_clients_ask_for_is_held_since_the_first_time_until_after_the_last(self, holds: Holds) -> None:
        holds.note_used([key()], NOW)
        holds.note_used([key(), key("other")], NOW + DAY_S)
        assert holds.all() == (
            used(key(), NOW, NOW + DAY_S, 2),
            used(key("other"), NOW + DAY_S, NOW + DAY_S),
        )
        assert holds.all()[0].why == "asked for by clients"

    def test_one_batch_is_one_use_however_often_it_names_a_package(self, holds: Holds) -> None:
        holds.note_used([key(), key(), key()], NOW)
        assert holds.all() == (used(key()),)

    def test_a_clock_that_was_set_back_makes_no_use_older(self, holds: Holds) -> None:
        holds.note_used([key()], NOW)
        holds.note_used([key()], NOW - DAY_S)
        assert holds.all() == (used(key(), NOW, NOW, 2),)

    def test_packages_of_one_name_are_told_apart_by_place_and_architecture(self, holds: Holds) -> None:
        keys = [
            key(),
            key(architecture="arm64"),
            key(suite="testing"),
            key(archive="contoso"),
            key()._replace(component="contrib"),
        ]
        holds.note_used(keys, NOW)
        assert {one.key for one in holds.named("hello")} == set(keys)
        assert holds.named("hello") == holds.all()
        assert holds.named("hell") == ()

    def test_what_was_last_asked_for_before_a_moment_is_forgotten(self, holds: Holds) -> None:
        holds.note_used([key(), key("fresh")], NOW)
        holds.note_used([key("fresh")], NOW + DAY_S)
        holds.replace(Origin.NEED, "web", [key("libgreet1")], NOW - DAY_S)
        assert holds.forget(NOW) == 0
        assert holds.forget(NOW + 1) == 1
        assert [one.name for one in holds.all()] == ["fresh", "libgreet1"]

    def test_one_package_is_forgotten_until_clients_ask_again(self, holds: Holds) -> None:
        holds.note_used([key(), key(suite="testing"), key("other")], NOW)
        holds.replace(Origin.NEED, "web", [key()], NOW)
        assert holds.forget_named("hello") == 2
        assert holds.forget_named("hello") == 0
        assert [(one.name, one.origin) for one in holds.all()] == [("hello", Origin.NEED), ("other", Origin.CLIENTS)]
        holds.note_used([key()], NOW + 5)
        assert holds.named("hello")[0] == used(key(), NOW + 5, NOW + 5)

    def test_of_too_many_those_asked_for_least_lately_go(self, holds: Holds, monkeypatch: pytest.MonkeyPatch) -> None:
        for place in (module, sqlite_holds):
            monkeypatch.setattr(place, "USED_MAX", 3)
        holds.replace(Origin.NEED, "web", [key("z")], NOW - 9)
        for number, name in enumerate("dcba"):
            holds.note_used([key(name)], NOW + number)
        assert [one.name for one in holds.all()] == ["a", "b", "c", "z"]

    # What others want

    def test_an_author_wants_what_it_said_last_and_each_since_it_first_did(self, holds: Holds) -> None:
        holds.replace(Origin.NEED, "web", [key("nginx"), key("libold")], NOW)
        holds.replace(Origin.NEED, "mail", [key("libold")], NOW)
        missing = "nginx needs libmissing, which is nowhere"
        holds.replace(Origin.NEED, "web", [key("nginx"), key("libnew")], NOW + 5, [missing])
        assert [(one.name, one.by, one.since, one.last_used_at) for one in holds.all()] == [
            ("libnew", "web", NOW + 5, NOW + 5),
            ("libold", "mail", NOW, NOW),
            ("nginx", "web", NOW, NOW + 5),
        ]
        assert holds.problems(Origin.NEED, "web") == (missing,)
        assert holds.problems(Origin.NEED, "mail") == ()

    def test_an_inventory_a_need_and_a_use_of_one_package_stand_beside_each_other(self, holds: Holds) -> None:
        holds.note_used([key()], NOW)
        holds.replace(Origin.NEED, "web", [key()], NOW)
        holds.reported([Reported(key(), 12, NOW)], NOW)
        holds.note_upgrade("web", [key()], NOW)
        assert [one.why for one in holds.named("hello")] == [
            "asked for by clients",
            "12 hosts have it installed, last reported 2026-11-18 11:06 UTC",
            "needed by web",
            "needed by an upgrade of web",
        ]
        holds.reported([], NOW + 1)
        assert [one.origin for one in holds.all()] == [Origin.CLIENTS, Origin.NEED, Origin.UPGRADE]

    # What hosts have

    def test_a_report_takes_the_place_of_the_one_before_as_a_whole(self, holds: Holds) -> None:
        holds.reported([Reported(key(), 3, NOW - 9), Reported(key("gone"), 1, NOW - 5)], NOW)
        holds.reported([Reported(key("new"), 1, NOW + 4), Reported(key(), 2, NOW + 3)], NOW + 5)
        told = [(one.name, one.uses, one.since, one.last_used_at) for one in holds.all()]
        assert told == [("hello", 2, NOW, NOW + 3), ("new", 1, NOW + 5, NOW + 4)]
        assert holds.all()[1].why.startswith("1 host has it installed, last reported ")

    def test_what_no_host_has_any_more_is_no_report(self, holds: Holds) -> None:
        holds.reported([Reported(key(), 0, NOW), Reported(key("other"), 1, NOW), Reported(key("other"), 7, NOW)], NOW)
        assert [(one.name, one.uses) for one in holds.all()] == [("other", 7)]

    def test_a_report_that_breaks_off_changes_nothing(self, holds: Holds) -> None:
        holds.reported([Reported(key(), 1, NOW)], NOW)

        def broken() -> "list[Reported]":
            raise OSError("the hosts cannot be read on")

        with pytest.raises(OSError, match="read on"):
            holds.reported((one for _ in "x" for one in broken()), NOW + 1)
        assert [one.key for one in holds.all()] == [key()]

    def test_of_too_many_those_on_the_fewest_hosts_are_left_out(
        self, holds: Holds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "REPORTED_MAX", 2)
        holds.reported([Reported(key(name), hosts, NOW) for name, hosts in (("a", 1), ("b", 9), ("c", 5))], NOW)
        assert [one.name for one in holds.all()] == ["b", "c"]

    def test_an_old_report_is_forgotten_like_an_old_use(self, holds: Holds) -> None:
        holds.reported([Reported(key(), 1, NOW), Reported(key("other"), 1, NOW + DAY_S)], NOW + DAY_S)
        assert holds.forget(NOW + 1) == 1
        assert holds.forget_named("other") == 0, "hosts have it all the same"
        assert [one.name for one in holds.all()] == ["other"]

    # What upgrades need

    def test_what_an_upgrade_needs_is_added_to_what_those_before_needed(self, holds: Holds) -> None:
        holds.note_upgrade("web", [key("libnew1")], NOW)
        holds.note_upgrade("web", [key("libnew2"), key("libnew1")], NOW + 5)
        holds.note_upgrade("mail", [key("libnew1")], NOW + 1)
        told = [(one.name, one.by, one.since, one.last_used_at) for one in holds.all()]
        assert told == [
            ("libnew1", "mail", NOW + 1, NOW + 1),
            ("libnew1", "web", NOW, NOW + 5),
            ("libnew2", "web", NOW + 5, NOW + 5),
        ]

    def test_what_an_upgrade_needed_fades_and_can_be_forgotten(self, holds: Holds) -> None:
        holds.note_upgrade("web", [key("libold"), key("libnew")], NOW)
        holds.note_upgrade("web", [key("libnew"), key("libnewest")], NOW + 5)
        assert holds.forget(NOW + 1) == 1
        assert holds.forget_named("libnew") == 1
        assert [one.name for one in holds.all()] == ["libnewest"]

    def test_of_too_many_that_upgrades_need_those_found_least_lately_go(
        self, holds: Holds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in (module, sqlite_holds):
            monkeypatch.setattr(place, "UPGRADES_MAX", 2)
        holds.note_used([key("used")], NOW - DAY_S)
        for later, name in enumerate("abc"):
            holds.note_upgrade("web", [key(name)], NOW + later)
        assert [one.name for one in holds.all()] == ["b", "c", "used"]

    def test_a_broken_list_changes_nothing(self, holds: Holds) -> None:
        holds.replace(Origin.NEED, "web", [key()], NOW)

        def broken() -> "list[PackageKey]":
            raise OSError("the list cannot be read on")

        with pytest.raises(OSError, match="read on"):
            holds.replace(Origin.NEED, "web", (one for _ in "x" for one in broken()), NOW + 1)
        assert [one.key for one in holds.all()] == [key()]

    # Rules

    def test_every_field_of_a_rule_is_kept(self, holds: Holds) -> None:
        wish = Wish("web", ("nginx*", "ssl-cert"), "debian", "stable", "main", "amd64", True, True, NOW)
        holds.wish(wish)
        holds.wish(Wish("all", suite="stable-security", since=NOW))
        assert holds.wishes() == (Wish("all", suite="stable-security", since=NOW), wish)

    def test_a_rule_takes_the_place_of_the_one_of_its_name(self, holds: Holds) -> None:
        holds.wish(Wish("web", ("nginx",), since=NOW))
        holds.wish(replace(Wish("web", ("apache2",)), since=NOW + 1))
        assert holds.wishes() == (Wish("web", ("apache2",), since=NOW + 1),)

    def test_a_rule_that_goes_takes_along_what_it_needed_and_nothing_else(self, holds: Holds) -> None:
        holds.wish(Wish("web", ("nginx",)))
        holds.replace(Origin.NEED, "web", [key("libssl3")], NOW, ["no"])
        holds.note_upgrade("web", [key("bash")], NOW)
        holds.note_used([key("libssl3")], NOW)
        assert holds.unwish("web")
        assert not holds.unwish("web")
        assert holds.wishes() == ()
        assert holds.problems(Origin.NEED, "web") == ()
        assert [(one.name, one.origin) for one in holds.all()] == [
            ("bash", Origin.UPGRADE),
            ("libssl3", Origin.CLIENTS),
        ]

    def test_there_are_only_so_many_rules(self, holds: Holds, monkeypatch: pytest.MonkeyPatch) -> None:
        for place in (module, sqlite_holds):
            monkeypatch.setattr(place, "WISHES_MAX", 2)
        for name in ("a", "b"):
            holds.wish(Wish(name))
        with pytest.raises(OSError, match="rules already"):
            holds.wish(Wish("c"))
        holds.wish(Wish("b", ("nginx",)))
        assert [one.name for one in holds.wishes()] == ["a", "b"]
