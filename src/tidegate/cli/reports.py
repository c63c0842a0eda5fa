"""What commands answer with `--json`. The schemas in docs/schema are made from these."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tidegate.trust.explain import Explanation

# What takes part in an answer's correctness or speed, so what a report of a fault should name.
_PACKAGES = ("uvloop", "httptools", "pysequoia", "msgspec", "zstandard", "starlette", "uvicorn")


class VersionReport(Struct, frozen=True, kw_only=True):
    """`tidegate version --json`."""

    tidegate: str
    python: str
    platform: str
    packages: Annotated[Mapping[str, str], Meta(description="versions of the packages that matter most")]


class SettingReport(Struct, frozen=True, kw_only=True):
    """One setting and where its value comes from."""

    key: Annotated[str, Meta(description="with numbers for lists of tables: archive[0].suites")]
    value: Annotated[object, Meta(description="secrets in addresses are masked")]
    source: Annotated[str, Meta(description="an option, a variable, FILE:LINE, or `default`")]


class ConfigReport(Struct, frozen=True, kw_only=True):
    """`tidegate config show --json`."""

    file: Annotated[str | None, Meta(description="the file read; null where there is none")]
    settings: tuple[SettingReport, ...]
    notes: Annotated[tuple[str, ...], Meta(description="what of the host's own sources was left out, and why")]


class ConfigCheckReport(Struct, frozen=True, kw_only=True):
    """`tidegate config check --json`."""

    file: str | None
    archives: tuple[str, ...]
    notes: tuple[str, ...]


class KeyReport(Struct, frozen=True, kw_only=True):
    """`tidegate config explain KEY --json`."""

    key: str
    doc: str
    allowed: Annotated[str, Meta(description="what it may hold, in words")]
    unit: Annotated[str, Meta(description="empty where it has none")]
    required: bool
    default: Annotated[object, Meta(description="null where it must be given")]
    variable: Annotated[str | None, Meta(description="the environment's variable; null within lists of tables")]
    values: Annotated[tuple[SettingReport, ...], Meta(description="in force; one for each archive where it is its")]


class CheckReport(Struct, frozen=True, kw_only=True):
    """One check of the doctor."""

    name: str
    state: Literal["ok", "warn", "bad"]
    saw: Annotated[str, Meta(description="what was seen")]
    todo: Annotated[str, Meta(description="what to do; empty when ok")] = ""


class DoctorReport(Struct, frozen=True, kw_only=True):
    """`tidegate doctor --json`."""

    checks: tuple[CheckReport, ...]


class FileReport(Struct, frozen=True, kw_only=True):
    """A file on a client."""

    path: str
    mode: Annotated[str, Meta(description="octal, such as 0644")]
    content: str


class ClientConfigReport(Struct, frozen=True, kw_only=True):
    """`tidegate client-config --json`."""

    form: str
    files: Annotated[tuple[FileReport, ...], Meta(description="what to put on the client")]
    undo: Annotated[tuple[str, ...], Meta(description="shell commands that take it back")]
    then: Annotated[tuple[str, ...], Meta(description="shell commands that put it into force")] = ()
    written: Annotated[bool, Meta(description="whether --write put or took the files")] = False


class VerifiedFile(Struct, frozen=True, kw_only=True):
    """One Release file, explained."""

    file: str
    signature: Annotated[str | None, Meta(description="the Release.gpg that goes with it; null for an InRelease")]
    archive: Annotated[str | None, Meta(description="whose keys were taken; null for --keyring, or when none fits")]
    compared: Annotated[bool, Meta(description="whether the newest Release accepted so far was there to compare with")]
    explanation: Explanation


class VerifyReport(Struct, frozen=True, kw_only=True):
    """`tidegate verify --json`."""

    files: tuple[VerifiedFile, ...]


def package_versions() -> dict[str, str]:
    """Those that are installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
