"""A list of digests as sha256sum makes it (`SHA256SUMS`), in its plain and in its BSD form. Pure."""

import re

from tidegate.archive.errors import FormatError, excerpt

LIST_BYTES_MAX = 2**20
_PLAIN = re.compile(rb"([0-9a-fA-F]{64}) [ *](?:\./)?(\S.*)")
_TAGGED = re.compile(rb"SHA256 ?\((?:\./)?(.+)\) ?= ?([0-9a-fA-F]{64})")
_BARE = re.compile(rb"[0-9a-fA-F]{64}")


def listed_digest(data: bytes, file: str) -> bytes:
    """The SHA-256 that the list has for a file of this name. Raises FormatError where it has none, or two.

    A list of one digest and no name (`osv-all.tar.xz.sha256`) is about whatever it stands beside.
    """
    lines = [line.rstrip(b"\r") for line in data.split(b"\n") if line.strip() and not line.startswith(b"#")]
    if len(lines) == 1 and _BARE.fullmatch(lines[0].strip()):
        return bytes.fromhex(lines[0].strip().decode())
    name = file.encode()
    found = {digest for line in lines for listed, digest in [_parts(line)] if listed == name}
    if len(found) != 1:
        what = "two digests" if found else "no digest"
        raise FormatError(f"the list of digests has {what} of {excerpt(file)}")
    return bytes.fromhex(found.pop().decode().lower())


def _parts(line: bytes) -> tuple[bytes, bytes]:
    """Name and digest of a line; a line of another kind is about nothing that is looked for."""
    if plain := _PLAIN.fullmatch(line):
        return plain[2], plain[1].lower()
    if tagged := _TAGGED.fullmatch(line):
        return tagged[1], tagged[2].lower()
    return b"", b""
