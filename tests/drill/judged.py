"""What the real apt has at a drill's end, judged by gpgv and sha256sum."""

from collections.abc import Iterable
from pathlib import Path

from tests.oracle import Oracle
from tidegate.drill.world import SUITE


def judged_by_gpgv(lab: Path, clients: Iterable[str]) -> None:
    """Assert that lists and packages of these clients are accounted for by what the vendor signed."""
    oracle = Oracle(lab / "vendor.gpg", lab / "vendor/public", (SUITE,))
    for client in clients:
        (release,) = (lab / client / "state/lists").glob("*InRelease")
        oracle.check(f"dists/{SUITE}/InRelease", release.read_bytes())
        debs = list((lab / client / "cache/archives").glob("*.deb"))
        assert debs
        for deb in debs:
            name = deb.name.partition("_")[0]
            folder = name[:4] if name.startswith("lib") else name[0]
            oracle.check(f"pool/main/{folder}/{name}/{deb.name}", deb.read_bytes())
