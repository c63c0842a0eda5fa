"""Taking an index apart into the catalogue, in a process of its own.

Debian's main has 63,000 stanzas. Parsing them here would hold up every hit, and the memory it takes would stay; a
child that ends gives both back. `python -m tidegate.store.ingest CATALOGUE` reads one job a line from standard
input (the blob comes as an inherited descriptor) and answers each with a line.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tidegate.archive.decompress import decompressed
from tidegate.archive.errors import FormatError
from tidegate.archive.packages import Package, parse_packages
from tidegate.archive.pdiff import parse_pdiff_index
from tidegate.archive.source_index import parse_sources
from tidegate.store.ahead import ahead
from tidegate.store.catalogue import Catalogue, Listed
from tidegate.store.sqlite_catalogue import SqliteCatalogue

READ_BYTES = 1 << 18
INDEX_BYTES_MAX = 4 << 30
PDIFF_INDEX_BYTES_MAX = 16 << 20
# The decompressing thread waits for the interpreter this long at most; with the default of 5 ms nothing overlaps.
SWITCH_INTERVAL_S = 1e-4
SOURCE = "source"
"""What stands for a source package's architecture, as in Debian's .changes files (policy 5.6.8)."""


@dataclass(frozen=True, slots=True)
class Job:
    """One index: an open blob, its digest in hex, and its path below the archive (which tells what it is).

    `size_max` is what it may unpack to: what the Release lists for its plain form, where it does (threat 17).
    """

    fd: int
    digest: str
    path: str
    size_max: int = INDEX_BYTES_MAX


def artifacts_of(job: Job) -> Iterator[Listed | Package]:
    """What an index lists. Raises FormatError, naming where; OSError when the blob cannot be read."""
    directory, _, name = job.path.rpartition("/")
    chunks = ahead(chunks_of(job))  # decompressed beside the parsing, which is half of the time
    if name.startswith("Packages"):
        yield from parse_packages(chunks)
    elif name.startswith("Sources"):
        for part in parse_sources(chunks):
            yield Package(*part, SOURCE, part.name, part.version)
    else:
        for patch in parse_pdiff_index(_whole(chunks)):
            yield Listed(f"{directory}/{patch.path}", patch.sha256, patch.size)


def take_in(catalogue: Catalogue, job: Job) -> int:
    """Add an index's listing to the catalogue; returns how many artifacts it has. Raises as `artifacts_of`."""
    return catalogue.add_listing(bytes.fromhex(job.digest), artifacts_of(job))


def chunks_of(job: Job) -> Iterator[bytes]:
    """An index's content, decompressed. Raises as `artifacts_of`."""
    return decompressed(_chunks(job.fd), job.path.rpartition("/")[2], size_max=job.size_max)


def _chunks(fd: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(fd, READ_BYTES, offset):
        yield chunk
        offset += len(chunk)


def _whole(chunks: Iterator[bytes]) -> bytes:
    whole = b"".join(chunks)
    if len(whole) > PDIFF_INDEX_BYTES_MAX:
        raise FormatError(f"a pdiff Index of {len(whole):,} bytes")
    return whole


def main(arguments: list[str]) -> None:
    """Work through standard input; each answer is `{"artifacts": N}` or `{"error": SENTENCE}`."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    catalogue = SqliteCatalogue(Path(arguments[0]))
    for line in sys.stdin:
        job = Job(**json.loads(line))
        try:
            answer: dict[str, int | str] = {"artifacts": take_in(catalogue, job)}
        except (FormatError, OSError) as error:
            answer = {"error": f"{job.path}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def line_of(job: Job) -> bytes:
    """A job as the child reads it."""
    return json.dumps(asdict(job)).encode() + b"\n"


if __name__ == "__main__":
    main(sys.argv[1:])
