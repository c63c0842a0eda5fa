"""What a real apt holds after a run, handed to the oracle file by file."""

import re
from pathlib import Path

from tests.gateway_process import GatewayProcess
from tests.oracle import Oracle
from tests.realapt import PrivateApt
from tests.simulator.archive import SimulatedArchive

_EPOCH = re.compile(r"_\d+%3a")


def judge(apt: PrivateApt, archive: SimulatedArchive, oracle: Oracle) -> int:
    """Assert that a signed Release accounts for every list, package and source that this client has; how many."""
    before = oracle.checked
    for name, path in apt.lists().items():
        suite = re.search(r"_dists_(?P<rest>.+)\Z", name)
        if suite:
            oracle.check("dists/" + suite["rest"].replace("_", "/"), path.read_bytes())
    published = {path.rpartition("/")[2]: path for path in archive.paths() if not path.startswith("dists/")}
    for fetched in (*apt.debs(), *_sources(apt.sources_directory)):
        oracle.check(published[_EPOCH.sub("_", fetched.name)], fetched.read_bytes())
    return oracle.checked - before


def bodies(apt: PrivateApt) -> dict[str, bytes]:
    """Everything that this client was served, by file name."""
    files = (*apt.lists().values(), *apt.debs(), *_sources(apt.sources_directory))
    return {path.name: path.read_bytes() for path in files}


def refreshed(gateway: GatewayProcess) -> bool:
    """Have the gateway look for news, and wait; whether each look went well."""
    done = gateway.command("refresh", "--wait", "--config", str(gateway.config), "--state", str(gateway.state))
    return done.returncode == 0


def _sources(directory: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in directory.iterdir() if path.is_file()))
