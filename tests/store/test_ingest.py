"""The process that takes indices apart: what it answers, and what is said when it dies."""

import asyncio
import contextlib
import gzip
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.keeper.house import until
from tests.simulator.compression import bomb
from tidegate.store import ingest
from tidegate.store.ingest import Job
from tidegate.store.ingest_process import IngestError, ingest_in_process
from tidegate.store.sqlite_catalogue import SqliteCatalogue

STANZA = """Package: hello
Version: {0}
Architecture: amd64
Filename: pool/main/h/hello/hello_{0}_amd64.deb
Size: {0}
SHA256: {1}

"""


def index(*versions: int) -> bytes:
    return "".join(STANZA.format(n, hashlib.sha256(b"%d" % n).hexdigest()) for n in versions).encode()


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[SqliteCatalogue]:
    with closing(SqliteCatalogue(tmp_path / "catalogue.db")) as catalogue:
        yield catalogue


class Indices:
    """Open files with given bytes, as jobs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._opened: list[int] = []

    def job(self, data: bytes, path: str) -> Job:
        digest = hashlib.sha256(data).hexdigest()
        file = self._directory / digest
        file.write_bytes(data)
        self._opened.append(os.open(file, os.O_RDONLY))
        return Job(self._opened[-1], digest, path)

    def close(self) -> None:
        for fd in self._opened:
            os.close(fd)


@pytest.fixture
def indices(tmp_path: Path) -> Iterator[Indices]:
    made = Indices(tmp_path)
    yield made
    made.close()


async def test_several_indices_are_taken_in_by_one_process(
    catalogue: SqliteCatalogue, indices: Indices, tmp_path: Path
) -> None:
    jobs = [
        indices.job(index(1, 2, 3), "dists/s/main/binary-amd64/Packages"),
        indices.job(gzip.compress(index(4)), "dists/s/contrib/binary-amd64/Packages.gz"),
    ]
    await ingest_in_process(tmp_path / "catalogue.db")(jobs)
    assert all(catalogue.has_listing(bytes.fromhex(job.digest)) for job in jobs)


async def test_nothing_to_do_starts_no_process(tmp_path: Path) -> None:
    await ingest_in_process(tmp_path / "nowhere" / "catalogue.db")([])


async def test_a_broken_index_is_named_and_those_beside_it_are_taken_in(
    catalogue: SqliteCatalogue, indices: Indices, tmp_path: Path
) -> None:
    good = indices.job(index(1), "main/binary-amd64/Packages")
    broken = indices.job(index(2).replace(b"pool/", b"../../"), "contrib/binary-amd64/Packages")
    cut = indices.job(gzip.compress(index(3))[:-9], "non-free/binary-amd64/Packages.gz")
    with pytest.raises(IngestError) as raised:
        await ingest_in_process(tmp_path / "catalogue.db")([good, broken, cut])
    assert "contrib/binary-amd64/Packages" in str(raised.value)
    assert "non-free/binary-amd64/Packages.gz" in str(raised.value)
    assert catalogue.has_listing(bytes.fromhex(good.digest))
    assert not catalogue.has_listing(bytes.fromhex(broken.digest))
    assert not catalogue.has_listing(bytes.fromhex(cut.digest))


async def test_a_bomb_is_an_error_and_not_an_explosion(
    catalogue: SqliteCatalogue, indices: Indices, tmp_path: Path
) -> None:
    """Threat 17."""
    job = replace(indices.job(bomb("xz", 64 << 20), "main/binary-amd64/Packages.xz"), size_max=1 << 16)
    with pytest.raises(IngestError, match=r"main/binary-amd64/Packages\.xz"):
        await ingest_in_process(tmp_path / "catalogue.db")([job])
    assert not catalogue.has_listing(bytes.fromhex(job.digest))


async def test_a_process_that_dies_is_told_with_its_last_words(indices: Indices, tmp_path: Path) -> None:
    job = indices.job(index(1), "main/binary-amd64/Packages")
    with pytest.raises(IngestError, match=r"ended with 1: .*unable to open database"):
        await ingest_in_process(tmp_path / "nowhere" / "catalogue.db")([job])


async def test_a_cancelled_ingest_takes_its_process_along(
    indices: Indices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "sleeper"
    program.write_text(f"#!{sys.executable}\nimport sys, time\nprint(flush=True)\ntime.sleep(600)\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    ingesting = ingest_in_process(tmp_path / "catalogue.db")([indices.job(b"", "main/binary-amd64/Packages")])
    task = asyncio.ensure_future(ingesting)
    await until(lambda: children_of(os.getpid(), str(program)))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not children_of(os.getpid(), str(program)))


def children_of(parent: int, program: str) -> bool:
    """Whether a child of this process runs this program."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if f"PPid:\t{parent}\n" in status.read_text() and program in (status.parent / "cmdline").read_text():
                return True
    return False


def test_an_index_is_read_piece_by_piece(indices: Indices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "READ_BYTES", 7)
    job = indices.job(index(1, 2, 3), "main/binary-amd64/Packages")
    assert [listed.size for listed in ingest.artifacts_of(job)] == [1, 2, 3]
