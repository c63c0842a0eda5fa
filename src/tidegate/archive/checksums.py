"""Fields of checksums: lines of `DIGEST SIZE NAME` (Debian policy 5.6.24), as Release, Sources and pdiff have them."""

import re
from collections.abc import Iterator, Mapping

from tidegate.archive.errors import FormatError, excerpt

SIZE_BYTES_MAX = 2**36
"""Contents of a whole archive, uncompressed, come near 2**30; the largest source parts of Debian to 2**31."""

_LINE = re.compile(r"([0-9a-fA-F]+)[ \t]+([0-9]{1,15})[ \t]+(\S+)")


def checksums(fields: Mapping[str, str], field: str, digest_bytes: int) -> Iterator[tuple[str, bytes, int, str]]:
    """Read one field's lines.

    Gives name, digest and size in bytes as they stand, and the place for messages; the name is unchecked.
    Raises FormatError for a line of another form, a digest of another length, a size beyond reason.
    """
    for line in fields[field].split("\n"):
        if not line:
            continue
        match = _LINE.fullmatch(line.strip(" \t"))
        where = f"field {field!r}"
        if match is None:
            raise FormatError(f"not a digest, a size and a name: {excerpt(line)}", where)
        digest, size, name = match.groups()
        if len(digest) != 2 * digest_bytes:
            raise FormatError(f"digest of {len(digest)} digits, not {2 * digest_bytes}: {excerpt(name)}", where)
        if int(size) > SIZE_BYTES_MAX:
            raise FormatError(f"size {size} of {excerpt(name)}", where)
        yield name, bytes.fromhex(digest), int(size), where
