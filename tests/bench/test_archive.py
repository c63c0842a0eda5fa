"""The generated archive is one that gpgv and sha256sum agree with."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from bench.archive import Archive, Scale, published

SMALL = Scale("small", 3, 1, 5_000_000, 2_000_000, 2, 1_000_000)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return published(tmp_path_factory.mktemp("cache"), SMALL)


def test_gpgv_accepts_both_forms_of_the_release(archive: Archive) -> None:
    suite = archive.root / "dists" / archive.suite
    gpgv = ["gpgv", "--keyring", str(archive.keyring)]
    subprocess.run([*gpgv, str(suite / "InRelease")], check=True, capture_output=True)
    subprocess.run([*gpgv, str(suite / "Release.gpg"), str(suite / "Release")], check=True, capture_output=True)


def test_every_file_is_listed_with_its_size_and_digest_and_none_twice(archive: Archive) -> None:
    packages = (archive.root / "dists" / archive.suite / "main/binary-amd64/Packages").read_text()
    items = [item for group in archive.groups.values() for item in group]
    assert len({item.sha256 for item in items}) == len(items) == 11
    for item in items:
        content = (archive.root / item.path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (item.size, item.sha256)
        assert f"Filename: {item.path}\nSize: {item.size}\nSHA256: {item.sha256}\n" in packages


def test_the_release_names_the_indices_by_hash(archive: Archive) -> None:
    suite = archive.root / "dists" / archive.suite
    release = (suite / "Release").read_text()
    for name in ("Packages", "Packages.xz"):
        content = (suite / "main/binary-amd64" / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert f" {digest} {len(content)} main/binary-amd64/{name}\n" in release
        assert (suite / "main/binary-amd64/by-hash/SHA256" / digest).read_bytes() == content


def test_a_cached_archive_is_used_again(archive: Archive) -> None:
    cache: Path = archive.keyring.parent.parent
    before = archive.keyring.stat().st_mtime_ns
    assert published(cache, SMALL) == archive
    assert archive.keyring.stat().st_mtime_ns == before
