"""A few rows of docs/faults.md on plain loopback: whatever the preferred source does, apt gets the right bytes.

The whole table, other clients and the seconds are `make faults`' (`tests/lab`).
"""

import contextlib
from collections.abc import Iterator

import pytest

from tests.conftest import AptFactory
from tests.gateway_process import GatewayProcess, journal_objections
from tests.lab.faults import (
    BLACKHOLED,
    CORRUPT,
    HTML,
    REFUSED,
    RESET_IN_BODY,
    SILENT,
    TORN,
    TRICKLE,
    UNAVAILABLE,
    UNSIGNED,
    Fault,
)
from tests.lab.outcome import of_install, of_update
from tests.lab.stage import ROLES, Stage
from tests.lab.trees import ATTACKS, Plan, Trees, grow, set_package
from tests.lab.ways import served
from tests.realapt import PrivateApt
from tests.simulator.keys import Keys

AT_ONCE_S = 10.0
"""Far less than the 30 s after which apt itself leaves a silent source. The seconds are for the laboratory to tell."""
PLAN = Plan(suites=("stable",), sets=("first",), parts_bytes=(20_000, 300_000))
FAULTS = (REFUSED, BLACKHOLED, SILENT, RESET_IN_BODY, TRICKLE, CORRUPT, UNAVAILABLE, HTML, TORN, UNSIGNED)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Trees:
    return grow(tmp_path_factory.mktemp("failover"), keys, PLAN, {"unsigned": ATTACKS["unsigned"]})


@pytest.fixture(scope="module")
def stages(trees: Trees) -> Iterator[dict[Fault, Stage]]:
    """Three sources for each fault, so that no row has heard of another's."""
    with contextlib.ExitStack() as closing:
        yield {fault: closing.enter_context(Stage(trees)) for fault in FAULTS}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, stages: dict[Fault, Stage]) -> Iterator[GatewayProcess]:
    archives = [
        served(stage, name=f"lab{number}", alias=address(fault), private=True)
        for number, (fault, stage) in enumerate(stages.items())
    ]
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), archives)
    process.start()
    yield process
    process.kill9()
    assert journal_objections(process.state) == []


def address(fault: Fault) -> str:
    """Where clients find the archive that has this fault."""
    return f"http://archive{FAULTS.index(fault)}.example/debian"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_one_healthy_source_is_enough_and_what_is_held_needs_none(
    fault: Fault, gateway: GatewayProcess, stages: dict[Fault, Stage], trees: Trees, private_apt: AptFactory
) -> None:
    stage = stages[fault]
    sources = f"deb [signed-by=@KEYRING@] {address(fault)} {PLAN.suite} main\n"
    apt = private_apt(sources, proxy=gateway.url)
    stage.strike(fault, ROLES[0])
    assert_served(apt, trees)
    assert stage.asked()[ROLES[0]] or fault in (REFUSED, BLACKHOLED), "it was asked, or nothing is shown"
    stage.strike(REFUSED)
    assert_served(apt, trees)


def assert_served(apt: PrivateApt, trees: Trees) -> None:
    """A client that has nothing gets the newest lists and a set of packages, right and soon."""
    apt.forget_lists()
    apt.forget_packages()
    for outcome in (
        of_update(apt.update(), apt, trees),
        of_install(apt.install(set_package("first")), apt, trees),
    ):
        assert outcome.ok, outcome
        assert outcome.seconds < AT_ONCE_S
