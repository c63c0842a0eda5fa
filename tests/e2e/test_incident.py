"""An outage from its first second to its post-mortem: what the journal tells is what the clients saw."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import GatewayFactory
from tests.e2e.judging import refreshed
from tests.e2e.test_alone import HELLO, PLAIN
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tests.threats.conftest import journal_of

SOON = """\
[gateway]
workers = 2
[health]
alone_after_s = 0.2
backoff_cap_s = 1.0
[fetch]
connect_timeout_s = 0.5
first_byte_timeout_s = 0.5
[journal]
served_interval_s = 0.2
[incidents]
calm_s = 3.0
"""
"""Compressed time."""
HITS, LACKING = 40, 7


@dataclass(slots=True)
class Client:
    """Asks, and counts what it is told."""

    gateway: GatewayProcess
    oracle: Oracle
    counts: Counter[int] = field(default_factory=Counter)

    def get(self, path: str) -> int:
        answer = self.gateway.get(f"/debian/{path}")
        self.counts[answer.status] += 1
        if answer.status == 200:
            self.oracle.check(path, answer.body)
        return answer.status

    def is_all_written_down(self) -> bool:
        """Whether the journal has counted all that was asked up to now."""
        return self.told("requests") == self.counts.total()

    def told(self, what: str) -> int:
        """The sum of what `served` events say."""
        return sum(int(str(event.data[what])) for event in journal_of(self.gateway.state, "served"))


@pytest.fixture
def sources(archive: SimulatedArchive, source_server: SourceServer) -> Iterator[tuple[SourceServer, SourceServer]]:
    with SourceServer(archive.public, prefix="/debian") as other:
        yield source_server, other


def command(gateway: GatewayProcess, *words: str) -> Any:
    where = ("--config", str(gateway.config), "--state", str(gateway.state))
    done = gateway.command(*words, *where)
    assert done.stdout, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)


def incident(gateway: GatewayProcess) -> dict[str, Any]:
    """The only one about the archive."""
    (one,) = [one for one in command(gateway, "incident", "list", "--json")["incidents"] if one["about"] == "archive"]
    return dict(one)


def test_an_outage_is_one_incident_and_its_post_mortem_counts_what_the_clients_counted(
    archive: SimulatedArchive,
    sources: tuple[SourceServer, SourceServer],
    served: ServedArchive,
    gateway_process: GatewayFactory,
    oracle: Oracle,
    tmp_path: Path,
) -> None:
    gateway = gateway_process(replace(served, sources=tuple(one.url for one in sources)), settings=SOON)
    gateway.start()
    client = Client(gateway, oracle)
    assert client.get(HELLO) == 200
    gateway.wait_for(client.is_all_written_down)
    assert command(gateway, "incident", "list", "--json")["incidents"] == []

    before = client.counts.total()
    sources[0].refuse()
    sources[1].refuse()
    assert not refreshed(gateway)
    gateway.wait_for(lambda: journal_of(gateway.state, "alone-begun") != ())
    for _ in range(HITS):
        assert client.get(HELLO) == 200
    for _ in range(LACKING):
        assert client.get(PLAIN) in (403, 503)
    assert client.get("pool/main/n/nothing/nothing_1_amd64.deb") == 404  # no archive has it: that is no lack
    gateway.wait_for(client.is_all_written_down)
    open_ = incident(gateway)
    assert (open_["state"], open_["name"], open_["mitigated_at"]) == ("open", "debian", None)
    assert open_["severity"] == 1, "one in seven was refused"
    command(gateway, "incident", "action", open_["id"], "called the mirror's operator", "--json")

    for source in sources:
        source.accept()
    gateway.wait_for(lambda: incident(gateway)["state"] != "open", timeout_s=60.0)
    gateway.wait_for(lambda: incident(gateway)["state"] == "closed")
    assert client.get(PLAIN) == 200
    gateway.wait_for(client.is_all_written_down)

    over = incident(gateway)
    assert over["id"] == open_["id"]
    assert over["closed_at"] == pytest.approx(over["mitigated_at"] + 3.0)
    asked = HITS + LACKING + 1
    assert (over["impact"]["requests"], over["impact"]["lacking"]) == (asked, LACKING)
    assert client.counts.total() == before + asked + 1
    assert {one["rule"] for one in over["conditions"]} >= {"alone", "last-operator"}

    told = command(gateway, "postmortem", over["id"], "--json")
    text = " ".join(part["text"] for section in told["sections"] for part in section["parts"] if "text" in part)
    assert f"could not get: {LACKING} of {asked} requests." in text
    assert "called the mirror's operator" in text
    file = tmp_path / "postmortem.html"
    where = ("--config", str(gateway.config), "--state", str(gateway.state))
    assert gateway.command("postmortem", over["id"], "--into", str(file), *where).returncode == 0
    assert re.search(rf"{LACKING} of {asked} requests", file.read_text())
    assert gateway.stop() == 0
    assert command(gateway, "journal", "verify", "--json")["whole"] is True
    assert journal_of(gateway.state, "stopped") != ()
