"""Kernels among packages: each ABI has a package of its own, so that many are installed and one of them runs.

`linux-image-6.8.0-117-generic` is the kernel that `uname -r` calls `6.8.0-117-generic`; its flavour is `generic`. Its
source may be `linux-signed`, which holds nothing but signatures: statements speak of `linux`. Meta packages
(`linux-image-generic`) have no code; they bring the next ABI.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.fleet.inventory import Package

_IMAGE = re.compile(
    r"linux-(?P<kind>image|modules)-(?:unsigned-|uc-)?(?P<name>[0-9][^-]*(?:-[0-9]+)?-(?P<flavour>[a-z].*))"
)
_NO_IMAGE = re.compile(r".*-(?:dbg|dbgsym|signed-template)")
_SIGNED = re.compile(r"linux-signed(?:-(?:amd64|arm64|armhf|i386|ppc64el|s390x|riscv64))?(?P<rest>(?:-.*)?)")
_OTHER = re.compile(
    r"linux-(?:headers|libc-dev|tools|cloud-tools|image|modules|buildinfo|kbuild|compiler|config|doc|source|perf"
    r"|cpupower|support|bootwrapper|objects|signatures)\b.*"
)
_VIRTUAL = "virtual"
"""The meta package of Ubuntu's virtual machines brings the flavour `generic`."""


@dataclass(frozen=True, slots=True)
class Image:
    """An installed kernel, by the name that `uname -r` has for it."""

    name: str
    flavour: str
    source: str
    version: str
    binary: str


def images(packages: Iterable[Package]) -> tuple[Image, ...]:
    """The kernels of a host, by name. Of a kernel in two packages the image tells, else the modules."""
    found: dict[str, Image] = {}
    for package in sorted(packages, reverse=True):
        image = _image(package)
        if image is not None:
            found[image.name] = image
    return tuple(found[name] for name in sorted(found))


def is_kernel(package: Package) -> bool:
    """Whether a package is judged with the kernels, or is one of their sources' without a kernel's code in it."""
    if not package.source.startswith("linux"):
        return False
    return (
        package.source == "linux" or _IMAGE.fullmatch(package.binary) is not None or bool(_OTHER.match(package.binary))
    )


def flavour_of(binary: str) -> str:
    """The flavour of the kernel that a binary is the image of; empty for what is no image."""
    found = _IMAGE.fullmatch(binary)
    return found["flavour"] if found and found["kind"] == "image" else ""


def sources_of_images(source: str) -> tuple[str, ...]:
    """The sources whose binaries the images of a kernel are: its own, and that of its signatures."""
    return source, source.replace("linux", "linux-signed", 1), f"{source}-signed-amd64", f"{source}-signed-arm64"


def metas(image: Image, packages: Iterable[Package]) -> list[Package]:
    """The installed meta packages that bring the next kernel of this flavour."""
    flavours = {image.flavour, _VIRTUAL} if image.flavour == "generic" else {image.flavour}
    stems = {f"{stem}{flavour}" for stem in ("linux-image-", "linux-") for flavour in flavours}
    return [one for one in packages if one.source.startswith("linux") and _is_meta(one.binary, stems)]


def _is_meta(binary: str, stems: set[str]) -> bool:
    return binary in stems or any(binary.startswith(f"{stem}-") for stem in stems)


def _image(package: Package) -> Image | None:
    found = _IMAGE.fullmatch(package.binary.removesuffix("-unsigned"))
    if found is None or _NO_IMAGE.fullmatch(package.binary):
        return None
    signed = _SIGNED.fullmatch(package.source)
    source = f"linux{signed['rest']}" if signed else package.source
    return Image(found["name"], found["flavour"], source, package.version, package.binary)
