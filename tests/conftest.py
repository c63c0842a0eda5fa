"""Fixtures that every test may use: keys, a small archive, a server for it, and real apt clients."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.gateway_process import GatewayProcess, ServedArchive, journal_objections
from tests.oracle import Oracle
from tests.order import dealt
from tests.realapt import PrivateApt
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import KeyHome, Keys, make_keys
from tests.simulator.server import SourceServer

hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
hypothesis.settings.register_profile(
    "ci", max_examples=60, deadline=None, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.register_profile("long", max_examples=1_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow modules first (`tests/order.py`)."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = dealt(items, workers, lambda item: item.path, lambda item: item.get_closest_marker("slow") is not None)


AptFactory = Callable[..., PrivateApt]
GatewayFactory = Callable[..., GatewayProcess]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """Signing keys and keyrings, made once by gpg in a home of its own."""
    with KeyHome() as home:
        yield make_keys(home, tmp_path_factory.mktemp("keyrings"))


@pytest.fixture
def archive(tmp_path: Path, keys: Keys) -> SimulatedArchive:
    """A small published archive: suite `stable`, component `main`, amd64, all and sources."""
    made = SimulatedArchive(tmp_path / "archive", keys)
    made.add_package("hello", "1.0", depends="libgreet1")
    made.add_package("libgreet1", "1.0+ds-1~sim1")
    made.add_package("greet-data", "2:3.0", architecture="all")
    made.add_package("plain", "0.1")
    made.add_source("hello", "1.0-1")
    made.publish()
    return made


@pytest.fixture
def source_server(archive: SimulatedArchive) -> Iterator[SourceServer]:
    """A server of `archive` at `/debian`."""
    with SourceServer(archive.public, prefix="/debian") as server:
        yield server


@pytest.fixture
def private_apt(tmp_path: Path, keys: Keys) -> Iterator[AptFactory]:
    """Make clients: `private_apt(sources, proxy=…)`; `@KEYRING@` in the sources is the good keyring.

    APT_TREE in the environment names a debootstrapped tree whose apt is used throughout.
    """
    made: list[PrivateApt] = []
    numbers = itertools.count(1)
    tree = os.environ.get("APT_TREE")

    def make(sources: str, **options: Any) -> PrivateApt:
        root = tmp_path / f"apt-{next(numbers)}"
        defaults = {"keyring": keys.keyring, "chroot": Path(tree) if tree else None}
        made.append(PrivateApt(root, sources, **{**defaults, **options}))
        return made[-1]

    yield make
    for apt in made:
        apt.close()


@pytest.fixture
def oracle(archive: SimulatedArchive) -> Oracle:
    """The judge of what is served for `archive`."""
    return Oracle(archive.keys.keyring, archive.public)


@pytest.fixture
def gateway_process(tmp_path: Path) -> Iterator[GatewayFactory]:
    """Make gateways: `gateway_process(ServedArchive(…), …, settings=…)`. Not started; ended afterwards."""
    made: list[GatewayProcess] = []
    numbers = itertools.count(1)

    def make(*archives: ServedArchive, **options: Any) -> GatewayProcess:
        made.append(GatewayProcess(tmp_path / f"gateway-{next(numbers)}", archives, **options))
        return made[-1]

    yield make
    for gateway in made:
        gateway.kill9()
        assert journal_objections(gateway.state) == []


@pytest.fixture
def served(source_server: SourceServer, keys: Keys) -> ServedArchive:
    """The configuration of `archive`, as `source_server` offers it; clients know it by a name of its own."""
    return ServedArchive("debian", (source_server.url,), keys.keyring, aliases=("http://archive.example/debian",))
