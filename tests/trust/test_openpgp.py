"""Signatures, by both implementations: threats 2, 5 and 6. Where one is told, the reason must be right too."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pysequoia
import pytest

from tests.simulator.keys import KeyHome, armored_signature, signature_packets, with_signatures
from tests.trust.conftest import DAY_S, RELEASE, Cast, ring_of
from tidegate.presets import load
from tidegate.trust.frame import Frame, split_clearsigned
from tidegate.trust.keyring import Keyring
from tidegate.trust.openpgp import verify_detached, verify_inrelease
from tidegate.trust.signatures import read_signature
from tidegate.trust.subpackets import Claim
from tidegate.trust.verdict import Reason, Refused, Signed
from tidegate.trust.verifier import Verifier

DATA = Path(__file__).parent.parent / "data" / "trust"


def reason_of(verdict: Signed | Refused) -> Reason:
    assert isinstance(verdict, Refused), verdict
    return verdict.reason


def signed_by(verdict: Signed | Refused) -> set[str]:
    assert isinstance(verdict, Signed), verdict
    return {signer.primary for signer in verdict.signers}


def alarms_of(verdict: Signed | Refused) -> list[Reason]:
    assert isinstance(verdict, Signed), verdict
    return [alarm.reason for alarm in verdict.alarms]


def test_inrelease_by_a_pinned_key_is_accepted_with_exactly_its_text(cast: Cast, verifier: Verifier) -> None:
    verdict = verifier.verify_inrelease(cast.clearsign(RELEASE, cast.good), cast.ring, cast.now)
    assert signed_by(verdict) == {cast.good.fingerprint}
    assert isinstance(verdict, Signed)
    assert verdict.release == RELEASE.removesuffix(b"\n")
    assert verdict.alarms == ()


@pytest.mark.parametrize("armor", [True, False])
def test_detached_signature_is_accepted_armored_and_binary(cast: Cast, verifier: Verifier, armor: bool) -> None:
    signature = cast.detached(RELEASE, cast.good)
    if not armor:
        signature = signature_packets(signature)
    verdict = verifier.verify_detached(RELEASE, signature, cast.ring, cast.now)
    assert signed_by(verdict) == {cast.good.fingerprint}
    assert isinstance(verdict, Signed)
    assert verdict.release == RELEASE


def test_signature_by_a_subkey_names_the_primary_key_too(cast: Cast, verifier: Verifier) -> None:
    verdict = verifier.verify_inrelease(cast.clearsign(RELEASE, cast.by_subkey), cast.ring, cast.now)
    assert isinstance(verdict, Signed)
    (signer,) = verdict.signers
    assert (signer.fingerprint, signer.primary) == (cast.subkey, cast.by_subkey.fingerprint)
    assert abs(signer.created - cast.now) < 3600


def test_every_good_signer_is_named(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.good, cast.rsa2048)
    verdict = verifier.verify_inrelease(inrelease, cast.ring, cast.now)
    assert signed_by(verdict) == {cast.good.fingerprint, cast.rsa2048.fingerprint}


def test_unknown_key_is_refused(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.unknown)
    verdict = verifier.verify_inrelease(inrelease, cast.ring, cast.now)
    assert reason_of(verdict) is Reason.UNKNOWN_KEY
    assert isinstance(verdict, Refused)
    assert cast.unknown.fingerprint in verdict.evidence


def test_signature_made_by_a_renewed_key_of_which_we_hold_the_old_certificate_is_no_bad_signature(
    cast: Cast, verifier: Verifier
) -> None:
    with KeyHome() as home:
        key = home.generate("renewed", created=cast.now - 40 * DAY_S, expires="30d")
        ring = ring_of(home.public(key) + cast.home.public(cast.good))
        home.gpg("--quick-set-expire", key.fingerprint, "1y", at=cast.now - 15 * DAY_S)
        renewed = signature_packets(home.clearsign(RELEASE, key, at=cast.lately))
    good = signature_packets(cast.clearsign(RELEASE, cast.good))
    inrelease = with_signatures(cast.clearsign(RELEASE, cast.good), renewed + good)
    verdict = verifier.verify_inrelease(inrelease, ring, cast.now)
    assert signed_by(verdict) == {cast.good.fingerprint}
    assert alarms_of(verdict) == [Reason.EXPIRED_KEY]


def test_unknown_second_signature_is_an_alarm_and_no_refusal(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.good, cast.unknown)
    verdict = verifier.verify_inrelease(inrelease, cast.ring, cast.now)
    assert signed_by(verdict) == {cast.good.fingerprint}
    assert alarms_of(verdict) == [Reason.UNKNOWN_KEY]


def test_expired_key_is_refused_although_it_was_valid_when_it_signed(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.expired, at=cast.while_valid)
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.EXPIRED_KEY


def test_key_that_expires_between_two_refreshes_is_refused_from_then_on(cast: Cast) -> None:
    inrelease = cast.clearsign(RELEASE, cast.expired, at=cast.while_valid)
    assert isinstance(verify_inrelease(inrelease, cast.ring, cast.while_valid + DAY_S), Signed)
    assert reason_of(verify_inrelease(inrelease, cast.ring, cast.while_valid + 30 * DAY_S)) is Reason.EXPIRED_KEY


def test_expired_key_beside_a_good_one_is_an_alarm(cast: Cast, verifier: Verifier) -> None:
    good = signature_packets(cast.clearsign(RELEASE, cast.good))
    old = signature_packets(cast.clearsign(RELEASE, cast.expired, at=cast.while_valid))
    inrelease = with_signatures(cast.clearsign(RELEASE, cast.good), old + good)
    verdict = verifier.verify_inrelease(inrelease, cast.ring, cast.now)
    assert signed_by(verdict) == {cast.good.fingerprint}
    assert alarms_of(verdict)[0] is Reason.EXPIRED_KEY


def test_revoked_key_is_refused(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.revoked)
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.REVOKED_KEY


@pytest.mark.parametrize("key", ["rsa1024", "dsa"])
def test_weak_key_is_refused(cast: Cast, verifier: Verifier, key: str) -> None:
    inrelease = cast.clearsign(RELEASE, getattr(cast, key), digest="SHA256")
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.WEAK_KEY


@pytest.mark.parametrize("digest", ["SHA1", "RIPEMD160"])
def test_signature_over_a_weak_digest_is_refused(cast: Cast, verifier: Verifier, digest: str) -> None:
    inrelease = cast.clearsign(RELEASE, cast.rsa2048, digest=digest)
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.WEAK_DIGEST


def test_weak_signature_beside_a_good_one_is_an_alarm(cast: Cast, verifier: Verifier) -> None:
    good = signature_packets(cast.clearsign(RELEASE, cast.good))
    weak = signature_packets(cast.clearsign(RELEASE, cast.rsa2048, digest="SHA1"))
    inrelease = with_signatures(cast.clearsign(RELEASE, cast.good), good + weak)
    verdict = verifier.verify_inrelease(inrelease, cast.ring, cast.now)
    assert signed_by(verdict) == {cast.good.fingerprint}
    assert Reason.WEAK_DIGEST in alarms_of(verdict)


@pytest.mark.parametrize("good_first", [True, False])
def test_bad_signature_by_a_known_key_beside_a_good_one_refuses(
    cast: Cast, verifier: Verifier, good_first: bool
) -> None:
    good = signature_packets(cast.clearsign(RELEASE, cast.good))
    other = signature_packets(cast.clearsign(RELEASE + b"X: y\n", cast.second))
    inrelease = with_signatures(cast.clearsign(RELEASE, cast.good), good + other if good_first else other + good)
    verdict = verifier.verify_inrelease(inrelease, cast.ring, cast.now)
    assert reason_of(verdict) is Reason.BAD_SIGNATURE
    assert isinstance(verdict, Refused)
    assert cast.second.fingerprint in verdict.evidence


def test_second_signature_of_a_release_gpg_is_looked_at(cast: Cast, verifier: Verifier) -> None:
    good = signature_packets(cast.detached(RELEASE, cast.good))
    other = signature_packets(cast.detached(RELEASE + b"X: y\n", cast.second))
    verdict = verifier.verify_detached(RELEASE, armored_signature(good + other), cast.ring, cast.now)
    assert reason_of(verdict) is Reason.BAD_SIGNATURE


def test_bad_signature_by_an_expired_key_beside_a_good_one_refuses(cast: Cast, verifier: Verifier) -> None:
    good = signature_packets(cast.clearsign(RELEASE, cast.good))
    other = signature_packets(cast.clearsign(RELEASE + b"X: y\n", cast.expired, at=cast.while_valid))
    inrelease = with_signatures(cast.clearsign(RELEASE, cast.good), good + other)
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.BAD_SIGNATURE


def test_changed_text_is_refused(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.good).replace(b"Suite: stable", b"Suite: stible")
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.BAD_SIGNATURE


def test_signature_from_the_future_is_refused(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.good, at=cast.now + DAY_S)
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.FROM_THE_FUTURE


def test_signature_that_has_expired_is_refused(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.home.gpg(
        "--default-sig-expire", "1d", "--local-user", cast.good.fingerprint, "--clearsign",
        stdin=RELEASE, at=cast.now - 10 * DAY_S,
    )  # fmt: skip
    assert reason_of(verifier.verify_inrelease(inrelease, cast.ring, cast.now)) is Reason.EXPIRED_SIGNATURE


def test_certification_passed_off_as_a_document_signature_is_refused(cast: Cast, verifier: Verifier) -> None:
    packets = bytearray(signature_packets(cast.detached(RELEASE, cast.good)))
    body = packets.index(b"\x04\x00\x16")  # version 4, over a binary document, EdDSA
    packets[body + 1] = 0x13
    verdict = verifier.verify_detached(RELEASE, bytes(packets), cast.ring, cast.now)
    assert reason_of(verdict) in (Reason.UNSUPPORTED_SIGNATURE, Reason.VERIFIER_FAILED)


def test_signature_of_a_later_openpgp_version_is_an_alarm_beside_a_good_one(cast: Cast) -> None:
    good = signature_packets(cast.detached(RELEASE, cast.good))
    for later in (b"\xc2\x05\x09abcd", b"\xc2\x00", b"\xc2\x02\x04\x00", b"\xc2\x0a\x04\x00\x16\x08\xff\xff????"):
        verdict = verify_detached(RELEASE, good + later, cast.ring, cast.now)
        assert alarms_of(verdict) == [Reason.UNSUPPORTED_SIGNATURE]
        alone = verify_detached(RELEASE, later, cast.ring, cast.now)
        assert reason_of(alone) is Reason.UNSUPPORTED_SIGNATURE


@pytest.mark.parametrize(("years_later", "state"), [(0, "good"), (4, Reason.EXPIRED_KEY)])
def test_key_of_openpgp_version_6_is_understood_with_its_end(years_later: int, state: str) -> None:
    secret = pysequoia.Tsk.generate(
        "later <later@archive.example>", profile=pysequoia.Profile.RFC9580, validity_seconds=3 * 366 * DAY_S
    )
    signature = pysequoia.sign(secret.signer(), RELEASE, mode=pysequoia.SignatureMode.DETACHED)
    certificate = secret.extract_certificate()
    ring = ring_of(bytes(certificate))
    assert ring.fingerprints == (certificate.fingerprint.upper(),)
    assert certificate.expiration
    ends = {key.expires for one in ring.certificates for key in one.keys}
    assert ends == {int(certificate.expiration.timestamp())}
    verdict = verify_detached(RELEASE, signature, ring, int(time.time()) + 60 + years_later * 366 * DAY_S)
    assert ("good" if isinstance(verdict, Signed) else verdict.reason) == state


def test_verification_from_many_threads_at_once_is_as_good_as_from_one(cast: Cast) -> None:
    good = cast.clearsign(RELEASE, cast.good, cast.rsa2048)
    bad = good.replace(b"stable", b"stible")
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda raw: verify_inrelease(raw, cast.ring, cast.now), [good, bad] * 100))
    assert {type(verdict) for verdict in verdicts[::2]} == {Signed}
    assert {type(verdict) for verdict in verdicts[1::2]} == {Refused}


def test_panic_inside_the_library_is_a_refusal_and_any_other_exit_is_not_caught(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        """As PyO3 makes it; a real one is a bug that we cannot order."""

    PanicException.__module__ = "pyo3_runtime"

    def verify_with(error: BaseException) -> Signed | Refused:
        def fail(**_: object) -> None:
            raise error

        monkeypatch.setattr("tidegate.trust.openpgp.verify", fail)
        return verify_inrelease(raw, cast.ring, cast.now)

    raw = cast.clearsign(RELEASE, cast.good)
    assert reason_of(verify_with(PanicException("index out of bounds"))) is Reason.VERIFIER_FAILED
    with pytest.raises(KeyboardInterrupt):
        verify_with(KeyboardInterrupt())


def test_nothing_verifies_against_an_empty_keyring(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.good)
    assert reason_of(verifier.verify_inrelease(inrelease, Keyring(), cast.now)) is Reason.EMPTY_KEYRING


def test_keyring_restricted_to_another_fingerprint_does_not_know_the_signer(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.good)
    only_second = cast.ring.restrict([cast.second.fingerprint])
    assert reason_of(verifier.verify_inrelease(inrelease, only_second, cast.now)) is Reason.UNKNOWN_KEY
    both = cast.ring.restrict([cast.second.fingerprint, cast.good.fingerprint])
    assert signed_by(verifier.verify_inrelease(inrelease, both, cast.now)) == {cast.good.fingerprint}


def test_fingerprint_with_exclamation_mark_allows_that_subkey_alone(cast: Cast, verifier: Verifier) -> None:
    inrelease = cast.clearsign(RELEASE, cast.by_subkey)
    subkey_only = cast.ring.restrict([f"{cast.subkey}!"])
    assert signed_by(verifier.verify_inrelease(inrelease, subkey_only, cast.now)) == {cast.by_subkey.fingerprint}
    primary_only = cast.ring.restrict([f"{cast.by_subkey.fingerprint}!"])
    assert reason_of(verifier.verify_inrelease(inrelease, primary_only, cast.now)) is Reason.UNKNOWN_KEY


def test_signature_that_names_only_a_key_id_finds_its_key(verifier: Verifier) -> None:
    inrelease = (DATA / "keyid-only.InRelease").read_bytes()
    ring = ring_of((DATA / "keyid-only.asc").read_bytes())
    frame = split_clearsigned(inrelease, len(inrelease))
    assert isinstance(frame, Frame)
    claim = read_signature(frame.signatures[0])
    assert isinstance(claim, Claim)
    assert (claim.issuer_fingerprint, claim.issuer_key_id) == (None, ring.fingerprints[0][-16:])
    assert signed_by(verifier.verify_inrelease(inrelease, ring, 1_800_000_000)) == set(ring.fingerprints)


def test_bad_signature_that_names_only_a_key_id_is_of_a_known_key(verifier: Verifier) -> None:
    inrelease = (DATA / "keyid-only.InRelease").read_bytes().replace(b"Suite: stable", b"Suite: stible")
    ring = ring_of((DATA / "keyid-only.asc").read_bytes())
    assert reason_of(verifier.verify_inrelease(inrelease, ring, 1_800_000_000)) is Reason.BAD_SIGNATURE


def test_debian_security_as_it_was_published_is_accepted(verifier: Verifier) -> None:
    inrelease = (DATA / "bookworm-security.InRelease").read_bytes()
    (debian,) = (preset for preset in load() if preset.name == "debian-security")
    verdict = verifier.verify_inrelease(inrelease, ring_of(debian.keyring_data()), 1_795_300_000)
    assert signed_by(verdict) == {
        "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",  # Debian Security Archive Automatic Signing Key (12/bookworm)
        "AC530D520F2F3269F5E98313A48449044AAD5C5D",  # the same for 11/bullseye
    }


def test_renewed_certificate_counts_once_the_newer_keyring_is_merged(verifier: Verifier, cast: Cast) -> None:
    with KeyHome() as home:
        key = home.generate("renewed", created=cast.now - 40 * DAY_S, expires="30d")
        before = home.public(key)
        home.gpg("--quick-set-expire", key.fingerprint, "1y", at=cast.now - 15 * DAY_S)
        after = home.public(key)
        inrelease = home.clearsign(RELEASE, key, at=cast.lately)
    old = ring_of(before, "old.gpg")
    assert reason_of(verifier.verify_inrelease(inrelease, old, cast.now)) is Reason.EXPIRED_KEY
    for merged in (old.merge(ring_of(after, "new.gpg")), ring_of(after, "new.gpg").merge(old)):
        assert signed_by(verifier.verify_inrelease(inrelease, merged, cast.now)) == {key.fingerprint}
