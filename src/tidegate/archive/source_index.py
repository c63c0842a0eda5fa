"""Sources: the source packages that a suite offers, as the files they consist of (Debian policy 5.4, 5.6.24)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tidegate.archive.blocks import blocks, read_one
from tidegate.archive.checksums import checksums
from tidegate.archive.errors import BadPath, FormatError, WeakDigests, excerpt
from tidegate.archive.paths import listed


class SourceFile(NamedTuple):
    """One file of a source package; `path` is relative to the archive's root, name and version the package's."""

    path: str
    sha256: bytes
    size: int
    name: str
    version: str


# As in `packages.py`: the fields of ours once and in their form, the others passed over, doubts left to deb822.
_STANZA = re.compile(
    rb"""(?:
      [ABE-OQ-UW-Zabe-oq-uw-z0-9][!-9;-~]*+:.*+\n(?:[ \t]++[^ \t\n].*+\n)*+
    | Package:(?(1)(?!))[ \t]*+([!-~]++)\n
    | Version:(?(2)(?!))[ \t]*+([!-~]++)\n
    | Directory:(?(3)(?!))[ \t]*+([!-~]++)\n
    | Checksums-Sha256:(?(4)(?!))[ \t]*+((?:\n[ \t]++[!-~][ \t!-~]*+)*+)\n
    | (?!(?i:package|version|directory|checksums-sha256):)[!-9;-~]++:.*+\n(?:[ \t]++[^ \t\n].*+\n)*+
    )++\n++""",
    re.VERBOSE,
)
_FIELDS = ("package", "version", "directory", "checksums-sha256")
_WORD = re.compile(r"[!-~]+")


def parse_sources(chunks: Iterable[bytes]) -> Iterator[SourceFile]:
    """Read a Sources index from chunks of its decompressed bytes: each file of each package, in its order.

    Bounds and errors are those of `parse_packages`: a bad Directory or file name refuses the index (BadPath),
    and so does a package without Checksums-Sha256 (WeakDigests).
    """
    for block in blocks(chunks):
        position = 0
        while position < len(block):
            stanza = _STANZA.match(block, position)
            if stanza is not None and all(stanza.groups()):
                fields = {field: value.decode() for field, value in zip(_FIELDS, stanza.groups(), strict=True)}
                where, position = f"stanza of {excerpt(fields['package'])}", stanza.end()
            else:
                read, where, position = read_one(block, position)
                if read is None:
                    continue
                fields = read
            yield from _files(fields, where)


def _files(fields: Mapping[str, str], where: str) -> Iterator[SourceFile]:
    if "checksums-sha256" not in fields:
        raise WeakDigests("no Checksums-Sha256", where)
    name, version, directory = (fields.get(field, "") for field in _FIELDS[:3])
    if not (_WORD.fullmatch(name) and _WORD.fullmatch(version)):
        raise FormatError("no Package or Version, or not as they must be", where)
    if "directory" not in fields:
        raise FormatError("no Directory", where)
    # A flat repository's own directory is written `.`, `./` or not at all; a slash at the end is harmless.
    directory = "" if directory in {"", "."} else directory.removesuffix("/") + "/"
    for file, sha256, size in checksums(fields["checksums-sha256"], 32, where):
        if "/" in file:
            raise BadPath(f"a file of a source package in a folder of its own: {excerpt(file)}", where)
        yield SourceFile(listed(directory + file, where), sha256, size, name, version)
