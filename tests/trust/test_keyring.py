"""Keyrings from files as they occur: binary, armored, joined, broken. Threat 7: what is not in them is unknown."""

import subprocess
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.conftest import DAY_S, Cast, ring_of
from tidegate.trust.keyring import KEYRING_BYTES_MAX, Keyring, load_keyring, load_keyrings
from tidegate.trust.verdict import Reason, Refused


def refused(data: bytes) -> Refused:
    verdict = load_keyring(data, "broken.gpg")
    assert isinstance(verdict, Refused), verdict
    assert "broken.gpg" in verdict.evidence
    return verdict


def test_binary_and_armored_keyrings_say_the_same(cast: Cast) -> None:
    binary = ring_of(cast.home.public(cast.good, cast.second))
    armored = ring_of(cast.home.armored(cast.good, cast.second))
    assert binary == armored
    assert set(binary.fingerprints) == {cast.good.fingerprint, cast.second.fingerprint}
    assert {certificate.origin for certificate in binary.certificates} == {"test.gpg"}


def test_armored_blocks_after_each_other_with_text_around_are_read(cast: Cast) -> None:
    data = (
        b"Our key:\r\n"
        + cast.home.armored(cast.good).replace(b"\n", b"\r\n")
        + b"\nand\n"
        + cast.home.armored(cast.second)
    )
    assert set(ring_of(data).fingerprints) == {cast.good.fingerprint, cast.second.fingerprint}


@pytest.mark.parametrize("data", [b"", b"\n"])
def test_empty_file_is_an_empty_keyring(data: bytes) -> None:
    assert load_keyring(data, "empty.gpg") == Keyring()


def test_key_facts_are_what_gpg_says(cast: Cast) -> None:
    listing = subprocess.run(
        ["gpg", "--homedir", str(cast.home.path), "--with-colons", "--show-keys"],
        input=cast.ring_bytes, capture_output=True, check=True, timeout=30,
    ).stdout.decode()  # fmt: skip
    rows = [line.split(":") for line in listing.splitlines()]
    said = [
        (fingerprint[9], int(row[5]), int(row[6] or 0), row[1] == "r", int(row[2]))
        for row, fingerprint in pairwise(rows)
        if row[0] in ("pub", "sub")
    ]
    bits = {"EdDSA": 255}
    assert said == [
        (key.fingerprint, key.created, key.expires or 0, key.revoked, key.bits or bits[key.algorithm])
        for certificate in cast.ring.certificates
        for key in certificate.keys
    ]


def test_subkey_expires_with_its_primary_key_at_the_latest(cast: Cast) -> None:
    home, user = cast.home, "ending <ending@archive.example>"
    born = cast.now - 20 * DAY_S
    home.gpg("--quick-generate-key", user, "ed25519", "cert", "10d", at=born)
    listing = home.gpg("--with-colons", "--list-keys", f"={user}").decode()
    primary = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
    home.gpg("--quick-add-key", primary, "ed25519", "sign", "8d", at=born)
    home.gpg("--quick-add-key", primary, "ed25519", "sign", "never", at=born)
    (certificate,) = ring_of(home.gpg("--export", primary)).certificates
    assert [key.expires for key in certificate.keys] == [
        born + 10 * DAY_S,
        born + 8 * DAY_S,
        born + 10 * DAY_S,
    ]


def test_secret_key_is_refused_with_what_to_do(cast: Cast) -> None:
    secret = cast.home.gpg("--export-secret-keys", cast.good.fingerprint)
    assert "gpg --export" in refused(secret).evidence


def test_keybox_is_refused_with_what_to_do(cast: Cast) -> None:
    assert "gpg --export" in refused((cast.home.path / "pubring.kbx").read_bytes()).evidence


@pytest.mark.parametrize("data", [b"<html></html>", b"\xca\x03PGP\xcb\x01b", b"\xff" * 64, b"\xc2\x01\x04"])
def test_file_that_is_no_keyring_is_refused(data: bytes) -> None:
    assert refused(data).reason is Reason.MALFORMED


def test_keyring_cut_off_is_refused(cast: Cast) -> None:
    assert refused(cast.ring_bytes[:-10]).reason is Reason.MALFORMED


def test_oversized_keyring_is_refused_unread() -> None:
    assert refused(bytes(KEYRING_BYTES_MAX + 1)).reason is Reason.OVERSIZED


def test_certificate_of_an_old_version_does_not_lose_the_others(cast: Cast) -> None:
    version_3 = b"\xc6\x04\x03abc"
    ring = ring_of(version_3 + cast.home.public(cast.good))
    assert ring.fingerprints == (cast.good.fingerprint,)
    assert [problem.reason for problem in ring.problems] == [Reason.MALFORMED]


def test_file_that_is_no_keyring_does_not_lose_the_others(cast: Cast) -> None:
    ring = load_keyrings([("a.gpg", b"<html>"), ("b.gpg", cast.home.public(cast.good))])
    assert ring.fingerprints == (cast.good.fingerprint,)
    assert "a.gpg" in ring.problems[0].evidence


def test_same_certificate_in_two_files_is_there_once_and_names_both(cast: Cast) -> None:
    public = cast.home.public(cast.good)
    ring = load_keyrings([("a.gpg", public), ("b.gpg", public)])
    assert [certificate.origin for certificate in ring.certificates] == ["a.gpg"]


def test_revocation_in_either_of_two_files_counts(cast: Cast) -> None:
    fresh = ring_of(cast.home.public(cast.revoked))
    for ring in (fresh.merge(cast.ring), cast.ring.merge(fresh)):
        (certificate,) = ring.restrict([cast.revoked.fingerprint]).certificates
        assert certificate.keys[0].revoked


def test_copies_of_a_certificate_that_do_not_go_together_leave_the_known_one(cast: Cast) -> None:
    fresh = ring_of(cast.home.public(cast.good))
    (good,) = fresh.certificates
    foreign = replace(good, data=cast.home.public(cast.second), origin="forged.gpg")
    merged = fresh.merge(Keyring((foreign,)))
    assert merged.certificates == (good,)
    assert "forged.gpg" in merged.problems[0].evidence


def test_unknown_fingerprint_restricts_to_nothing(cast: Cast) -> None:
    assert cast.ring.restrict([cast.unknown.fingerprint]).certificates == ()


def test_fingerprint_may_be_written_with_spaces_and_in_lower_case(cast: Cast) -> None:
    written = " ".join(cast.good.fingerprint.lower()[at : at + 4] for at in range(0, 40, 4))
    assert cast.ring.restrict([written]).fingerprints == (cast.good.fingerprint,)


def test_fingerprint_of_a_subkey_stands_for_its_certificate(cast: Cast) -> None:
    assert cast.ring.restrict([cast.subkey]).fingerprints == (cast.by_subkey.fingerprint,)


@given(data=st.binary(max_size=500))
def test_any_bytes_are_a_keyring_or_refused(data: bytes) -> None:
    assert isinstance(load_keyring(data, "any"), Keyring | Refused)


@given(data=st.data())
def test_altered_keyring_is_a_keyring_or_refused(cast: Cast, data: st.DataObject) -> None:
    altered = bytearray(cast.ring_bytes)
    at = data.draw(st.integers(0, len(altered) - 1))
    altered[at] = data.draw(st.integers(0, 255))
    assert isinstance(load_keyring(bytes(altered), "altered"), Keyring | Refused)
