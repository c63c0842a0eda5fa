"""Drills in a running gateway: it goes on serving, and is as it was whatever becomes of the command."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.commands import tidegate
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tidegate.cli.exit_codes import ExitCode
from tidegate.drill.playing import LiveKind, Staged
from tidegate.drill.shipped import shipped
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.drill_control import DrillOrder, DrillState
from tidegate.wiring.ask import NotRunningError, ask_at
from tidegate.wiring.drill_live import standing

HELD = "/ubuntu/pool/main/h/hello/hello_1.0_amd64.deb"
FEED = "notices"
SETTLED_S = 5.0
"""What was asked under a fault may be judged a moment after it."""
OTHERS = 160
"""Packages that nobody has asked for yet; each is asked for once."""
BIG, BIG_BYTES = 4, 3_000_000
"""So much is sent on to a client while it comes in."""
UNLISTED, UNLISTED_BODY = "project/trace/master", b"a trace" * 1_000
AT_ONCE = 12
"""Connections, each of its own, so that each of two workers takes some: all but once in two thousand times."""
SETTINGS = """\
[gateway]
workers = 2
[keeper]
refresh_interval_s = 1.0
retry_first_s = 0.3
recovery_spread_s = 0.2
background_requests_per_minute = 6000
[health]
alone_after_s = 0.5
violation_s = 3600.0
[fetch]
connect_timeout_s = 0.3
first_byte_timeout_s = 0.3
[hold]
count_interval_s = 0.5
[journal]
served_interval_s = 0.5
"""


class House:
    """A gateway with two workers, two operators and a feed, and what it holds."""

    def __init__(self, root: Path, archive: SimulatedArchive, servers: list[SourceServer], feed: SourceServer) -> None:
        served = ServedArchive("ubuntu", tuple(f"{one.url}" for one in servers), archive.keys.keyring, deb_src=False)
        kept = f'[[advisories.feed]]\nname = "{FEED}"\nurls = ["{feed.url}/{FEED}.json"]\nprivate = true\n'
        self.archive, self.servers, self.feed = archive, servers, feed
        self.gateway = GatewayProcess(root / "gateway", (served,), settings=SETTINGS + kept)
        self._unasked = [f"/ubuntu/pool/main/o/other{i}/other{i}_1.0_amd64.deb" for i in range(OTHERS)]

    def control(self, method: str, target: str, body: object = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        return json.loads(ask_at(self.gateway.state / "control.sock", method, target, timeout_s=10, body=data))

    def state(self) -> DrillState:
        return msgspec.convert(self.control("GET", "/drill"), DrillState)

    def order(self, *faults: Staged, lease_s: float = 30.0, name: str) -> DrillState:
        order = DrillOrder(name=name, scenario="a test", by="a test", lease_s=lease_s, faults=faults)
        return msgspec.convert(self.control("POST", "/drill", order), DrillState)

    def on_all(self, kind: LiveKind, **options: Any) -> tuple[Staged, ...]:
        return tuple(Staged(on=one.url, kind=kind, **options) for one in self.servers)

    def end(self) -> None:
        self.control("POST", "/drill/end?verdict=passed")

    def status(self) -> Any:
        return json.loads(ask_at(self.gateway.state / "control.sock", "GET", "/status", timeout_s=10))

    def states(self) -> set[str]:
        return {one["state"] for one in self.status()["sources"]}

    def all_are_well(self) -> bool:
        return self.states() <= {"good", "unused"}

    def readiness(self) -> str | None:
        return (self.status()["readiness"] or {}).get("verdict")

    def events(self, drill: str) -> set[str]:
        """Kinds of what was written down under a drill's name; or under none, for an empty one."""
        with contextlib.closing(SqliteJournal(self.gateway.state / "journal.db")) as journal:
            return {one.kind for one in journal.last(10_000) if one.drill == drill}

    def turns(self, drill: str) -> dict[str, list[object]]:
        """How each source's state turned, as it was written down."""
        found: dict[str, list[object]] = {}
        with contextlib.closing(SqliteJournal(self.gateway.state / "journal.db")) as journal:
            for one in journal.last(10_000, kinds=("source-state",)):
                if one.drill == drill:
                    found.setdefault(one.subject, []).append(one.data["after"])
        return found

    def wait_for_event(self, kind: str, drill: str) -> None:
        self.gateway.wait_for(lambda: kind in self.events(drill), 20.0)

    def mark(self) -> int:
        """The date of the newest Release that was ever accepted."""
        (suite,) = self.status()["suites"]
        return int(suite["date"])

    def fresh(self) -> tuple[int, int]:
        """Of packages that nobody was given yet: how many come, and how many are refused. What comes is right."""
        asked = [self._unasked.pop() for _ in range(AT_ONCE)]
        answers = [(path, self.gateway.get(path)) for path in asked]
        come = [(path, one) for path, one in answers if one.status == 200]
        assert all(self.archive.read(path.removeprefix("/ubuntu/")) == one.body for path, one in come)
        refused = [path for path, one in answers if one.status >= 400]
        self._unasked += refused
        return len(come), len(refused)

    def begin(self, *faults: Staged, name: str, lease_s: float = 30.0) -> None:
        """As `order`, once it may."""
        self.gateway.wait_for(lambda: self.readiness() == "ok", 30.0)
        self.order(*faults, name=name, lease_s=lease_s)

    def has_no_drill(self) -> bool:
        """As far as the leading worker knows, once it listens."""
        with contextlib.suppress(NotRunningError):
            return self.state().state == "none"
        return False

    def serves_again(self) -> bool:
        """Nobody is kept from anything, whichever worker it is."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.fresh() == (AT_ONCE, 0)
        return False

    def asked(self) -> int:
        return sum(len(one.requests) for one in self.servers)

    def ready(self) -> None:
        """Everything that it would need is held."""
        assert self.gateway.get(HELD).status == 200
        self.control("POST", "/hold/add", {"patterns": ["hello"]})
        self.gateway.wait_for(lambda: self.readiness() == "ok", 30.0)


@pytest.fixture
def house(tmp_path: Path, keys: Any) -> Iterator[House]:
    archive = SimulatedArchive(tmp_path / "archive", keys)
    for name in ("hello", *(f"other{i}" for i in range(OTHERS))):
        archive.add_package(name)
    for i in range(BIG):
        archive.add_package(f"big{i}", filling_bytes=BIG_BYTES)
    archive.publish()
    archive.replace(UNLISTED, UNLISTED_BODY)
    (tmp_path / "feed").mkdir()
    (tmp_path / f"feed/{FEED}.json").write_text(json.dumps({"notices": []}))
    with ExitStack() as stack:
        servers = [stack.enter_context(SourceServer(archive.public)) for _ in range(2)]
        made = House(tmp_path, archive, servers, stack.enter_context(SourceServer(tmp_path / "feed")))
        made.gateway.start()
        stack.callback(made.gateway.kill9)
        made.ready()
        yield made


def test_faults_hold_in_each_worker_and_in_the_desk_and_nothing_of_them_is_left(house: House) -> None:
    house.gateway.wait_for(lambda: len(house.feed.requests) > 0)
    all_gone(house)
    wrong_bytes_are_caught(house)
    what_nobody_signed_and_what_is_torn_is_not_adopted(house)
    the_command_plays_a_scenario_and_is_killed(house)
    the_leading_worker_is_killed(house)
    assert not house.events("") & {"violation", "refused", "incomplete", "alone-begun", "feed-failed"}
    it_does_not_begin_where_clients_would_suffer(house)


def all_gone(house: House) -> None:
    """Each source and the feed is gone: what is held is served, what is not is refused, by each worker."""
    asked_of_feed = len(house.feed.requests)
    house.order(*house.on_all("refuse"), Staged(on=f"feed:{FEED}", kind="status"), name="gone")
    assert house.state().feeds == (FEED,)
    house.gateway.wait_for(lambda: house.states() == {"out"}, 30.0)
    for kind in ("alone-begun", "feed-failed"):
        house.wait_for_event(kind, "gone")
    assert [house.gateway.get(HELD).status for _ in range(AT_ONCE)] == [200] * AT_ONCE
    assert house.fresh() == (0, AT_ONCE)
    house.gateway.wait_for(lambda: house.state().lacking == AT_ONCE, 10.0)
    asked = house.asked()
    house.end()
    assert house.state().state == "stopped"
    house.gateway.wait_for(house.all_are_well, SETTLED_S)
    assert house.fresh() == (AT_ONCE, 0)
    assert house.asked() > asked
    assert len(house.feed.requests) == asked_of_feed
    for kind in ("drill-begun", "drill-ended", "source-state", "alone-ended", "feed-back"):
        house.wait_for_event(kind, "gone")
    assert "source-state" not in house.events("")
    told_once = {one.url: ["open", "closed"] for one in house.servers}
    house.gateway.wait_for(lambda: house.turns("gone") == told_once, 10.0)  # both workers had them out


def wrong_bytes_are_caught(house: House) -> None:
    """Sources give wrong bytes: no client gets one, a source that gives right ones serves, and all are asked again."""
    house.begin(*house.on_all("truncate", after_bytes=10), name="liars")
    # Nobody would find out what is wrong with a file that no index lists: it is left as it is.
    assert house.gateway.get(f"/ubuntu/{UNLISTED}").body == UNLISTED_BODY
    house.order(*house.on_all("corrupt"), name="liars")
    assert house.fresh() == (0, AT_ONCE)
    house.wait_for_event("violation", "liars")
    for number, liar in enumerate(house.on_all("corrupt")):  # one of the two is asked first
        house.order(liar, name="liars")
        house.gateway.wait_for(house.serves_again, 5.0)  # the other worker hears of it a moment later
        for i in range(2 * number, 2 * number + 2):
            path = f"pool/main/b/big{i}/big{i}_1.0_amd64.deb"
            assert house.gateway.get(f"/ubuntu/{path}").body == house.archive.read(path)
    house.order(house.on_all("corrupt")[0], name="liars")
    house.gateway.wait_for(house.serves_again, 5.0)  # the other worker hears of it a moment later
    house.end()
    house.begin(house.on_all("refuse")[1], name="only-the-liar-is-left")
    assert house.fresh() == (AT_ONCE, 0)
    tidegate("drill", "--stop", "--state", house.gateway.state, "--config", house.gateway.config).good()
    assert house.state().reason.startswith("stopped by ")
    with pytest.raises(KeyError, match="stopped by"):
        house.order(*house.on_all("refuse"), name="only-the-liar-is-left")


def what_nobody_signed_and_what_is_torn_is_not_adopted(house: House) -> None:
    """News come while one source is forged, the other frozen, then torn: they are adopted when that is over."""
    one, other = house.servers
    before = house.mark()
    house.begin(Staged(on=one.url, kind="forge"), Staged(on=other.url, kind="freeze"), name="forged")
    house.archive.update_package("hello", "2.0")
    house.archive.publish()
    house.wait_for_event("refused", "forged")
    house.order(*house.on_all("tear"), name="forged")
    house.wait_for_event("incomplete", "forged")
    assert house.mark() == before
    assert house.gateway.get(HELD).status == 200
    house.end()
    house.gateway.wait_for(lambda: house.mark() > before, 20.0)
    house.wait_for_event("drill-ended", "forged")


def the_leading_worker_is_killed(house: House) -> None:
    """Whoever is to end it is gone: it ends all the same, in the other worker and in the successor."""
    house.begin(*house.on_all("refuse"), lease_s=2.0, name="killed")
    assert house.fresh() == (0, AT_ONCE)
    os.kill(json.loads((house.gateway.state / "running.json").read_text())["pid"], signal.SIGKILL)
    house.gateway.wait_for(lambda: "another takes its place" in house.gateway.log, 10.0)
    house.gateway.wait_for(house.serves_again, 20.0)
    house.gateway.wait_for(house.has_no_drill, 20.0)


def it_does_not_begin_where_clients_would_suffer(house: House) -> None:
    for one in house.servers:
        one.refuse()
    house.gateway.wait_for(lambda: house.readiness() not in (None, "ok"), 30.0)
    with pytest.raises(KeyError, match="clients would suffer"):
        house.order(*house.on_all("refuse"), name="never")
    assert house.state().state == "none"


def the_command_plays_a_scenario_and_is_killed(house: House) -> None:
    """Sources and feed are a captive portal, and clients are served; then the command is killed in the middle."""
    gateway, out = house.gateway, house.gateway.root / "out"
    house.gateway.wait_for(lambda: house.readiness() == "ok", 30.0)

    def command(scenario: str) -> list[str]:
        words = [sys.executable, "-m", "tidegate", "drill", scenario, "--live", "--minutes", "0.1", "--json"]
        return [*words, "--state", str(gateway.state), "--config", str(gateway.config), "--out", str(out)]

    with subprocess.Popen(command("captive-portal"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            assert gateway.get(HELD).status == 200
            time.sleep(0.1)
        assert process.stdout is not None
        assert process.stderr is not None
        report, said = json.loads(process.stdout.read()), process.stderr.read().decode()
    assert report["verdict"] == "passed", said
    assert (report["ground"], report["left_out"]) == ("live", [])
    assert report["requests"] == report["served"] > 0
    assert "feed-failed" in house.events(report["name"])
    assert (out / "run.svg").exists()
    house.gateway.wait_for(lambda: house.readiness() == "ok", 30.0)
    with subprocess.Popen(command("operator-lost"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        gateway.wait_for(lambda: "out" in house.states() or process.poll() is not None, 30.0)
        process.kill()
        assert process.stdout is not None
        said = process.stdout.read().decode()
    assert process.returncode == -signal.SIGKILL, said
    gateway.wait_for(lambda: house.state().state == "stopped", 20.0)
    assert house.state().reason == "nobody renewed it"
    house.gateway.wait_for(house.all_are_well, SETTLED_S)


def test_operators_stand_for_each_other_in_their_order() -> None:
    scenario = shipped("operator-lost")
    sources = [("u", "a1", "A"), ("u", "b1", "B"), ("u", "a2", "A"), ("d", "c1", "C")]
    assert standing(scenario, sources) == {
        "origin": ("a1", "a2", "c1"),
        "cloud": ("a1", "a2", "c1"),
        "mirror": ("b1",),
    }
    portal = shipped("captive-portal")
    assert standing(portal, sources, ("kept", "other"))["feed:security-notices"] == ("feed:kept",)
    assert standing(portal, sources).keys() == {"origin", "mirror"}


def test_what_cannot_be_staged_in_a_running_gateway_says_why() -> None:
    told = tidegate("drill", "clock-jump", "--live")
    assert told.code == ExitCode.USAGE
    assert "none of that can be undone" in " ".join(told.err.split())
