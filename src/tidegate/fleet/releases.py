"""From the number of a release to the name that statements use."""

from tidegate.advisories.releases import DEBIAN, UBUNTU, debian_ecosystem, ubuntu_ecosystem
from tidegate.archive.errors import FormatError, excerpt


def codename(distribution: str, number: str) -> str:
    """The codename of `22.04`, `22.04.5` or `12.9`; the number, where there is none known. Raises FormatError."""
    parts = number.split(" ")[0].split(".")
    if not parts[0].isascii() or not parts[0].isdigit():
        raise FormatError(f"no release: {excerpt(number)}")
    if distribution == UBUNTU:
        return ubuntu_ecosystem(f"Ubuntu:{'.'.join(parts[:2])}", "release").release
    if distribution == DEBIAN:
        return debian_ecosystem(f"Debian:{parts[0]}", "release").release
    return number
