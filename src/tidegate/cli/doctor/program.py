"""The program itself: interpreter, packages, descriptors, and gpgv where the settings want it."""

import importlib
import resource
import shutil
import sys

from tidegate.cli.reports import CheckReport, package_versions
from tidegate.gateway.settings import GatewaySettings
from tidegate.trust.settings import TrustSettings

PYTHON_MIN = (3, 11)
# Beside connections and open blobs: databases, journal, sources, logs.
DESCRIPTORS_APART = 512
_MODULES = ("uvloop", "httptools", "pysequoia", "msgspec", "zstandard", "starlette", "uvicorn")


def check_packages() -> list[CheckReport]:
    """Python's version, where this runs from, and that every package can be imported."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    place = f"in {sys.prefix}" if sys.prefix != sys.base_prefix else "outside of a virtual environment"
    if sys.version_info < PYTHON_MIN:
        todo = "Install Python 3.11 or later, then: make setup"
        return [CheckReport(name="python", state="bad", saw=f"{version} {place}", todo=todo)]
    missing = [name for name in _MODULES if not _imports(name)]
    python = CheckReport(name="python", state="ok", saw=f"{version} {place}")
    if missing:
        saw = f"cannot be imported: {', '.join(missing)}"
        return [python, CheckReport(name="packages", state="bad", saw=saw, todo="Install them anew: make setup")]
    saw = ", ".join(f"{name} {version}" for name, version in package_versions().items())
    return [python, CheckReport(name="packages", state="ok", saw=saw)]


def check_descriptors(gateway: GatewaySettings, *, limit: int | None = None) -> CheckReport:
    """The hard limit (to which the gateway raises its own) against what the settings allow it to open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if limit is None else limit
    wanted = gateway.connections_max + gateway.open_files_max + DESCRIPTORS_APART
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        shown = "no limit" if hard == resource.RLIM_INFINITY else f"{hard:,} allowed"
        return CheckReport(name="descriptors", state="ok", saw=f"{shown}, {wanted:,} at most wanted")
    todo = f"Raise it (LimitNOFILE={wanted} in a unit, ulimit -Hn), or lower gateway.connections_max."
    return CheckReport(name="descriptors", state="warn", saw=f"{hard:,} allowed, {wanted:,} at most wanted", todo=todo)


def check_verifier(trust: TrustSettings) -> CheckReport:
    """Who verifies, and that it is there."""
    if trust.verifier == "sequoia":
        return CheckReport(name="verifier", state="ok", saw="Sequoia, in process")
    if found := shutil.which("gpgv"):
        return CheckReport(name="verifier", state="ok", saw=f"{trust.verifier}: {found}")
    todo = "apt-get install gpgv, or set trust.verifier to sequoia."
    return CheckReport(name="verifier", state="bad", saw=f"{trust.verifier} is set, and there is no gpgv", todo=todo)


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:
        return False
    return True
