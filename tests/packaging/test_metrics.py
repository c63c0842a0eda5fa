"""What watches Tidegate from outside uses metrics that there are: example alerts, a dashboard, docs/metrics.md."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.test_desk import Place, free_port, hear, until
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.watch.site import WORDS, Site
from tidegate.cli.telling import teller
from tidegate.web.settings import AdminSettings
from tidegate.wiring.news import News

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "packaging/prometheus/tidegate-rules.yml"
COLLECTOR = ROOT / "packaging/opentelemetry/tidegate.yaml"
DASHBOARD = ROOT / "packaging/grafana/tidegate.json"
NAME = re.compile(r"\btidegate_[a-z_]+\b")
USED = re.compile(r"\b(tidegate_[a-z_]+)\{([^}]*)\}")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Mapping[str, Metric]]:
    """All that a gateway with a desk tells once it has served, counted and judged something."""
    root = tmp_path_factory.mktemp("metrics")
    archive = SimulatedArchive(root / "archive", keys)
    archive.suite("bookworm", origin="Debian")
    archive.add_package("hello", "1.0", suite="bookworm")
    archive.publish()
    with SourceServer(archive.public, prefix="/debian") as source, Site() as site:
        served = ServedArchive("debian", (source.url,), keys.keyring, suites=("bookworm",))
        settings = f'[hold]\ncount_interval_s = 0.2\n[fleet]\nlisten = "127.0.0.1:{free_port()}"\n'
        settings += f'[[watch]]\nname = "page"\nurl = "{site.url}/"\ncontains = "{WORDS}"\n'
        gateway = GatewayProcess(root / "gateway", (served,), settings=settings)
        try:
            gateway.start()
            hear(gateway.state, "open")
            Place(gateway, 0)("hold", "add", "hello").good()
            yield until(lambda: told(gateway), "all metrics are there")
        finally:
            gateway.kill9()


def told(gateway: GatewayProcess) -> Mapping[str, Metric]:
    """All metrics; none, before those are there that take a moment."""
    with closing(urlopen(f"{gateway.admin_url}/metrics", timeout=30)) as answer:
        text = answer.read().decode()
    found = {one.name: one for one in text_string_to_metric_families(text)}
    slow = ("tidegate_readiness_ratio", "tidegate_exposure_hosts", "tidegate_feed_old", "tidegate_watch_copy_seconds")
    return found if all(name in found and found[name].samples for name in slow) else {}


def samples(families: Mapping[str, Metric]) -> set[str]:
    """The names that expressions go by: a counter's with its ending."""
    return {f"{name}_total" if one.type == "counter" else name for name, one in families.items()}


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=lambda one: one.name)
def test_every_metric_and_label_that_it_uses_is_one_that_there_is(path: Path, families: Mapping[str, Metric]) -> None:
    expressions = [line for line in path.read_text().splitlines() if "tidegate_" in line]
    used = {name for line in expressions for name in NAME.findall(line)}
    assert len(used) > 5
    assert used <= samples(families)
    for line in expressions:
        for name, labels in USED.findall(line):
            family = families[name.removesuffix("_total")]
            known = {label for sample in family.samples for label in sample.labels}
            assert set(re.findall(r"(\w+)=", labels)) <= known, line


def test_classes_and_kinds_that_are_asked_for_by_name_are_ones_that_there_are(families: Mapping[str, Metric]) -> None:
    text = RULES.read_text() + DASHBOARD.read_text().replace('\\"', '"')
    for name, label in (("tidegate_exposure_hosts", "class"), ("tidegate_readiness_ratio", "kind")):
        asked = {word for said in re.findall(rf'{label}=~?"([^"]+)"', text) for word in said.split("|")}
        known = {"security", "updates", "install"}
        if label == "class":
            known = {sample.labels["class"] for sample in families[name].samples}
        assert asked
        assert asked <= known


def test_the_document_lists_all_metrics_with_what_they_say_of_themselves(families: Mapping[str, Metric]) -> None:
    document = (ROOT / "docs/metrics.md").read_text()
    table = re.findall(r"^\| `(tidegate_[a-z_]+)` \| ([^|]*) \| (.*) \|$", document, re.MULTILINE)
    rows, labels = {name: said for name, _, said in table}, {name: said for name, said, _ in table}
    ours = {name: one for name, one in families.items() if name.startswith("tidegate_")}
    assert rows.keys() == samples(ours)
    for name, one in ours.items():
        shown = f"{name}_total" if one.type == "counter" else name
        assert rows[shown] == one.documentation
        assert {label for sample in one.samples for label in sample.labels} <= set(re.findall(r"\w+", labels[shown]))


def test_the_collector_asks_the_port_that_there_is_for_fields_that_a_line_of_the_log_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = COLLECTOR.read_text()
    teller(as_json=True)(News("warning", "full", "the disk is full"))
    line = json.loads(capsys.readouterr().out)
    assert f'targets: ["{AdminSettings().listen}"]' in text
    asked = set(re.findall(r"attributes\.(\w+)", text))
    assert {"at", "level", "text"} == asked
    assert asked <= line.keys()
    (layout,) = re.findall(r'layout: "(.*)"', text)
    assert re.sub(r"\d", "0", line["at"]) == re.sub(r"\d", "0", layout).replace("999999", "000000")


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    board = json.loads(DASHBOARD.read_text())
    panels = board["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    for one in panels:
        grid = one["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        assert one["title"]
        assert one["description"]
        assert len({each["refId"] for each in one["targets"]}) == len(one["targets"])
        assert one["datasource"]["uid"] == "${datasource}"
