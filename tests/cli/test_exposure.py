"""`tidegate exposure`: the spring of 2026 kept in a state directory, without anything running."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.commands import Ended, tidegate
from tests.fleet.incident import (
    COPY_FAIL,
    DAY_S,
    FIXED,
    KERNEL,
    KMOD,
    MITIGATED,
    OLD_KERNEL,
    UUTILS,
    module,
    ordinary,
    package,
    take,
)
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.cli.exit_codes import ExitCode
from tidegate.fleet.inventory import Inventory
from tidegate.fleet.sqlite_hosts import SqliteHosts

BEGIN = MITIGATED - 3 * DAY_S
AFTER = FIXED + 3600


class House:
    """A state of its own, in which no gateway ever ran, with what the feeds said and hosts had in that spring."""

    def __init__(self, root: Path) -> None:
        self.state = root / "state"
        self.state.mkdir()
        self.config = root / "tidegate.toml"
        self.config.write_text("archive = []\n")

    def __call__(self, *words: object) -> Ended:
        return tidegate("exposure", *words, "--config", self.config, "--state", self.state)

    def hear(self, *moments: int) -> None:
        with closing(SqliteHistory(self.state / "advisories.db")) as history:
            for when in moments:
                take(history, when)

    def report(self, identity: str, inventory: Inventory, *tags: str) -> None:
        told = replace(inventory, host=replace(inventory.host, id=identity, name=f"{identity}.example"))
        with closing(SqliteHosts(self.state / "fleet.db")) as hosts:
            hosts.report(told, bytes(32), tags)


def then(moment: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Four hosts: one does nothing, one takes kmod's update, one the kernel's and restarts late, one is of 26.04."""
    made = House(tmp_path_factory.mktemp("exposure"))
    made.hear(BEGIN, MITIGATED - DAY_S, MITIGATED, MITIGATED + DAY_S, FIXED, AFTER)
    for when in range(BEGIN, AFTER + 1, DAY_S):
        made.report("idle", ordinary("noble", when))
        mitigated = when > MITIGATED
        modules = [module(blocked=mitigated)]
        made.report("careful", ordinary("noble", when, kmod=KMOD["noble"] if mitigated else "", modules=modules))
        coreutils = replace(ordinary("noble", when).host, release="resolute")
        newest = (package("rust-coreutils", "0.8.0-0ubuntu3"),)
        coreutils = replace(coreutils, kernel="")
        made.report("newest", replace(ordinary("noble", when), host=coreutils, packages=newest))
    both = (OLD_KERNEL["noble"], KERNEL["noble"])
    made.report("idle", ordinary("noble", AFTER))
    made.report("late", ordinary("noble", AFTER, kernels=both, runs=both[0]), "web")
    return made


def classes(ended: Ended) -> dict[str, int]:
    return {one["exposure"]: one["hosts"] for one in ended.json["classes"] if one["hosts"]}


def test_before_the_remedy_there_is_nothing_to_be_done_and_the_exit_code_says_so(house: House) -> None:
    ended = house("--cve", COPY_FAIL, "--at", then(MITIGATED - 60), "--json")
    assert classes(ended) == {"no-fix": 2}
    assert (ended.json["to_do"], ended.code) == (0, ExitCode.OK)


def test_after_it_whoever_took_it_is_told_apart(house: House) -> None:
    ended = house("--cve", COPY_FAIL.lower(), "--at", then(MITIGATED + 2 * DAY_S), "--json")
    assert classes(ended) == {"mitigation-only": 2}
    effects = {tuple(one["hosts"]): one["finding"]["mitigations"][0]["effect"] for one in ended.json["findings"]}
    assert effects == {("idle.example",): "not-applied", ("careful.example",): "effective"}
    assert (ended.json["to_do"], ended.code) == (1, ExitCode.NO)


def test_with_the_kernel_out_and_nothing_held_hosts_are_blocked_and_one_waits_for_its_restart(house: House) -> None:
    ended = house("--cve", COPY_FAIL, "--at", then(AFTER), "--json")
    assert classes(ended) == {"published-not-held": 2, "fixed-on-disk-not-running": 1}
    shown = house("--cve", COPY_FAIL, "--at", then(AFTER))
    assert "restart the host" in shown.out
    assert "USN-8226-1" not in house("--cve", COPY_FAIL, "--at", then(MITIGATED - 60)).out


