"""Real records from tests/data/advisories, and archives made of them."""

import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import zstandard

from tidegate.advisories.history import Provenance, Verified
from tidegate.advisories.statement import Kind, Parsed, Piece, Place, Problem, Record, Statement, Status

DATA = Path(__file__).parent.parent / "data" / "advisories"
NOON = 1_777_636_800
"""2026-05-01, 12:00 UTC."""


def at(text: str) -> int:
    """A moment in UTC, in seconds since 1970."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


def sample(path: str) -> bytes:
    """A file of the test data."""
    return (DATA / path).read_bytes()


def piece(path: str) -> Piece:
    """A file of the test data as a record, under its own name."""
    return Piece(path, sample(path))


def folder(name: str) -> Iterator[Piece]:
    """Every record of a folder of the test data."""
    for path in sorted((DATA / name).iterdir()):
        yield Piece(f"{name}/{path.name}", path.read_bytes())


def provenance(feed: str, at: int = NOON, content: bytes | None = None) -> Provenance:
    """Where a feed could be from; what has no content is other than all before."""
    digest = hashlib.sha256(str(at).encode() if content is None else content).digest()
    return Provenance(feed, f"https://feeds.example/{feed}", at, digest, Verified.DIGEST_LIST, at - 60)


def by_subject(statements: Iterable[Statement]) -> dict[tuple[str, Place], Statement]:
    """Statements by package and place."""
    return {(one.package, one.place): one for one in statements}


def tar(pieces: Iterable[Piece], *, kind: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive as the standard library makes it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=kind) as archive:
        for one in pieces:
            member = tarfile.TarInfo(one.name)
            member.size = len(one.data)
            archive.addfile(member, io.BytesIO(one.data))
    return made.getvalue()


def compressed(data: bytes, ending: str) -> bytes:
    """Data in the format of a file name's ending."""
    match ending:
        case ".xz":
            return lzma.compress(data, preset=0)
        case ".zst":
            return zstandard.ZstdCompressor().compress(data)
    return data


def records(found: Iterable[Piece | Problem]) -> list[tuple[str, bytes]]:
    """Pieces as tuples; asserts that there are no problems."""
    pieces = list(found)
    assert [one for one in pieces if isinstance(one, Problem)] == []
    return [(one.name, one.data) for one in pieces if isinstance(one, Piece)]


def parsed(identity: str = "CVE-2026-0001", *statements: Statement, modified: int | None = None) -> Parsed:
    """A record with little in it."""
    record = Record(id=identity, kind=Kind.CVE, about=identity, cves=(identity,), modified=modified)
    return Parsed(record, statements)


def statement(
    status: Status = Status.NEEDED,
    *,
    about: str = "CVE-2026-0001",
    package: str = "bash",
    release: str = "noble",
    pocket: str = "",
    fixed: str | None = None,
) -> Statement:
    """A statement on Ubuntu's bash."""
    return Statement(about, package, Place("ubuntu", release, pocket), status, fixed)
