"""Tags: words that an owner groups hosts by."""

import re
from collections.abc import Iterable

from tidegate.archive.errors import FormatError, excerpt
from tidegate.fleet.hosts import TAGS_MAX

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=/@-]{0,63}")


def tags(words: Iterable[str]) -> frozenset[str]:
    """Tags, checked. Raises FormatError."""
    found = frozenset(words)
    for one in sorted(found):
        if not _TAG.fullmatch(one):
            raise FormatError(f"no tag: {excerpt(one)}; up to 64 letters, digits and . _ : = / @ -")
    if len(found) > TAGS_MAX:
        raise FormatError(f"more than {TAGS_MAX} tags")
    return found
