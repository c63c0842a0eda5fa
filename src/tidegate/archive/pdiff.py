"""The Index of a pdiff directory: patches from older indices to the newest (apt's "PDiffs").

A client that follows pdiffs asks for `Packages.diff/NAME.gz`; the Index, itself listed by the Release, says what
each of these files must be.
"""

from typing import NamedTuple

from tidegate.archive import deb822
from tidegate.archive.checksums import checksums
from tidegate.archive.errors import BadPath, FormatError, WeakDigests, excerpt
from tidegate.archive.paths import listed

PDIFF_INDEX_BYTES_MAX = 2**20
"""Debian keeps some 60 patches for each index, and Contents' Index has 60 KB."""
PATCHES_MAX = 10_000

_LIMITS = deb822.Deb822Limits(bytes_max=PDIFF_INDEX_BYTES_MAX, stanzas_max=2)


class Patch(NamedTuple):
    """One compressed patch; `path` is its file name in the pdiff directory, `.gz` and all."""

    path: str
    sha256: bytes
    size: int


def parse_pdiff_index(data: bytes) -> tuple[Patch, ...]:
    """Read a pdiff Index: what can be downloaded, as its SHA256-Download says.

    Raises WeakDigests if that field is missing (clients then fetch the whole index, as they always can), BadPath
    for a name that is more than a file name, and FormatError for everything else that is not as it must be.
    """
    fields = deb822.only_stanza(data, limits=_LIMITS)
    if "sha256-download" not in fields:
        raise WeakDigests("no SHA256-Download")
    where = "field 'sha256-download'"
    patches: dict[str, Patch] = {}
    for name, sha256, size in checksums(fields["sha256-download"], 32, where):
        if "/" in name:
            raise BadPath(f"not a file name: {excerpt(name)}", where)
        patch = Patch(listed(name, where), sha256, size)
        if patches.setdefault(patch.path, patch) != patch:
            raise FormatError(f"two digests for {excerpt(name)}", where)
        if len(patches) > PATCHES_MAX:
            raise FormatError(f"more than {PATCHES_MAX} patches", where)
    return tuple(patches.values())
