"""Blobs in files and in memory, and what only files have: names, links, and a disk that fills up."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store.blob_contract import BYTES, BlobContract
from tests.store.drafts import put, read, sha256, verified
from tidegate.store import file_blobs
from tidegate.store.blobs import BlobStore, Draft
from tidegate.store.file_blobs import SYNC_ALL_FROM, FileBlobs
from tidegate.store.layout import Layout
from tidegate.store.memory_blobs import MemoryBlobs


def made(directory: Path) -> Layout:
    layout = Layout(directory / "state", directory / "cache")
    layout.make()
    return layout


def name_of(layout: Layout, data: bytes) -> Path:
    digest = sha256(data).hex()
    return layout.blobs / digest[:2] / digest[2:]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return made(tmp_path)


class TestFileBlobs(BlobContract):
    @pytest.fixture
    def blobs(self, layout: Layout) -> BlobStore:
        return FileBlobs(layout)


class TestMemoryBlobs(BlobContract):
    @pytest.fixture
    def blobs(self) -> Iterator[BlobStore]:
        blobs = MemoryBlobs()
        yield blobs
        for digest, _ in list(blobs.digests()):
            blobs.remove(digest)


def test_a_kept_blob_is_a_file_under_its_digest_and_its_draft_has_no_name_any_more(layout: Layout) -> None:
    put(FileBlobs(layout), BYTES)
    assert name_of(layout, BYTES).read_bytes() == BYTES
    assert list(layout.tmp.iterdir()) == []


def test_a_discarded_draft_has_no_name_any_more(layout: Layout) -> None:
    blobs = FileBlobs(layout)
    draft = blobs.draft()
    assert len(list(layout.tmp.iterdir())) == 1
    blobs.discard(draft)
    assert list(layout.tmp.iterdir()) == []


def test_a_symlink_in_the_store_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    """Threat 40."""
    blobs, secret = FileBlobs(layout), tmp_path / "secret"
    secret.write_bytes(BYTES)
    name_of(layout, BYTES).symlink_to(secret)
    assert blobs.open(sha256(BYTES)) is None
    assert blobs.size(sha256(BYTES)) is None
    assert list(blobs.digests()) == []


def test_a_symlink_in_the_store_is_replaced_and_its_target_untouched(layout: Layout, tmp_path: Path) -> None:
    """Threat 40."""
    blobs, victim = FileBlobs(layout), tmp_path / "victim"
    victim.write_bytes(b"precious")
    name_of(layout, BYTES).symlink_to(victim)
    put(blobs, BYTES)
    assert read(blobs, sha256(BYTES)) == BYTES
    assert victim.read_bytes() == b"precious"


def test_a_draft_is_never_written_through_a_planted_name(layout: Layout, tmp_path: Path) -> None:
    """Threat 40: the name of the next draft can be foreseen."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (layout.tmp / f"{os.getpid()}.0").symlink_to(victim)
    with pytest.raises(FileExistsError):
        FileBlobs(layout).draft()
    assert victim.read_bytes() == b"precious"


def test_what_is_no_blob_is_not_listed(layout: Layout) -> None:
    blobs = FileBlobs(layout)
    put(blobs, BYTES)
    (layout.blobs / "ab" / ".nfs0001").write_bytes(b"left by a file system")
    (layout.blobs / "lost+found").mkdir()
    (layout.blobs / "notes").write_bytes(b"left by a person")
    assert list(blobs.digests()) == [(sha256(BYTES), len(BYTES))]


def test_a_blob_that_goes_while_the_store_is_listed_is_left_out(layout: Layout) -> None:
    blobs = FileBlobs(layout)
    put(blobs, *(b"%d" % number for number in range(20)))
    listing = blobs.digests()
    listed = [next(listing)[0]]
    for number in range(20):
        blobs.remove(sha256(b"%d" % number))
    listed += [digest for digest, _ in listing]
    assert len(listed) < 20


def test_of_a_batch_that_cannot_be_kept_nothing_wrong_is_visible(layout: Layout) -> None:
    blobs = FileBlobs(layout)
    first, second = verified(blobs, b"first"), verified(blobs, b"second")
    assert second.draft.path is not None
    Path(second.draft.path).unlink()
    with pytest.raises(FileNotFoundError):
        blobs.keep([first, second])
    assert [(digest, size) for digest, size in blobs.digests() if digest != sha256(b"first")] == []
    assert read(blobs, sha256(b"first")) in (None, b"first")


def test_a_draft_without_a_name_cannot_be_kept_in_files(layout: Layout) -> None:
    with pytest.raises(ValueError, match="without a name"):
        FileBlobs(layout).keep([verified(MemoryBlobs(), BYTES)])


def test_data_are_flushed_before_their_names_are_given_and_names_before_they_are_promised(layout: Layout) -> None:
    """Threat 38: what a power cut may undo is whatever was not flushed, in any order."""
    blobs, order = FileBlobs(layout), list[str]()
    batch = [verified(blobs, b"%d" % number) for number in range(3)]

    def noting(name: str) -> Callable[..., None]:
        call = getattr(os, name)

        def noted(*arguments: int | str) -> None:
            order.append(name)
            call(*arguments)

        return noted

    with pytest.MonkeyPatch.context() as patched:
        for name in ("fdatasync", "rename", "fsync"):
            patched.setattr(os, name, noting(name))
        blobs.keep(batch)
    directories = len({name_of(layout, b"%d" % number).parent for number in range(3)})
    assert order == ["fdatasync"] * 3 + ["rename"] * 3 + ["fsync"] * directories


def test_many_are_as_durable_and_as_invisible_before_as_few(layout: Layout) -> None:
    """A batch is synced as a whole from SYNC_ALL_FROM on; the order is the same: data, names, directories."""
    blobs, calls = FileBlobs(layout), list[str]()
    batch = [verified(blobs, b"%d" % number) for number in range(SYNC_ALL_FROM)]

    def noted(fd: int) -> None:
        calls.append(f"{len(list(blobs.digests()))} visible")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_blobs, "_syncfs", noted)
        blobs.keep(batch)
    assert calls == ["0 visible", f"{SYNC_ALL_FROM} visible"]


def test_a_disk_that_fails_while_it_is_synced_is_told_before_any_name_is_given(layout: Layout) -> None:
    blobs = FileBlobs(layout)
    batch = [verified(blobs, b"%d" % number) for number in range(SYNC_ALL_FROM)]

    def failing(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_blobs, "_syncfs", failing)
        with pytest.raises(OSError, match="Input/output"):
            blobs.keep(batch)
    assert list(blobs.digests()) == []


def test_a_write_that_the_disk_takes_only_in_part_is_gone_on_with(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: whole(fd, bytes(data)[:7], offset))
    blobs = FileBlobs(layout)
    put(blobs, BYTES)
    assert read(blobs, sha256(BYTES)) == BYTES


def test_memory_gives_back_what_a_removed_blob_took() -> None:
    blobs = MemoryBlobs(free_bytes=1000)
    put(blobs, b"x" * 100)
    assert blobs.free_bytes() == 900
    blobs.remove(sha256(b"x" * 100))
    assert blobs.free_bytes() == 1000


def test_a_draft_is_closed_once_and_tells_it_once() -> None:
    told: list[str] = []
    draft = MemoryBlobs().draft()
    draft.on_close = lambda: told.append("closed")
    draft.close()
    draft.close()
    assert told == ["closed"]
    assert isinstance(draft, Draft)