def test_the_coreutils_are_never_blocked_by_the_outage(house: House) -> None:
    for moment in (MITIGATED - 60, MITIGATED + DAY_S, AFTER):
        for cve in sorted(UUTILS["resolute"])[:3]:
            assert classes(house("--cve", cve, "--at", then(moment), "--json")) == {"no-fix": 1}
    of_host = house("--host", "newest", "--at", then(AFTER), "--json")
    (newest,) = of_host.json["hosts"]
    assert {one["exposure"] for one in newest["findings"]} == {"no-fix"}
    assert {one["about"] for one in newest["findings"]} == set(UUTILS["resolute"])
    assert of_host.code == ExitCode.OK


def test_the_whole_fleet_is_told_with_the_worst_first(house: House) -> None:
    ended = house("--at", then(AFTER), "--limit", 3, "--json")
    assert ended.json["hosts"] == 4
    assert ended.json["cves"][0]["about"] == COPY_FAIL
    assert ended.json["cves_total"] == 1 + len(UUTILS["resolute"])
    assert len(ended.json["cves"]) == 3
    shown = house("--at", then(AFTER))
    assert "CVE-2026-31431" in shown.out
    assert "published-not-held" in shown.out


def test_only_hosts_with_a_tag_and_only_a_class_that_is_asked_for(house: House) -> None:
    web = house("--tag", "web", "--at", then(AFTER), "--json")
    assert web.json["hosts"] == 1
    assert classes(web) == {"fixed-on-disk-not-running": 1}
    assert house("--class", "fixable-from-held", "--at", then(AFTER)).code == ExitCode.OK
    assert house("--class", "fixed-on-disk-not-running", "--at", then(AFTER)).code == ExitCode.NO
    wrong = house("--class", "open")
    assert (wrong.code, "no class" in wrong.err) == (ExitCode.USAGE, True)


def test_a_feed_of_21_months_ago_makes_everything_unknown_and_nothing_clean(house: House) -> None:
    later = then(AFTER + 640 * DAY_S)
    whole = house("--at", later, "--json")
    assert classes(whole) == {"unknown": 4}
    assert (whole.json["cves"], whole.code) == ([], ExitCode.WARNING)
    assert {one["unknown_since"] for one in whole.json["feeds"]} == {AFTER}
    one = house("--cve", COPY_FAIL, "--at", later, "--json")
    assert (classes(one), one.json["cve"]["hosts"], one.code) == ({"unknown": 3}, 0, ExitCode.WARNING)
    (host,) = house("--host", "idle", "--at", later, "--json").json["hosts"]
    assert not host["clean"]
    assert {finding["exposure"] for finding in host["findings"]} == {"unknown"}
    assert {finding["last_known"] for finding in host["findings"]} == {"published-not-held"}
    assert "unknown" in house("--at", later).err
    assert "Nothing is open" not in house("--host", "careful", "--at", later).out


def test_a_kernel_that_no_package_brought_is_no_all_clear(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.hear(AFTER)
    bare = ordinary("noble", AFTER, kernels=[KERNEL["noble"]], runs="6.8.0-1-custom")
    house.report("h1", bare)
    of_host, whole = house("--host", "h1", "--at", then(AFTER)), house("--at", then(AFTER))
    assert (of_host.code, "6.8.0-1-custom runs, and no package" in of_host.err) == (ExitCode.WARNING, True)
    assert (whole.code, "could not be judged" in whole.err) == (ExitCode.WARNING, True)
    assert "Nothing is open" not in of_host.out


def test_a_name_that_nobody_has_and_a_place_without_hosts_are_said_to_be_so(house: House, tmp_path: Path) -> None:
    ended = house("--host", "nobody")
    assert (ended.code, "no host 'nobody'" in ended.err) == (ExitCode.USAGE, True)
    empty = tidegate("exposure", "--config", house.config, "--state", tmp_path / "nothing")
    assert (empty.code, "no host has ever reported" in empty.err) == (ExitCode.UNAVAILABLE, True)
    assert house("--cve", COPY_FAIL, "--host", "idle").code == ExitCode.USAGE


def test_an_id_that_no_host_is_open_to_is_open_on_none(house: House) -> None:
    ended = house("--cve", "CVE-1999-0001", "--at", then(AFTER), "--json")
    assert (ended.json["cve"]["hosts"], ended.json["findings"], ended.code) == (0, [], ExitCode.OK)
