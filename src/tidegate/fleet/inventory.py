"""What one host has: its packages, the kernel it runs, what it may install from. The same host, the same digest."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from tidegate.archive.errors import FormatError, excerpt
from tidegate.archive.versions import parse_version

INVENTORY_BYTES_MAX = 32 * 2**20
"""In whatever form; a CycloneDX document of 5,000 packages has some 10 MB."""
PACKAGES_MAX = 50_000
"""A whole Debian has some 65,000 binaries, a large desktop 5,000."""
UNREADABLE_MAX = 100
"""Packages that cannot be read, each of which is told; a host with more of them is refused."""
MODULES_MAX = 1000
SUITES_MAX = 1000
SUITES_REMEMBERED = 1024
"""Different sets of suites of which the pockets are remembered: they are asked for again and again."""

_BINARY = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,127}")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_WORD = re.compile(r"[!-~]{1,128}")
_RELEASE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_PRINTABLE = re.compile(r"[ -~]{0,128}")
_GONE = frozenset({"not-installed", "config-files"})
_STATES = frozenset(
    {"half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending", "installed"}
)
_ABBREVIATED = {
    "n": "not-installed",
    "c": "config-files",
    "H": "half-installed",
    "U": "unpacked",
    "F": "half-configured",
    "W": "triggers-awaited",
    "t": "triggers-pending",
    "i": "installed",
}
_POCKETS = {
    "UbuntuESM": "esm-infra",
    "UbuntuESMApps": "esm-apps",
    "UbuntuESMInfraLegacy": "esm-infra-legacy",
    "UbuntuFIPS": "fips",
    "UbuntuFIPSUpdates": "fips-updates",
    "UbuntuFIPSPreview": "fips-preview",
    "UbuntuRealtimeKernel": "realtime",
    "UbuntuROS": "ros-esm",
}
_POCKET_SUITES = (
    ("-infra-legacy-", "esm-infra-legacy"),
    ("-infra-", "esm-infra"),
    ("-apps-", "esm-apps"),
)


@dataclass(frozen=True, slots=True, order=True)
class Suite:
    """What apt installs from: who made it (`Ubuntu`, empty where apt has not fetched it yet), and its name as the
    host's sources write it (`jammy-infra-security`)."""

    origin: str
    name: str


