"""Streams of stanzas: Packages and Sources, tens of megabytes, cut where a stanza ends.

Theory of operation. An index arrives in chunks that end anywhere. `blocks` hands on whole stanzas, many at a
time, so that a reader can run one compiled pattern over each stanza: several times cheaper than a loop over
lines in Python, and still strict, since the pattern accepts only what it knows and leaves every other stanza to
the reader in `deb822.py`, which then says what is wrong.
"""

import re
from collections.abc import Iterable, Iterator

from tidegate.archive import deb822
from tidegate.archive.errors import FormatError, excerpt

STANZA_BYTES_MAX = 2 * 2**20
"""The longest of Debian (the binaries of the kernel, in Sources) has 400 KB."""
BLOCK_BYTES_MIN = 256 * 2**10
"""Collected before cutting, so that the chunks' size does not decide the speed."""

_TEXT = re.compile(rb"[^\n]")
_STANZA_LIMITS = deb822.Deb822Limits(bytes_max=2 * STANZA_BYTES_MAX, stanzas_max=1, lines_per_stanza_max=50_000)


def blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole stanzas, each ended by an empty line, from chunks that end anywhere.

    Holds at most a chunk and a stanza, twice. Raises FormatError for a stanza that goes on for more than
    STANZA_BYTES_MAX, and for NUL.
    """
    pending: list[bytes] = []
    pending_bytes = 0
    for chunk in chunks:
        pending.append(chunk)
        pending_bytes += len(chunk)
        if pending_bytes < BLOCK_BYTES_MIN:
            continue
        data = b"".join(pending)
        end = data.rfind(b"\n\n") + 2
        if len(data) - end > STANZA_BYTES_MAX:
            raise FormatError(f"stanza longer than {STANZA_BYTES_MAX} bytes")
        if end > 1:
            yield _without_nul(data[:end])
            data = data[end:]
        pending, pending_bytes = [data], 0
    if rest := b"".join(pending):
        yield _without_nul(rest + b"\n\n")


def read_one(block: bytes, position: int) -> tuple[dict[str, str] | None, str, int]:
    """Read the stanza at a position with the strict reader: its fields, its place for messages, where it ends.

    Empty lines before it are passed over, all at once: an index of nothing else is long done with. No fields where
    there is no more. Raises FormatError, naming the stanza by its first line.
    """
    text = _TEXT.search(block, position)
    if text is None:
        return None, "", len(block)
    position = text.start()
    end = block.find(b"\n\n", position)
    end = len(block) if end < 0 else end + 2
    stanza = block[position:end]
    first = stanza.partition(b"\n")[0]
    where = f"stanza {excerpt(first)}"
    try:
        for fields in deb822.stanzas(stanza, limits=_STANZA_LIMITS):
            return fields, where, end
    except FormatError as error:
        raise FormatError(str(error), where) from None
    return None, where, end


def _without_nul(data: bytes) -> bytes:
    if b"\0" in data:
        raise FormatError("NUL in an index")
    return data
