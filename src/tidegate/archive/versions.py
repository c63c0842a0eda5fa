"""Versions and their order (Debian policy 5.6.12, deb-version(7)).

`version_key` turns a version into bytes that compare as dpkg compares versions, so that sorting, databases and
file formats need to know nothing about versions.

Theory of the key. dpkg reads a part as a run of non-digits, then a run of digits, again and again; a missing run
of digits is zero, and the end of the part sorts after `~` and before everything else. So each character of a run
of non-digits is written as its rank in dpkg's order, and the run is closed by the rank of the end; each run of
digits is written as its length without leading zeros, then its digits. A part's end is one empty run of each
kind, which no run inside a part can be.
"""

import re
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from tidegate.archive.errors import FormatError, excerpt

VERSION_CHARS_MAX = 255
"""Debian's longest has some 80; also what lets the length of a run of digits fit a byte."""
EPOCH_MAX = 2**31 - 1
"""dpkg's own limit."""

_UPSTREAM = re.compile(r"[A-Za-z0-9.+~:-]+")
_REVISION = re.compile(r"[A-Za-z0-9.+~]+")
_EPOCH = re.compile(r"[0-9]{1,16}")
_RUNS = re.compile(rb"([^0-9]*)0*([0-9]*)")

_END = "\0"
_IN_ORDER = "~" + _END + ascii_uppercase + ascii_lowercase + "+-.:"
_RANKS = bytes.maketrans(_IN_ORDER.encode(), bytes(range(1, len(_IN_ORDER) + 1)))
_END_RANK = _END.encode().translate(_RANKS)


class Version(NamedTuple):
    """The three parts of a version; `revision` is empty for a native package, which compares as `0`."""

    epoch: int
    upstream: str
    revision: str


def parse_version(version: str) -> Version:
    """Split a version into its parts.

    Raises FormatError for an empty part, a character that policy does not allow, an epoch that is no number or
    too large, and what is longer than VERSION_CHARS_MAX. An upstream version that begins with a letter is let
    pass: policy says "should", and archives have them.
    """
    if len(version) > VERSION_CHARS_MAX:
        raise FormatError(f"version longer than {VERSION_CHARS_MAX} characters: {excerpt(version)}")
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    elif not _REVISION.fullmatch(revision):
        raise FormatError(f"revision of version {excerpt(version)}")
    if not _UPSTREAM.fullmatch(upstream):
        raise FormatError(f"upstream part of version {excerpt(version)}")
    if not _EPOCH.fullmatch(epoch) or int(epoch) > EPOCH_MAX:
        raise FormatError(f"epoch of version {excerpt(version)}")
    return Version(int(epoch), upstream, revision)


def version_key(version: str) -> bytes:
    """Bytes whose order (memcmp's) is dpkg's order of versions; equal versions have equal keys.

    Raises FormatError as `parse_version` does.
    """
    epoch, upstream, revision = parse_version(version)
    return epoch.to_bytes(4, "big") + _part_key(upstream) + _part_key(revision or "0")


def compare(a: str, b: str) -> int:
    """-1 if version `a` is older than `b`, 0 if they are equal, 1 if it is newer. Raises FormatError."""
    key_a, key_b = version_key(a), version_key(b)
    return (key_a > key_b) - (key_a < key_b)


def _part_key(part: str) -> bytes:
    # findall ends with an empty match at the end of the part: the end's own pair of empty runs.
    return b"".join(
        text.translate(_RANKS) + _END_RANK + bytes((len(digits),)) + digits
        for text, digits in _RUNS.findall(part.encode())
    )
