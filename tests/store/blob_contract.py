"""What every `BlobStore` promises. A subclass of `BlobContract` gives the store as the fixture `blobs`."""

import os
import time

import pytest

from tests.store.drafts import open_descriptors, put, read, sha256, verified
from tidegate.store.blobs import BlobStore, WrongBytesError, sha256_of, verify

BYTES = b"what the vendor published\n" * 100


class BlobContract:
    def test_a_kept_blob_is_read_back_whole(self, blobs: BlobStore) -> None:
        put(blobs, BYTES)
        assert read(blobs, sha256(BYTES)) == BYTES
        assert blobs.size(sha256(BYTES)) == len(BYTES)

    def test_a_blob_that_was_never_kept_is_not_held(self, blobs: BlobStore) -> None:
        assert blobs.open(sha256(b"never")) is None
        assert blobs.size(sha256(b"never")) is None

    def test_a_draft_is_invisible_until_it_is_kept(self, blobs: BlobStore) -> None:
        draft = verified(blobs, BYTES)
        assert blobs.size(sha256(BYTES)) is None
        assert list(blobs.digests()) == []
        blobs.keep([draft])
        assert list(blobs.digests()) == [(sha256(BYTES), len(BYTES))]

    def test_an_empty_blob_is_a_blob(self, blobs: BlobStore) -> None:
        put(blobs, b"")
        assert read(blobs, sha256(b"")) == b""
        assert blobs.size(sha256(b"")) == 0

    def test_many_are_kept_in_one_call(self, blobs: BlobStore) -> None:
        contents = [b"%d" % number for number in range(300)]
        put(blobs, *contents)
        assert dict(blobs.digests()) == {sha256(data): len(data) for data in contents}

    def test_keeping_what_is_held_already_is_no_error(self, blobs: BlobStore) -> None:
        put(blobs, BYTES)
        put(blobs, BYTES, BYTES)
        assert read(blobs, sha256(BYTES)) == BYTES
        assert list(blobs.digests()) == [(sha256(BYTES), len(BYTES))]

    def test_bytes_that_are_not_what_their_name_promises_are_not_verified(self, blobs: BlobStore) -> None:
        draft = blobs.draft()
        draft.write(BYTES)
        with pytest.raises(WrongBytesError, match="SHA-256"):
            verify(draft, digest=sha256(b"other"), size=len(BYTES))
        with pytest.raises(WrongBytesError, match="bytes came"):
            verify(draft, digest=sha256(BYTES), size=len(BYTES) + 1)
        with pytest.raises(WrongBytesError, match="SHA-256"):
            verify(draft, digest=sha256(BYTES), size=len(BYTES), computed=sha256(b"other"))
        blobs.discard(draft)

    def test_a_draft_stays_readable_while_somebody_follows_it(self, blobs: BlobStore) -> None:
        kept, discarded = verified(blobs, BYTES), verified(blobs, BYTES)
        blobs.keep([kept])
        blobs.discard(discarded.draft)
        assert sha256_of(kept.draft.fd) == sha256(BYTES)
        assert sha256_of(discarded.draft.fd) == sha256(BYTES)

    def test_discarding_twice_is_no_error(self, blobs: BlobStore) -> None:
        draft = blobs.draft()
        blobs.discard(draft)
        blobs.discard(draft)
        assert list(blobs.digests()) == []

    def test_a_removed_blob_is_gone_and_open_readers_go_on(self, blobs: BlobStore) -> None:
        put(blobs, BYTES)
        fd = blobs.open(sha256(BYTES))
        assert fd is not None
        blobs.remove(sha256(BYTES))
        assert blobs.open(sha256(BYTES)) is None
        assert sha256_of(fd) == sha256(BYTES)
        os.close(fd)

    def test_removing_what_is_not_held_is_no_error(self, blobs: BlobStore) -> None:
        blobs.remove(sha256(b"never"))

    def test_a_blob_counts_as_used_from_when_it_was_kept_until_it_was_used_later(self, blobs: BlobStore) -> None:
        before = time.time() - 1.0  # the kernel's coarse clock may lag behind ours
        put(blobs, BYTES)
        kept_at = blobs.used_at(sha256(BYTES))
        assert kept_at is not None
        assert before <= kept_at <= time.time()
        blobs.touch(sha256(BYTES), kept_at + 3600.0)
        assert list(blobs.held()) == [(sha256(BYTES), len(BYTES), kept_at + 3600.0)]
        blobs.touch(sha256(BYTES), kept_at)
        assert blobs.used_at(sha256(BYTES)) == kept_at + 3600.0

    def test_using_what_is_not_held_is_no_error_and_holds_nothing(self, blobs: BlobStore) -> None:
        blobs.touch(sha256(b"never"), time.time())
        assert blobs.used_at(sha256(b"never")) is None
        assert list(blobs.held()) == []

    def test_a_removed_blob_can_be_kept_again(self, blobs: BlobStore) -> None:
        put(blobs, BYTES)
        blobs.remove(sha256(BYTES))
        put(blobs, BYTES)
        assert read(blobs, sha256(BYTES)) == BYTES

    def test_two_readers_do_not_share_an_offset(self, blobs: BlobStore) -> None:
        put(blobs, BYTES)
        first, second = blobs.open(sha256(BYTES)), blobs.open(sha256(BYTES))
        assert first is not None
        assert second is not None
        with os.fdopen(first, "rb") as one, os.fdopen(second, "rb") as other:
            assert one.read() == BYTES
            assert other.read() == BYTES

    def test_a_reader_cannot_write(self, blobs: BlobStore) -> None:
        put(blobs, BYTES)
        fd = blobs.open(sha256(BYTES))
        assert fd is not None
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.pwrite(fd, b"x", 0)
        os.close(fd)

    def test_free_bytes_is_a_number_of_bytes(self, blobs: BlobStore) -> None:
        assert blobs.free_bytes() > 1 << 20

    def test_no_descriptor_is_left_behind(self, blobs: BlobStore) -> None:
        put(blobs, b"first")  # whatever a store opens once and for all
        before = open_descriptors()
        for number in range(50):
            put(blobs, b"blob %d" % number)
            blobs.discard(blobs.draft())
            assert read(blobs, sha256(b"blob %d" % number)) is not None
            blobs.remove(sha256(b"blob %d" % number))
        assert open_descriptors() == before
