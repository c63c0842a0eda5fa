"""The oracle says yes to what a signed Release lists, and no to everything else."""

from pathlib import Path

import pytest

from tests.oracle import Oracle, assert_listed_and_signed
from tests.simulator import attacks
from tests.simulator.archive import SimulatedArchive, release_paths
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

PLAIN = "pool/main/p/plain/plain_0.1_amd64.deb"
INRELEASE = "dists/stable/InRelease"


def test_every_path_of_a_published_archive_is_accounted_for(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys
) -> None:
    archive.suite("stable", pdiff=True, contents=True)
    archive.publish()
    for version in ("2.0", "3.0"):
        archive.update_package("hello", version)
        archive.publish()
    oracle = Oracle(keys.keyring, source_server.url)
    for number in range(1, archive.published):
        oracle.admit(archive.generation(number))
    bodies = {path: archive.read(path) for path in archive.paths()}
    assert any("Packages.diff/20" in path for path in bodies)
    for path, body in bodies.items():
        oracle.check(path, body)
    assert oracle.checked == len(bodies) > 50


@pytest.mark.parametrize("suite", ["./", "x/y/"])
def test_a_flat_repository_is_accounted_for(tmp_path: Path, keys: Keys, suite: str) -> None:
    archive = SimulatedArchive(tmp_path / "flat", keys)
    archive.add_package("tool", suite=suite)
    archive.add_source("tool", suite=suite)
    archive.publish()
    bodies = {path: archive.read(path) for path in archive.paths()}
    assert_listed_and_signed(bodies, archive.public, keys.keyring, (suite,))


@pytest.mark.parametrize("path", [PLAIN, "pool/main/h/hello/hello_1.0-1.dsc"])
def test_an_artifact_with_one_other_byte_is_not(archive: SimulatedArchive, oracle: Oracle, path: str) -> None:
    body = archive.read(path)
    oracle.check(path, body)
    for other in (body[:-1], body + b"\0", body[:-1] + bytes([body[-1] ^ 1]), b""):
        with pytest.raises(AssertionError, match="listed by no signed index"):
            oracle.check(path, other)


def test_the_right_bytes_under_another_name_are_not(archive: SimulatedArchive, oracle: Oracle) -> None:
    with pytest.raises(AssertionError, match="listed by no signed index"):
        oracle.check(PLAIN, archive.read("pool/main/h/hello/hello_1.0_amd64.deb"))


def test_an_index_with_other_bytes_is_not_by_name_nor_by_hash(archive: SimulatedArchive, oracle: Oracle) -> None:
    path = "dists/stable/main/binary-amd64/Packages.xz"
    other = archive.read("dists/stable/main/binary-all/Packages.xz")
    for asked in (path, archive.by_hash_path(path), archive.by_hash_path(path, "MD5Sum")):
        oracle.check(asked, archive.read(path))
        with pytest.raises(AssertionError, match="listed by no signed index"):
            oracle.check(asked, other)


def test_by_hash_must_be_the_digest_that_was_asked_for(archive: SimulatedArchive, oracle: Oracle) -> None:
    xz = archive.by_hash_path("dists/stable/main/binary-amd64/Packages.xz")
    gz = archive.read("dists/stable/main/binary-amd64/Packages.gz")  # listed in the same folder
    with pytest.raises(AssertionError, match="listed by no signed index"):
        oracle.check(xz, gz)


@pytest.mark.parametrize(
    "name",
    [
        "unsigned",
        "empty",
        "signed by an unknown key",
        "signed by an expired key",
        "a bad signature beside a good one",
        "changed after signing",
        "text before the signed part",
    ],
)
def test_a_release_that_is_not_well_signed_is_not(archive: SimulatedArchive, oracle: Oracle, name: str) -> None:
    attacks.UNACCEPTABLE[name](archive, "stable")
    with pytest.raises(AssertionError):
        oracle.check(INRELEASE, archive.read(INRELEASE))


def test_a_detached_signature_belongs_to_the_release_beside_it(archive: SimulatedArchive, oracle: Oracle) -> None:
    _, release, signature = release_paths(archive.suites["stable"])
    oracle.check(release, archive.read(release))
    oracle.check(signature, archive.read(signature))
    older = archive.read(signature)
    archive.publish()
    with pytest.raises(AssertionError, match="BADSIG"):
        oracle.check(signature, older)


def test_a_second_signer_whom_nobody_knows_does_no_harm(archive: SimulatedArchive, oracle: Oracle) -> None:
    archive.sign("stable", archive.keys.good, archive.keys.unknown)
    oracle.check(INRELEASE, archive.read(INRELEASE))


def test_a_release_older_than_one_already_served_is_not(archive: SimulatedArchive, oracle: Oracle) -> None:
    archive.publish()
    newer = archive.read(INRELEASE)
    archive.restore(1)
    oracle.check(INRELEASE, archive.read(INRELEASE))
    oracle.check(INRELEASE, newer)
    with pytest.raises(AssertionError, match="went back in time"):
        oracle.check(INRELEASE, archive.read(INRELEASE))


def test_two_contents_of_one_date_are_not(archive: SimulatedArchive, oracle: Oracle) -> None:
    oracle.check(INRELEASE, archive.read(INRELEASE))
    attacks.same_date_other_content(archive)
    with pytest.raises(AssertionError, match="two contents of one Date"):
        oracle.check(INRELEASE, archive.read(INRELEASE))


def test_a_package_listed_only_by_a_hostile_archive_is_not(archive: SimulatedArchive, keys: Keys) -> None:
    evil = archive.add_package("evil", suite="stable")
    archive.publish()
    archive.sign("stable", keys.unknown)
    with pytest.raises(AssertionError, match="listed by no signed index"):
        Oracle(keys.keyring, archive.public).check(evil.path, archive.read(evil.path))
