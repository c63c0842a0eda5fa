"""`tidegate hold` before a real gateway: rules, what clients used, why; while it runs and when it does not."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cli.commands import Ended, tidegate
from tests.conftest import GatewayFactory
from tests.e2e.judging import refreshed
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.cli.exit_codes import ExitCode
from tidegate.store.holds import PackageKey, Reported
from tidegate.store.sqlite_holds import SqliteHolds
from tidegate.web.hold_report import WishRequest
from tidegate.wiring.hold import WishError, wish_of

HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"
NOBODY = 65_534
SOURCE = "pool/main/h/hello/hello_1.0-1.dsc"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> SimulatedArchive:
    made = SimulatedArchive(tmp_path_factory.mktemp("hold") / "archive", keys)
    made.add_package("base-files", fields={"Essential": "yes"})
    made.add_package("hello", "1.0", depends="libgreet1 (>= 1.0), greeting | base-files")
    made.add_package("libgreet1", "1.0+ds-1~sim1")
    made.add_package("wants-more", depends="libgreet1, libmissing")
    made.add_package("member", fields={"Task": "greeters, others"})
    made.add_package("greet-data", "2:3.0", architecture="all")
    made.add_source("hello", "1.0-1")
    made.add_package("hello", "1.1", suite="stable-security", depends="libgreet1 (>= 1.0)")
    made.suite("stable", codename="bookworm")
    made.suite("stable-security", codename="bookworm-security")
    made.publish()
    return made


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, archive: SimulatedArchive, keys: Keys
) -> Iterator[GatewayProcess]:
    with SourceServer(archive.public, prefix="/debian") as source:
        served = ServedArchive("debian", (source.url,), keys.keyring, suites=("stable", "stable-security"))
        made = GatewayProcess(tmp_path_factory.mktemp("hold-gateway"), (served,))
        made.start()
        yield made
        made.kill9()


def hold(gateway: GatewayProcess, *words: object) -> Ended:
    command, *rest = words
    return tidegate("hold", command, "--config", gateway.config, "--state", gateway.state, *rest)


def why(gateway: GatewayProcess, package: str) -> Any:
    return hold(gateway, "why", package, "--json").json


def reasons(gateway: GatewayProcess, package: str) -> dict[str, list[str]]:
    """By version, why it is wanted."""
    return {f"{one['suite']} {one['version']}": one["wanted"] for one in why(gateway, package)["offers"]}


def test_what_a_client_fetched_is_wanted_in_its_newer_version_too(
    gateway: GatewayProcess, archive: SimulatedArchive, keys: Keys
) -> None:
    assert why(gateway, "hello")["hot"] is False
    answer = gateway.get(f"/debian/{HELLO}")
    Oracle(keys.keyring, archive.public).check(HELLO, answer.body)
    gateway.get("/debian/dists/stable/InRelease")
    told = why(gateway, "hello")
    assert told["hot"] is True
    (reason,) = told["reasons"]
    assert (reason["why"], reason["suite"], reason["architecture"]) == ("asked for by clients", "stable", "amd64")
    assert reason["forgotten_at"] == reason["last_used_at"] + 90 * 86_400
    by_clients = ["asked for by clients"]
    assert reasons(gateway, "hello") == {
        "stable 1.0": [],
        "stable 1.0-1": [],
        "stable-security 1.1": by_clients,
    }
    assert [one["held"] for one in told["offers"] if one["version"] in ("1.0", "1.1")] == [True, False]
    assert gateway.get(f"/debian/{HELLO}").headers["x-tidegate"] == "hit"
    assert gateway.get(f"/debian/{HELLO}").headers["x-tidegate"] == "hit"
    (again,) = why(gateway, "hello")["reasons"]
    assert (again["since"], again["uses"]) == (reason["since"], reason["uses"] + 1)
    spoken = hold(gateway, "why", "hello").good().out
    assert "hello is wanted:\n  asked for by clients (debian stable main amd64), since" in spoken
    assert "counts for another" in spoken
    assert hold(gateway, "why", "nothing").code == ExitCode.NO


def test_a_rule_says_what_it_comes_to_and_what_fits_nothing(gateway: GatewayProcess) -> None:
    ended = hold(gateway, "add", "greet-*", "ngnix", "--name", "greeters", "--json")
    assert ended.code == ExitCode.NO
    rule = ended.json["rule"]
    assert (rule["name"], rule["unmatched"], rule["amount"]["packages"]) == ("greeters", ["ngnix"], 1)
    again = hold(gateway, "add", "greet-*", "--name", "greeters").good()
    assert again.out.startswith("Replaced the rule 'greeters': 1 package, ")
    assert reasons(gateway, "greet-data") == {"stable 2:3.0": ["wanted by greeters"]}
    listed = hold(gateway, "list").good().out
    assert "greeters  greet-*" in listed
    removed = hold(gateway, "remove", "greeters", "--json").good().json
    assert removed["rules"] == ["greeters"]
    assert hold(gateway, "remove", "greeters").code == ExitCode.NO
    assert reasons(gateway, "greet-data") == {"stable 2:3.0": []}


def test_what_is_wanted_and_not_held_is_listed_by_name(
    gateway_process: GatewayFactory, served: ServedArchive, source_server: SourceServer
) -> None:
    made = gateway_process(served)
    made.start()
    source_server.close()
    assert hold(made, "list", "--missing").good().out.startswith("Wanted: 0 packages")
    hold(made, "add", "greet-*", "--name", "greeters").good()
    ended = hold(made, "list", "--missing")
    assert ended.code == ExitCode.NO
    assert "greet-data  2:3.0" in ended.out
    assert "wanted by greeters" in ended.out
    (one,) = hold(made, "list", "--json").json["missing"]
    assert (one["name"], one["version"], one["held"]) == ("greet-data", "2:3.0", False)


def test_what_hosts_have_is_explained_by_how_many_and_since_when(gateway: GatewayProcess) -> None:
    now = int(time.time())
    with closing(SqliteHolds(gateway.state / "holds.db")) as holds:
        holds.reported([Reported(PackageKey("", "bookworm", "", "amd64", "member"), 12, now - 60)], now)
    (told,) = why(gateway, "member")["reasons"]
    assert (told["origin"], told["uses"], told["counts"]) == ("inventory", 12, True)
    assert told["why"].startswith("12 hosts have it installed, last reported ")
    assert "12 hosts have it installed" in hold(gateway, "why", "member").good().out
    assert "member" not in hold(gateway, "list").out, "by the thousand: with --needs"
    assert "member" in hold(gateway, "list", "--needs").out
    with closing(SqliteHolds(gateway.state / "holds.db")) as holds:
        holds.reported([], now)
    assert not why(gateway, "member")["hot"]


def test_all_of_a_pocket_is_that_pocket(gateway: GatewayProcess) -> None:
    rule = hold(gateway, "add", "--all-of", "bookworm-security", "--json").good().json["rule"]
    assert (rule["name"], rule["patterns"], rule["amount"]["packages"]) == ("all of bookworm-security", [], 1)
    assert hold(gateway, "remove", "all of bookworm-security").code == ExitCode.OK


def test_a_closure_holds_what_is_needed_and_tells_what_cannot_be_had(gateway: GatewayProcess) -> None:
    rule = hold(gateway, "add", "hello", "--closure", "--json").good().json["rule"]
    assert rule["amount"]["packages"] == 2  # hello in security's version, and libgreet1
    assert reasons(gateway, "libgreet1") == {"stable 1.0+ds-1~sim1": ["needed by hello"]}
    assert "needed by" not in hold(gateway, "list").good().out
    assert "needed by hello" in hold(gateway, "list", "--needs").good().out
    ended = hold(gateway, "add", "wants-more", "--closure")
    assert ended.code == ExitCode.NO
    assert "libmissing" in ended.out
    assert hold(gateway, "add", "greeters^", "--name", "task", "--json").good().json["rule"]["amount"]["packages"] == 1
    assert reasons(gateway, "member") == {"stable 1.0": ["needed by task"]}
    unknown = hold(gateway, "add", "nobody^", "--name", "task")
    assert unknown.code == ExitCode.NO
    assert "no package that is listed belongs to this task" in unknown.out
    hold(gateway, "remove", "hello", "wants-more", "task").good()
    assert reasons(gateway, "libgreet1") == {"stable 1.0+ds-1~sim1": []}


def test_what_a_rule_needs_follows_the_next_adoption(gateway: GatewayProcess, archive: SimulatedArchive) -> None:
    hold(gateway, "add", "plain", "--closure")
    archive.add_package("plain", "2.0", depends="greet-data")
    archive.publish()
    assert refreshed(gateway)
    gateway.wait_for(lambda: reasons(gateway, "greet-data") == {"stable 2:3.0": ["needed by plain"]})
    hold(gateway, "remove", "plain").good()


def test_rules_that_cannot_be_are_refused_by_the_gateway_and_without_one_alike(gateway: GatewayProcess) -> None:
    for words, told in (
        (("he llo",), "no package's name"),
        (("hello", "--archive", "contoso"), "no archive 'contoso' is served here; there is debian"),
        ((), "a suite to hold all of"),
        (("hello", "--all-of", "stable"), "--all-of stands alone"),
        (("hello", "--recommends"), "goes with --closure"),
        (("hello", "--name", "a\nb"), "printable"),
    ):
        ended = hold(gateway, "add", *words)
        assert (ended.code, told in ended.err) == (ExitCode.USAGE, True), ended.err


def test_without_a_gateway_the_state_itself_is_asked_and_changed(
    gateway_process: GatewayFactory, served: ServedArchive
) -> None:
    gateway = gateway_process(served)
    gateway.start()
    gateway.get(f"/debian/{HELLO}")
    gateway.get(f"/debian/{SOURCE}")
    assert gateway.stop() == 0
    assert [one["name"] for one in hold(gateway, "list", "--json").good().json["packages"]] == ["hello", "hello"]
    assert hold(gateway, "add", "he llo").code == ExitCode.USAGE
    hold(gateway, "add", "greet-data", "--name", "mine").good()
    assert hold(gateway, "why", "greet-data").good().out.startswith("greet-data is wanted:\n  wanted by mine, since")
    gateway.configure((served,), "[hold]\nforget_after_s = 0.001\n")
    faded = hold(gateway, "why", "hello")
    assert faded.code == ExitCode.NO
    assert faded.out.startswith("hello is no longer wanted:\n  asked for by clients (debian stable main amd64), since")
    assert "; no longer counts since" in faded.out
    gateway.configure((served,))
    assert hold(gateway, "remove", "hello", "--json").good().json["packages"] == ["hello"]
    assert hold(gateway, "why", "hello").out.startswith("Nobody wants hello; it is listed.")
    gateway.start()
    assert [one["name"] for one in hold(gateway, "list", "--json").good().json["rules"]] == ["mine"]
    gateway.kill9()
    for left in gateway.state.glob("holds.db*"):
        left.unlink()  # as an earlier version left it, here to the user that it served as
    os.chown(gateway.state, NOBODY, NOBODY)
    assert hold(gateway, "list", "--json").good().json["rules"] == []
    assert {path.stat().st_uid for path in gateway.state.glob("holds.db*")} == {NOBODY}


@pytest.mark.parametrize("words", [("add", "hello"), ("remove", "hello"), ("list",), ("why", "hello")])
def test_where_no_gateway_has_ever_served_nothing_is_made(
    gateway_process: GatewayFactory, served: ServedArchive, words: tuple[str, ...]
) -> None:
    gateway = gateway_process(served)
    ended = hold(gateway, *words)
    assert ended.code == ExitCode.UNAVAILABLE
    assert "no gateway has ever served from here" in ended.err
    assert not gateway.state.exists()


def test_uses_of_all_workers_are_learned(gateway_process: GatewayFactory, served: ServedArchive) -> None:
    gateway = gateway_process(served, arguments=("--workers", "2"))
    gateway.start()
    for path in (HELLO, SOURCE, "pool/main/g/greet-data/greet-data_3.0_all.deb"):
        for _ in range(4):
            assert gateway.get(f"/debian/{path}").status == 200
    assert gateway.stop() == 0
    packages = hold(gateway, "list", "--json").good().json["packages"]
    assert {(one["name"], one["architecture"]) for one in packages} == {
        ("hello", "amd64"),
        ("hello", "source"),
        ("greet-data", "all"),
    }


def test_a_rule_is_called_by_its_words_unless_it_has_a_name() -> None:
    assert wish_of(WishRequest(patterns=("a", "b*"), architecture="arm64"), [], 0).name == "a b* arm64"
    assert wish_of(WishRequest(suite="x", archive="debian"), ["debian"], 0).name == "all of debian x"
    many, more = (wish_of(WishRequest(patterns=tuple(map(str, range(n)))), [], 0).name for n in (500, 501))
    assert many.startswith("0 1 2 3 ")
    assert len(many) <= 100
    assert many != more, "rules that begin alike do not replace each other"
    for length in range(90, 110):  # wherever the cut falls, it is a name
        assert len(wish_of(WishRequest(patterns=("x" * length, "y", "z")), [], 0).name) <= 100
    with pytest.raises(WishError, match="leave --closure out"):
        wish_of(WishRequest(suite="x", closure=True), [], 0)


@given(
    st.lists(st.text(st.characters(codec="utf-8", categories=None), max_size=300), max_size=3).map(tuple),
    st.text(max_size=120),
)
@example(("nginx\x1b[2J",), "")
@example(("a\nb",), "x\x07y")
@example(("\u202enginx", "ngin\x00"), "")
@example(("nginx\n",), "web\n")
def test_whatever_a_rule_is_made_of_no_control_character_gets_in_or_is_said(
    patterns: tuple[str, ...], name: str
) -> None:
    said = [*patterns, name]
    with contextlib.suppress(WishError):
        wish = wish_of(WishRequest(patterns=patterns, name=name), [], 0)
        assert all(re.fullmatch(r"[A-Za-z0-9+.\-*?\[\]!]+\^?", one) for one in wish.patterns)
        said = [wish.name]
    if any(not one.isprintable() for one in said):
        with pytest.raises(WishError) as refused:
            wish_of(WishRequest(patterns=patterns, name=name), [], 0)
        assert str(refused.value).isprintable()