@dataclass(frozen=True, slots=True, order=True)
class Module:
    """What a host says about a kernel module, of the kernel that runs. None: it could not tell.

    `blocked`: modprobe's configuration runs /bin/false (or true) in its place. A mere `blacklist` is not that: what
    asks for the module by its name gets it.
    """

    name: str
    loaded: bool | None = None
    built_in: bool | None = None
    loadable: bool | None = None
    blocked: bool | None = None


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A binary package whose files are on disk. `origin` is what its maker wrote in the field of that name."""

    binary: str
    architecture: str
    version: str
    source: str
    source_version: str
    state: str = "installed"
    held: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """A host but for its packages.

    `id` is what it is known by, `release` a codename (a number, where we know none), `kernel` what `uname -r` says,
    empty if unknown. `suites` is None where nobody said, which is not the same as none.
    """

    id: str
    name: str
    distribution: str
    release: str
    kernel: str = ""
    boot: str = ""
    suites: frozenset[Suite] | None = None

    def __post_init__(self) -> None:
        for text, what in ((self.id, "a host's id"), (self.distribution, "a distribution")):
            if not _WORD.fullmatch(text):
                raise FormatError(f"not {what}: {excerpt(text)}")
        if self.release and not _RELEASE.fullmatch(self.release):
            raise FormatError(f"no release: {excerpt(self.release)}")
        for text in (self.name, self.kernel, self.boot):
            if not _PRINTABLE.fullmatch(text):
                raise FormatError(f"no name: {excerpt(text)}")
        if len(self.suites or ()) > SUITES_MAX:
            raise FormatError(f"more than {SUITES_MAX} suites")

    @property
    def pockets(self) -> frozenset[str] | None:
        """The pockets that not every host of the release has, as statements name them; None where nobody said."""
        return None if self.suites is None else _pockets_of(self.suites)


class Form(StrEnum):
    """What an inventory was read from."""

    REPORT = "report"
    DPKG_STATUS = "dpkg-status"
    CYCLONEDX = "cyclonedx"
    OSQUERY = "osquery"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a host had at `taken_at` (seconds since 1970, by the clock of who received it).

    `unreadable` are packages that are there and could not be read, a sentence each: of these nothing is known.
    """

    host: Host
    packages: tuple[Package, ...]
    taken_at: int
    form: Form
    modules: tuple[Module, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def digest(self) -> bytes:
        """SHA-256 over all of it but the time and the form: what is unchanged has the same."""
        host = self.host
        suites = "unknown" if host.suites is None else "".join(f"{one}\n" for one in sorted(host.suites))
        told = [host.id, host.name, host.distribution, host.release, host.kernel, host.boot, suites]
        lines = [*map(repr, told), *map(repr, self.modules), *map(repr, self.packages), *map(repr, self.unreadable)]
        return hashlib.sha256("\n".join(lines).encode()).digest()


def inventory(
    host: Host,
    found: Iterable[Package | FormatError | None],
    *,
    taken_at: int,
    form: Form,
    modules: Iterable[Module] = (),
) -> Inventory:
    """An inventory of what a form's reader found, in one order. None stands for what is not on disk.

    Raises FormatError where there is no package at all, too much, or a package twice with different content.
    """
    packages: dict[tuple[str, str, str], Package] = {}
    unreadable: list[str] = []
    for one in found:
        if isinstance(one, FormatError):
            unreadable.append(str(one))
        elif one is not None and packages.setdefault(_unique(one), one) != one:
            raise FormatError(f"two packages {excerpt(one.binary)} of one version")
        if len(packages) > PACKAGES_MAX or len(unreadable) > UNREADABLE_MAX:
            last = f"; the last that cannot be read: {unreadable[-1]}" if unreadable else ""
            raise FormatError(f"more than {PACKAGES_MAX} packages, or than {UNREADABLE_MAX} unreadable ones{last}")
    if not packages:
        raise FormatError("not one package" + (f" that can be read: {unreadable[0]}" if unreadable else ""))
    read = tuple(sorted(set(modules)))
    if len(read) > MODULES_MAX:
        raise FormatError(f"more than {MODULES_MAX} kernel modules")
    return Inventory(host, tuple(sorted(packages.values())), taken_at, form, read, tuple(sorted(unreadable)))


def _unique(one: Package) -> tuple[str, str, str]:
    """A form that lists containers' layers may have one package in two versions; both are on disk."""
    return one.binary, one.architecture, one.version


def package(
    binary: str,
    architecture: str,
    version: str,
    *,
    source: str = "",
    source_version: str = "",
    state: str = "installed",
    held: bool = False,
    origin: str = "",
) -> Package | FormatError | None:
    """A package, checked: a FormatError, returned, that says what is wrong with it, and None if its files are gone.

    `source` may carry its version in brackets, as dpkg's field has it; what is empty is as the binary's.
    """
    where = f"package {excerpt(binary)}"
    if state in _GONE:
        return None
    try:
        named, _, bracketed = source.partition(" ")
        found = Package(
            binary=_checked(_BINARY, binary.partition(":")[0], "name"),
            architecture=_checked(_ARCHITECTURE, architecture, "architecture"),
            version=_version(version),
            source=_checked(_BINARY, named or binary.partition(":")[0], "source"),
            source_version=_version(source_version or _unbracketed(bracketed) or version),
            state=state,
            held=held,
            origin=_checked(_PRINTABLE, origin, "origin"),
        )
        if state not in _STATES:
            raise FormatError(f"no state: {excerpt(state)}")
    except FormatError as error:
        return FormatError(error.what, where)
    return found


def abbreviated(text: str) -> tuple[str, bool]:
    """dpkg's `ii `: the state, and whether it is on hold. Raises FormatError."""
    if len(text) not in (2, 3) or text[0] not in "uihrp" or text[1] not in _ABBREVIATED:
        raise FormatError(f"no status: {excerpt(text)}")
    return _ABBREVIATED[text[1]], text[0] == "h"


def spelled(text: str) -> tuple[str, bool]:
    """dpkg's `install ok installed`: the state, and whether it is on hold. Raises FormatError."""
    words = text.split(" ")
    if len(words) != 3:
        raise FormatError(f"no status: {excerpt(text)}")
    return words[2], words[0] == "hold"


def suite(origin: str, name: str) -> Suite:
    """A suite, checked. Raises FormatError."""
    if not _PRINTABLE.fullmatch(origin) or not _WORD.fullmatch(name):
        raise FormatError(f"no suite: {excerpt(name)}")
    return Suite(origin, name)


def module(name: str, *answers: str) -> Module:
    """A module with `yes`, `no` or `?` for each of what is asked about it. Raises FormatError."""
    known = {"yes": True, "no": False, "?": None}
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or len(answers) != 4 or not known.keys() >= set(answers):
        raise FormatError(f"no module: {excerpt(name)}")
    loaded, built_in, loadable, blocked = (known[answer] for answer in answers)
    return Module(name.replace("-", "_"), loaded, built_in, loadable, blocked)


@lru_cache(maxsize=SUITES_REMEMBERED)
def _pockets_of(suites: frozenset[Suite]) -> frozenset[str]:
    return frozenset(filter(None, map(pocket_of, suites)))


def pocket_of(suite: Suite) -> str:
    """The pocket that a suite is, as statements name it; empty for what every host of a release has."""
    if suite.origin in _POCKETS:
        return _POCKETS[suite.origin]
    # apt knows the origin only once it has fetched the Release; the suites' names tell ESM's pockets apart.
    return next((pocket for mark, pocket in _POCKET_SUITES if mark in suite.name), "")


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise FormatError(f"no {what}: {excerpt(text)}")
    return text


def _version(text: str) -> str:
    parse_version(text)
    return text


def _unbracketed(text: str) -> str:
    if text and not (text.startswith("(") and text.endswith(")")):
        raise FormatError(f"no source: {excerpt(text)}")
    return text[1:-1]
