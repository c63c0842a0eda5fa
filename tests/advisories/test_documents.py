"""Feeds' files, kept as they were published."""

import hashlib
import os
from pathlib import Path

import pytest

from tidegate.advisories.documents import CURRENT, Documents, Entry, is_name
from tidegate.advisories.feed_folder import BusyFeedError, Coming, FeedFolder
from tidegate.advisories.history import Verified
from tidegate.store.journal import boot_id

NAME, FILE = "ubuntu-osv", "osv-all.tar.xz"
URL = "https://feeds.example/osv-all.tar.xz"


def publish(root: Path, data: bytes, *, now: int = 1000) -> None:
    folder = FeedFolder(root, NAME)
    with folder.locked():
        fd = folder.begin(coming(len(data)), append=False)
        os.write(fd, data)
        os.close(fd)
        name = f"{hashlib.sha256(data).hexdigest()}.{FILE}"
        entry = Entry(name, len(data), now, now, URL, Verified.NOTHING)
        folder.publish(folder.coming_path(FILE), entry)


def coming(size: int, *, boot: str | None = None, listed: str = "") -> Coming:
    return Coming(URL, FILE, size, '"a"', None, listed, boot_id() if boot is None else boot)


def test_the_newest_document_is_found_and_what_it_replaced_is_gone(tmp_path: Path) -> None:
    documents = Documents(tmp_path / "feeds")
    assert documents.latest(NAME) is None
    assert documents.open(NAME) is None
    assert documents.names() == ()
    publish(tmp_path / "feeds", b"one")
    opened = documents.open(NAME)
    assert opened is not None
    publish(tmp_path / "feeds", b"second", now=2000)
    latest = documents.latest(NAME)
    assert latest is not None
    assert (latest.file_name, latest.size, latest.fetched_at, latest.origin) == (FILE, 6, 2000, URL)
    assert latest.digest == hashlib.sha256(b"second").digest()
    assert latest.path.read_bytes() == b"second"
    with opened[1] as file:
        assert file.read() == b"one"
    assert documents.names() == (NAME,)
    assert {path.name for path in latest.path.parent.iterdir()} == {latest.path.name, CURRENT, "lock"}


def test_an_entry_that_cannot_be_read_is_no_document(tmp_path: Path) -> None:
    publish(tmp_path, b"one")
    current = tmp_path / NAME / CURRENT
    whole = current.read_bytes()
    for broken in (b"", whole[:20], whole.replace(FILE.encode(), b"../../x"), b"\xff"):
        current.write_bytes(broken)
        assert Documents(tmp_path).latest(NAME) is None


@pytest.mark.parametrize("name", ["", "../x", "/etc", "A", ".x", "a/b", "a\n"])
def test_a_name_is_never_a_way_out_of_the_folder(tmp_path: Path, name: str) -> None:
    assert not is_name(name)
    assert Documents(tmp_path).latest(name) is None


def test_one_feed_has_one_writer(tmp_path: Path) -> None:
    with FeedFolder(tmp_path, NAME).locked():
        with pytest.raises(BusyFeedError, match="ubuntu-osv"), FeedFolder(tmp_path, NAME).locked():
            pass
        with FeedFolder(tmp_path, "kev").locked():
            pass
    with FeedFolder(tmp_path, NAME).locked():
        pass


def test_what_broke_off_goes_on_after_a_restart_but_not_after_the_machine_went_down(tmp_path: Path) -> None:
    folder = FeedFolder(tmp_path, NAME)
    with folder.locked():
        assert folder.coming() is None
        fd = folder.begin(coming(100), append=False)
        os.write(fd, b"abc")
        os.close(fd)
    again = FeedFolder(tmp_path, NAME)
    assert again.coming() == (coming(100), 3)
    os.close(again.begin(coming(100, boot="another"), append=True))
    assert again.coming() is None
    # A listed digest tells whether the bytes are those that were received.
    os.close(again.begin(coming(100, boot="another", listed="ab" * 32), append=True))
    found = again.coming()
    assert found is not None
    assert found[1] == 3
    again.drop_coming()
    assert again.coming() is None
