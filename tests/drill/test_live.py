"""Drills in a running gateway: it goes on serving, and is as it was whatever becomes of the command."""

import contextlib
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

from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tidegate.drill.shipped import shipped
from tidegate.store.sqlite_journal import SqliteJournal
from tidegate.web.drill_control import DrillFault, DrillOrder, DrillState
from tidegate.wiring.ask import ask_at
from tidegate.wiring.drill_live import standing

HELD = "/ubuntu/pool/main/h/hello/hello_1.0_amd64.deb"
SETTINGS = """\
[keeper]
refresh_interval_s = 1.0
[health]
probe_interval_s = 0.5
alone_after_s = 0.5
[fetch]
connect_timeout_s = 0.3
first_byte_timeout_s = 0.3
[hold]
count_interval_s = 0.5
[journal]
served_interval_s = 0.5
"""


class House:
    """A gateway with two operators, and what it holds."""

    def __init__(self, root: Path, archive: SimulatedArchive, servers: list[SourceServer]) -> None:
        served = ServedArchive("ubuntu", tuple(f"{one.url}" for one in servers), archive.keys.keyring, deb_src=False)
        self.servers = servers
        self.gateway = GatewayProcess(root / "gateway", (served,), settings=SETTINGS)

    def control(self, method: str, target: str, body: object = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        return json.loads(ask_at(self.gateway.state / "control.sock", method, target, timeout_s=10, body=data))

    def state(self) -> DrillState:
        return msgspec.convert(self.control("GET", "/drill"), DrillState)

    def order(self, *faults: DrillFault, lease_s: float = 30.0, name: str = "d-1") -> DrillState:
        order = DrillOrder(name=name, scenario="a test", by="a test", lease_s=lease_s, faults=faults)
        return msgspec.convert(self.control("POST", "/drill", order), DrillState)

    def refuse_all(self, **options: Any) -> DrillState:
        return self.order(*(DrillFault(on=one.url, kind="refuse") for one in self.servers), **options)

    def states(self) -> set[str]:
        return {one["state"] for one in self.gateway.status()["sources"]}

    def events(self) -> list[tuple[str, str]]:
        with contextlib.closing(SqliteJournal(self.gateway.state / "journal.db")) as journal:
            return [(one.kind, one.drill) for one in journal.last(10_000)]

    def ready(self) -> None:
        """Everything that it would need is held."""
        assert self.gateway.get(HELD).status == 200
        self.control("POST", "/hold/add", {"patterns": ["hello"]})
        self.gateway.wait_for(lambda: (self.gateway.status()["readiness"] or {}).get("verdict") == "ok", 30.0)


@pytest.fixture
def house(tmp_path: Path, keys: Any) -> Iterator[House]:
    archive = SimulatedArchive(tmp_path / "archive", keys)
    archive.add_package("hello")
    archive.publish()
    with ExitStack() as stack:
        servers = [stack.enter_context(SourceServer(archive.public)) for _ in range(2)]
        made = House(tmp_path, archive, servers)
        made.gateway.start()
        stack.callback(made.gateway.kill9)
        made.ready()
        yield made


def test_hits_are_served_while_every_source_seems_gone_and_what_was_learned_of_them_is_forgotten(house: House) -> None:
    house.refuse_all()
    house.gateway.wait_for(lambda: house.states() == {"out"}, 30.0)
    assert house.gateway.get(HELD).status == 200
    house.gateway.wait_for(lambda: ("alone-begun", "d-1") in house.events(), 15.0)
    assert house.gateway.get(HELD).status == 200
    asked = sum(len(one.requests) for one in house.servers)
    house.control("POST", "/drill/end?verdict=passed")
    assert house.state().state == "stopped"
    assert house.states() <= {"good", "unused"}
    house.gateway.wait_for(lambda: sum(len(one.requests) for one in house.servers) > asked, 10.0)
    house.gateway.wait_for(lambda: ("drill-ended", "d-1") in house.events(), 10.0)
    told = dict.fromkeys(house.events())
    assert {("drill-begun", "d-1"), ("source-state", "d-1"), ("alone-begun", "d-1"), ("alone-ended", "d-1")} <= set(
        told
    )
    assert ("source-state", "") not in told


def test_a_drill_that_nobody_renews_is_over(house: House) -> None:
    house.refuse_all(lease_s=1.0)
    assert house.state().state == "running"
    house.gateway.wait_for(lambda: house.state().state == "stopped", 10.0)
    assert house.state().reason == "nobody renewed it"
    assert house.states() <= {"good", "unused"}
    with pytest.raises(KeyError, match="stopped"):
        house.refuse_all()


def test_it_does_not_begin_where_clients_would_suffer(house: House) -> None:
    for one in house.servers:
        one.refuse()
    house.gateway.wait_for(lambda: house.gateway.status()["readiness"]["verdict"] != "ok", 30.0)
    with pytest.raises(KeyError, match="clients would suffer"):
        house.refuse_all()
    assert house.state().state == "none"


def test_the_command_plays_a_scenario_and_killed_it_leaves_the_gateway_as_it_was(house: House, tmp_path: Path) -> None:
    gateway = house.gateway
    command = [
        *(sys.executable, "-m", "tidegate", "drill", "operator-lost", "--live", "--minutes", "0.12", "--json"),
        *("--state", str(gateway.state), "--config", str(gateway.config), "--out", str(tmp_path / "out")),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            assert gateway.get(HELD).status == 200
            time.sleep(0.1)
        assert process.stdout is not None
        assert process.stderr is not None
        report, said = json.loads(process.stdout.read()), process.stderr.read().decode()
    assert report["verdict"] == "passed", said
    assert report["ground"] == "live"
    assert report["requests"] == report["served"] > 0
    assert (tmp_path / "out/run.svg").exists()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        gateway.wait_for(lambda: "out" in house.states(), 30.0)
        os.kill(process.pid, signal.SIGKILL)
    gateway.wait_for(lambda: house.state().state == "stopped", 20.0)
    assert house.states() <= {"good", "unused"}


def test_operators_stand_for_each_other_in_their_order() -> None:
    scenario = shipped("operator-lost")
    sources = [("u", "a1", "A"), ("u", "b1", "B"), ("u", "a2", "A"), ("d", "c1", "C")]
    assert standing(scenario, sources) == {
        "origin": ("a1", "a2", "c1"),
        "cloud": ("a1", "a2", "c1"),
        "mirror": ("b1",),
    }
