"""The lock: whole, hashed, in step with pyproject.toml, and silent about where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("run.txt", "dev.txt")


def stanzas(name: str) -> dict[str, str]:
    """Each pinned package of a lock, with its whole stanza."""
    joined = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    return {line.partition("==")[0]: line for line in joined.splitlines() if line.strip()}


def declared(*groups: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*project["project"]["dependencies"]]
    for group in groups:
        lines += project["dependency-groups"][group]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_to_one_version_and_hashed(name: str) -> None:
    for line in stanzas(name).values():
        assert re.match(r"[a-z0-9][a-z0-9.-]*==[^ ;]+( ; [^\\]+?)?\s+--hash=sha256:[0-9a-f]{64}", line), line


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_index(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "groups"), [("run.txt", ("build",)), ("dev.txt", ("build", "test", "lint"))])
def test_lock_satisfies_what_the_project_declares(name: str, groups: tuple[str, ...]) -> None:
    locked = stanzas(name)
    for wanted in declared(*groups):
        line = locked[canonicalize_name(wanted.name)]
        version = re.split(r"[ ;]", line.partition("==")[2])[0]
        assert wanted.specifier.contains(version), f"{wanted} is locked at {version}: make lock"


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Each package's version and hashes; a marker may be wider where a tool needs the package too."""
    return {
        package: (re.split(r"[ ;]", line.partition("==")[2])[0], frozenset(re.findall(r"sha256:[0-9a-f]+", line)))
        for package, line in stanzas(name).items()
    }


def test_tools_run_beside_the_very_packages_that_the_product_runs_with() -> None:
    run, dev = (pins(name) for name in LOCKS)
    assert {name: dev.get(name) for name in run} == run
