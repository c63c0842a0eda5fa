"""Packages: the binary packages that a suite offers (DebianRepository/Format; Debian policy 5.3).

Only what is needed to find, account for and compare a package is read; the rest is checked for its form and
passed over.
"""

import re
from binascii import unhexlify
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tidegate.archive.blocks import blocks, read_one
from tidegate.archive.checksums import SIZE_BYTES_MAX
from tidegate.archive.errors import FormatError, WeakDigests, excerpt
from tidegate.archive.paths import SEGMENT_BYTES_MAX, listed


class Package(NamedTuple):
    """One binary package: where it is, what it must be, and which source it was built from.

    `path` is relative to the archive's root. `source` and `source_version` are the package's own name and
    version where the index leaves them out.
    """

    path: str
    sha256: bytes
    size: int
    name: str
    version: str
    architecture: str
    source: str
    source_version: str


# One whole stanza, in one pass without backtracking. The first line takes fields that start with none of our
# fields' letters, with what continues them; each field of ours is taken once (a second time, the conditional
# fails) and in its exact form; the last line takes fields that merely share a letter. Whatever does not fit is
# left to the strict reader.
_STANZA = re.compile(
    rb"""(?:
      [B-EG-OQRTUW-Zb-eg-oqrtuw-z0-9][!-9;-~]*+:.*+\n(?:[ \t]++[^ \t\n].*+\n)*+
    | Package:(?(1)(?!))[ \t]*+([!-~]++)\n
    | Version:(?(2)(?!))[ \t]*+([!-~]++)\n
    | Architecture:(?(3)(?!))[ \t]*+([!-~]++)\n
    | Source:(?(4)(?!))[ \t]*+([!-'*-~]++)(?:[ ]\(([!-'*-~]++)\))?+\n
    | Filename:(?(6)(?!))[ \t]*+(?:\./)?+([\w+~:=@,][\w.+~:=@,-]*+(?:/[\w+~:=@,][\w.+~:=@,-]*+)*+)\n
    | Size:(?(7)(?!))[ \t]*+([0-9]{1,10})\n
    | SHA256:(?(8)(?!))[ \t]*+([0-9a-fA-F]{64})\n
    | (?!(?i:package|version|architecture|source|filename|size|sha256):)[!-9;-~]++:.*+\n(?:[ \t]++[^ \t\n].*+\n)*+
    )++\n++""",
    re.VERBOSE,
)
_WORD = re.compile(r"[!-~]+")
_SIZE = re.compile(r"[0-9]{1,15}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SOURCE = re.compile(r"([!-'*-~]+)(?:[ \t]+\(([!-'*-~]+)\))?")


def parse_packages(chunks: Iterable[bytes]) -> Iterator[Package]:
    """Read a Packages index from chunks of its decompressed bytes, in its order.

    Memory is bounded by a chunk and the longest stanza, whatever the index's length. Raises BadPath for a
    Filename that would leave the archive, WeakDigests for a stanza without SHA256, and FormatError for
    everything else that is not as it must be, naming the stanza; such an index is refused as a whole, so a
    caller takes nothing in before the end is reached.
    """
    for block in blocks(chunks):
        position = 0
        while position < len(block):
            stanza = _STANZA.match(block, position)
            if stanza is not None and (package := _from_match(stanza)):
                position = stanza.end()
                yield package
                continue
            fields, where, position = read_one(block, position)
            if fields is not None:
                yield _from_fields(fields, where)


def _from_match(stanza: re.Match[bytes]) -> Package | None:
    name, version, architecture, source, source_version, path, size, sha256 = stanza.groups()
    if not (name and version and architecture and path and size and sha256) or len(path) > SEGMENT_BYTES_MAX:
        return None
    own_name, own_version = name.decode(), version.decode()
    return Package(
        path.decode(),
        unhexlify(sha256),
        int(size),
        own_name,
        own_version,
        architecture.decode(),
        source.decode() if source else own_name,
        source_version.decode() if source_version else own_version,
    )


def _from_fields(fields: Mapping[str, str], where: str) -> Package:
    if "sha256" not in fields:
        raise WeakDigests("no SHA256", where)
    name = _form(fields, "package", _WORD, where)[0]
    version = _form(fields, "version", _WORD, where)[0]
    architecture = _form(fields, "architecture", _WORD, where)[0]
    source = _form(fields, "source", _SOURCE, where) if "source" in fields else None
    sha256 = _form(fields, "sha256", _SHA256, where)[0]
    size = int(_form(fields, "size", _SIZE, where)[0])
    if size > SIZE_BYTES_MAX:
        raise FormatError(f"size {size}", where)
    if "filename" not in fields:
        raise FormatError("no Filename", where)
    path = listed(fields["filename"], where)
    return Package(
        path,
        unhexlify(sha256),
        size,
        name,
        version,
        architecture,
        source[1] if source else name,
        (source[2] if source else None) or version,
    )


def _form(fields: Mapping[str, str], field: str, form: re.Pattern[str], where: str) -> re.Match[str]:
    match = form.fullmatch(fields.get(field, ""))
    if match is None:
        raise FormatError(f"no {field}, or not as it must be: {excerpt(fields.get(field, ''))}", where)
    return match
