"""Feeds come in from files and directories."""

import hashlib
from pathlib import Path

import pytest

from tests.advisories.samples import DATA, NOON, at, sample
from tidegate.advisories.feeds import EPSS, FEEDS
from tidegate.advisories.from_files import digest_of, take_in_path
from tidegate.advisories.history import Verified
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.archive.errors import FormatError

SAMPLES = {name: DATA / name for name in FEEDS if (DATA / name).is_dir()} | {
    "ubuntu-security-api": DATA / "ubuntu-security-api.json",
    "ubuntu-notices": DATA / "ubuntu-notices.json",
    "debian-tracker": DATA / "debian-tracker.json",
    "kev": DATA / "kev.json",
    EPSS: DATA / "epss-2022-02-04.csv",
}


def test_there_is_a_sample_of_every_feed() -> None:
    assert SAMPLES.keys() == {*FEEDS, EPSS}


@pytest.mark.parametrize("feed", SAMPLES)
def test_a_feed_comes_in_from_its_path_with_where_it_is_from(feed: str) -> None:
    history = MemoryHistory()
    for moment in (NOON, NOON + 10):
        taken = take_in_path(
            history, feed, SAMPLES[feed], origin="usb stick", fetched_at=moment, verified=Verified.SIGNATURE
        )
    assert taken.unchanged
    state = history.feed(feed)
    assert state is not None
    assert (state.provenance.origin, state.provenance.verified) == ("usb stick", Verified.SIGNATURE)
    assert (state.provenance.fetched_at, state.confirmed_at) == (NOON, NOON + 10)
    if feed == EPSS:
        assert state.provenance.published == at("2022-02-04 00:00:00")
    else:
        assert (state.provenance.published is not None) == FEEDS[feed].dated
    assert state.records > 0


def test_a_directory_has_another_digest_when_a_name_or_a_byte_is_other(tmp_path: Path) -> None:
    assert digest_of(DATA / "kev.json") == hashlib.sha256(sample("kev.json")).digest()
    seen = {digest_of(tmp_path)}
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_bytes(b"1")
    seen.add(digest_of(tmp_path))
    (tmp_path / "a/b").rename(tmp_path / "a/c")
    seen.add(digest_of(tmp_path))
    (tmp_path / "a/c").write_bytes(b"2")
    seen.add(digest_of(tmp_path))
    assert len(seen) == 4
    (tmp_path / "link").symlink_to("a/c")
    assert digest_of(tmp_path) in seen


def test_an_empty_file_is_no_feed(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(FormatError, match="no EPSS heading"):
        take_in_path(MemoryHistory(), EPSS, tmp_path / "empty.csv", origin="x", fetched_at=NOON)
