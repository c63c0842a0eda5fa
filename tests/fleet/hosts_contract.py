"""What every `Hosts` promises. A subclass of `HostsContract` gives it as the fixture `hosts`."""

from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256

import pytest

from tests.fleet.incident import DAY_S, host, image, module, package
from tidegate.fleet.composition import pieces_of, setting_of
from tidegate.fleet.hosts import SILENCE_S, TAGS_MAX, Hosts, TooManyHostsError
from tidegate.fleet.inventory import Host, Inventory, Package, Suite

T = 1_777_600_000
HOSTS_MAX = 50
"""Of the implementations that are tested."""


def had(*packages: Package, identity: str = "h1", at: int = T, runs: str = "6.8.0-110-generic") -> Inventory:
    """A host of noble."""
    made = host("noble", *(packages or (package("bash", "5.2"),)), runs=runs, taken_at=at)
    return replace(made, host=replace(made.host, id=identity, name=f"{identity}.example"))


def take(hosts: Hosts, inventory: Inventory, tags: Collection[str] | None = None) -> bool:
    return hosts.report(inventory, sha256(repr(replace(inventory, taken_at=0)).encode()).digest(), tags)


class HostsContract:
    def test_at_first_there_are_none(self, hosts: Hosts) -> None:
        assert list(hosts.entries()) == []
        assert list(hosts.compositions()) == []
        assert (hosts.entry("h1"), hosts.inventory("h1"), hosts.composition("h1")) == (None, None, None)
        assert hosts.named("h1") == ()
        assert not hosts.confirm("h1", bytes(32), T)
        assert not hosts.tag("h1", ["web"])
        assert not hosts.remove("h1", T)

    def test_a_report_is_kept_with_every_field(self, hosts: Hosts) -> None:
        told = Inventory(
            Host("h1", "a name", "ubuntu", "noble", "6.8.0-1-generic", "boot-1", frozenset({Suite("Ubuntu", "noble")})),
            tuple(
                sorted(
                    [
                        Package("bash", "amd64", "5.2-1", "bash", "5.2-1", "half-installed", held=True, origin="A b"),
                        Package("libc6", "amd64", "2.39-1", "glibc", "2.39-1"),
                        Package("libc6", "i386", "2.39-1", "glibc", "2.39-1"),
                    ]
                )
            ),
            T,
            had().form,
            (module(blocked=None),),
            ("package x: no version",),
        )
        assert take(hosts, told, ["web", "eu"])
        assert hosts.inventory("h1") == told
        entry = hosts.entry("h1")
        assert entry is not None
        assert entry.host == told.host
        assert (entry.form, entry.seen_at, entry.changed_at, entry.packages) == (told.form, T, T, 3)
        assert entry.tags == {"web", "eu"}
        assert list(hosts.entries()) == [entry]
        assert hosts.named("h1") == hosts.named("a name") == hosts.numbered([entry.number]) == (entry,)

    def test_what_nobody_said_is_not_nothing(self, hosts: Hosts) -> None:
        for suites in (None, frozenset[Suite]()):
            told = had(at=T + (suites is not None))
            take(hosts, replace(told, host=replace(told.host, suites=suites)))
            found = hosts.inventory("h1")
            assert found is not None
            assert found.host.suites == suites

    def test_the_same_again_tells_nothing_new_and_was_seen(self, hosts: Hosts) -> None:
        assert take(hosts, had())
        assert not take(hosts, had(at=T + 60))
        entry = hosts.entry("h1")
        assert entry is not None
        assert (entry.seen_at, entry.changed_at) == (T + 60, T)

    def test_a_report_is_confirmed_by_its_digest_alone(self, hosts: Hosts) -> None:
        take(hosts, had())
        entry = hosts.entry("h1")
        assert entry is not None
        assert not hosts.confirm("h1", bytes(32), T + 60)
        assert hosts.confirm("h1", entry.reported, T + 60)
        entry = hosts.entry("h1")
        assert entry is not None
        assert (entry.seen_at, entry.changed_at) == (T + 60, T)

    def test_what_a_host_had_before_stays_answerable(self, hosts: Hosts) -> None:
        old, new = had(), had(package("bash", "5.3"), at=T + DAY_S)
        assert take(hosts, old)
        assert take(hosts, new)
        assert hosts.inventory("h1") == new
        assert hosts.inventory("h1", T + 10) == old
        assert hosts.inventory("h1", T - 1) is None
        before = hosts.entry("h1", T + DAY_S - 1)
        assert before is not None
        assert (before.seen_at, before.changed_at) == (T, T)

    def test_a_host_that_was_silent_is_remembered_to_have_been(self, hosts: Hosts) -> None:
        take(hosts, had())
        take(hosts, had(at=T + SILENCE_S))
        take(hosts, had(at=T + 5 * DAY_S))
        expected = {
            T + 60: T + 60,
            T + SILENCE_S: T + SILENCE_S,
            T + 2 * DAY_S: T + SILENCE_S,
            T + 5 * DAY_S - 1: T + SILENCE_S,
            T + 9 * DAY_S: T + 5 * DAY_S,
        }
        for at, seen_at in expected.items():
            entry, inventory = hosts.entry("h1", at), hosts.inventory("h1", at)
            assert entry is not None
            assert inventory is not None
            assert entry.seen_at == inventory.taken_at == seen_at
        assert [seen for _, seen in hosts.compositions(T + 2 * DAY_S)] == [T + SILENCE_S]

    def test_a_report_from_before_the_last_changes_nothing(self, hosts: Hosts) -> None:
        take(hosts, had(at=T + 60))
        assert not take(hosts, had(package("bash", "4.0"), at=T))
        assert hosts.inventory("h1") == had(at=T + 60)

    def test_of_two_reports_in_one_second_the_second_holds(self, hosts: Hosts) -> None:
        take(hosts, had())
        assert take(hosts, had(package("bash", "5.3")))
        assert hosts.inventory("h1") == had(package("bash", "5.3"))
        assert hosts.inventory("h1", T) == had(package("bash", "5.3"))

    def test_a_restart_alone_is_news(self, hosts: Hosts) -> None:
        take(hosts, had())
        told = had(at=T + 60)
        assert take(hosts, replace(told, host=replace(told.host, boot="another")))

    def test_a_removed_host_is_gone_and_was_there(self, hosts: Hosts) -> None:
        take(hosts, had())
        before = hosts.entry("h1")
        assert before is not None
        assert hosts.remove("h1", T + 60)
        assert not hosts.remove("h1", T + 61)
        assert hosts.entry("h1") is None
        assert list(hosts.entries()) == []
        assert list(hosts.compositions()) == []
        assert hosts.inventory("h1", T + 59) is not None
        assert not take(hosts, had(at=T + 59))
        assert take(hosts, had(at=T + 90))
        after = hosts.entry("h1")
        assert after is not None
        assert after.number == before.number

    def test_tags_are_replaced_whole_and_a_report_without_any_leaves_them(self, hosts: Hosts) -> None:
        take(hosts, had(), ["web"])
        take(hosts, had(at=T + 1))
        assert [one.tags for one in hosts.entries()] == [{"web"}]
        assert hosts.tag("h1", ["db", "eu"])
        assert [one.tags for one in hosts.entries()] == [{"db", "eu"}]
        with pytest.raises(ValueError, match="tags"):
            hosts.tag("h1", [str(number) for number in range(TAGS_MAX + 1)])

    def test_hosts_have_numbers_of_their_own_and_share_what_is_equal(self, hosts: Hosts) -> None:
        shared, own = package("bash", "5.2"), package("vim", "9")
        take(hosts, had(shared, identity="h1"))
        take(hosts, had(shared, own, identity="h2"))
        made = {composition.number: composition for composition, _ in hosts.compositions()}
        one, two = hosts.composition("h1"), hosts.composition("h2")
        assert one is not None
        assert two is not None
        assert {composition.number: list(composition.pieces) for composition in (one, two)} == {
            number: list(composition.pieces) for number, composition in made.items()
        }
        assert one.setting == two.setting
        assert set(one.pieces) < set(two.pieces)
        assert hosts.settings([one.setting]) == {one.setting: setting_of(had())}
        assert sorted(hosts.pieces(two.pieces).values()) == [(shared,), (own,)]
        with pytest.raises(KeyError):
            hosts.pieces([10**9])

    def test_a_host_is_all_of_its_pieces(self, hosts: Hosts) -> None:
        told = had(
            package("bash", "5.2"), package("libc6", "2", "glibc"), package("libc-bin", "2", "glibc"), image("1")
        )
        take(hosts, told)
        made = hosts.composition("h1")
        assert made is not None
        assert sorted(hosts.pieces(made.pieces).values()) == sorted(pieces_of(told.packages))

    def test_there_is_a_limit_to_hosts_and_those_that_are_known_still_report(self, hosts: Hosts) -> None:
        for number in range(HOSTS_MAX):
            take(hosts, had(identity=f"h{number}"))
        with pytest.raises(TooManyHostsError):
            take(hosts, had(identity="one-too-many"))
        assert take(hosts, had(package("bash", "5.3"), identity="h1", at=T + 1))
        assert len(list(hosts.entries())) == HOSTS_MAX
