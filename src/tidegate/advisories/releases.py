"""Release numbers and codenames: feeds use both, and our statements the codename.

From distro-info-data 0.68 (ubuntu.csv, debian.csv). A number that is not here stays a number, until it is.
"""

from tidegate.advisories.fields import release_name
from tidegate.advisories.statement import Place
from tidegate.archive.errors import FormatError, excerpt

UBUNTU = "ubuntu"
DEBIAN = "debian"

_UBUNTU = {
    "12.04": "precise",
    "14.04": "trusty",
    "14.10": "utopic",
    "15.04": "vivid",
    "15.10": "wily",
    "16.04": "xenial",
    "16.10": "yakkety",
    "17.04": "zesty",
    "17.10": "artful",
    "18.04": "bionic",
    "18.10": "cosmic",
    "19.04": "disco",
    "19.10": "eoan",
    "20.04": "focal",
    "20.10": "groovy",
    "21.04": "hirsute",
    "21.10": "impish",
    "22.04": "jammy",
    "22.10": "kinetic",
    "23.04": "lunar",
    "23.10": "mantic",
    "24.04": "noble",
    "24.10": "oracular",
    "25.04": "plucky",
    "25.10": "questing",
    "26.04": "resolute",
}
_UBUNTU_NUMBERS = {codename: number for number, codename in _UBUNTU.items()}
_UBUNTU_CODENAMES = frozenset(_UBUNTU.values())
_DEBIAN = {
    "3.0": "woody",
    "3.1": "sarge",
    "4.0": "etch",
    "5.0": "lenny",
    "6.0": "squeeze",
    "7": "wheezy",
    "8": "jessie",
    "9": "stretch",
    "10": "buster",
    "11": "bullseye",
    "12": "bookworm",
    "13": "trixie",
    "14": "forky",
    "unstable": "sid",
}
_DEBIAN_NUMBERS = {codename: number for number, codename in _DEBIAN.items()}
_SHARED_POCKETS = frozenset({"", "release", "updates", "security"})
"""What every host of a release gets; feeds are not careful about which of these an update went to."""


def ubuntu_place(text: str, where: str) -> Place:
    """Ubuntu's ways to name a release: `noble`, `esm-apps/noble`, `fips-updates/focal`, and of old `trusty/esm`,
    `vivid/ubuntu-core`.

    Raises FormatError.
    """
    product, slash, series = text.partition("/")
    if not slash:
        product, series = "", text
    elif product in _UBUNTU_CODENAMES:
        product, series = series, product
    if "/" in series:
        raise FormatError(f"no release: {excerpt(text)}", where)
    return Place(UBUNTU, release_name(series, where), ubuntu_pocket(product, where))


def ubuntu_pocket(text: str, where: str) -> str:
    """A pocket's name, empty for those that every host has. Raises FormatError."""
    return "" if text in _SHARED_POCKETS else release_name(text, where)


def ubuntu_number(codename: str) -> str:
    """A release's number; what we have no number for stays as it is."""
    return _UBUNTU_NUMBERS.get(codename, codename)


def release_title(distribution: str, release: str) -> str:
    """A release as people know it: `Ubuntu 24.04 (noble)`."""
    numbers = {UBUNTU: _UBUNTU_NUMBERS, DEBIAN: _DEBIAN_NUMBERS}.get(distribution, {})
    number = numbers.get(release, "")
    return f"{distribution.capitalize()} {number} ({release})" if number[:1].isdigit() else f"{distribution} {release}"


def release_age(distribution: str, release: str) -> tuple[bool, float]:
    """Sorts releases of one distribution, the newest first; those without a number, which are still made, before."""
    number = {UBUNTU: _UBUNTU_NUMBERS, DEBIAN: _DEBIAN_NUMBERS}.get(distribution, {}).get(release, "")
    return number[:1].isdigit(), -float(number) if number[:1].isdigit() else 0.0


def ubuntu_ecosystem(ecosystem: str, where: str) -> Place:
    """OSV's name: `Ubuntu:24.04:LTS`, `Ubuntu:Pro:24.04:LTS`, `Ubuntu:Pro:FIPS:22.04:LTS`. Raises FormatError."""
    parts = ecosystem.split(":")[1:]
    if parts and parts[-1] == "LTS":
        parts.pop()
    if not parts:
        raise FormatError(f"ecosystem without a release: {excerpt(ecosystem)}", where)
    pocket = parts[-2].lower() if len(parts) > 1 else ""
    number = release_name(parts[-1].lower(), where)
    return Place(UBUNTU, _UBUNTU.get(number, number), ubuntu_pocket(pocket, where))


def debian_ecosystem(ecosystem: str, where: str) -> Place:
    """OSV's name: `Debian:12`; one without a number means unstable. Raises FormatError."""
    number = release_name(ecosystem.partition(":")[2].lower() or "unstable", where)
    return Place(DEBIAN, _DEBIAN.get(number, number))
