"""Fields of checksums: lines of `DIGEST SIZE NAME` (Debian policy 5.6.24), as Release, Sources and pdiff have them."""

import re

from tidegate.archive.errors import FormatError, excerpt

SIZE_BYTES_MAX = 2**36
"""Contents of a whole archive, uncompressed, come near 2**30; the largest source parts of Debian to 2**31."""

# A line as it must be, or a line of any other kind but blank.
_LINE = re.compile(r"[ \t]*([0-9a-fA-F]+)[ \t]+([0-9]{1,15})[ \t]+([^ \t\n]+)[ \t]*(?:\n|\Z)|([^\n]*[^ \t\n][^\n]*)")


def checksums(value: str, digest_bytes: int, where: str) -> list[tuple[str, bytes, int]]:
    """Read a field's lines: name as it stands (unchecked), digest, size in bytes.

    Raises FormatError, naming `where`, for a line of another form, a digest of another length, and a size beyond
    SIZE_BYTES_MAX.
    """
    lines = []
    for digest, digits, name, other in _LINE.findall(value):
        if other:
            raise FormatError(f"not a digest, a size and a name: {excerpt(other)}", where)
        size = int(digits)
        if len(digest) != 2 * digest_bytes:
            raise FormatError(f"digest of {len(digest)} digits, not {2 * digest_bytes}: {excerpt(name)}", where)
        if size > SIZE_BYTES_MAX:
            raise FormatError(f"size {size} of {excerpt(name)}", where)
        lines.append((name, bytes.fromhex(digest), size))
    return lines
