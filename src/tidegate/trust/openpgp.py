"""Verification in process, with Sequoia: what a signature needs to count, and nothing taken on its word.

Sequoia alone accepts a signature of a key that has expired since, and stops at the first good signature. So the
frame is read before it, each signature is given to it alone with the one certificate it may be of, and its
yes counts only where our own facts agree. It judges times by the machine's clock, we by the `now` that is
given; both must be content.
"""

from functools import lru_cache

from tidegate.trust.certificate import Certificate, Key
from tidegate.trust.frame import Frame, pair_detached, split_clearsigned
from tidegate.trust.keyring import Keyring
from tidegate.trust.sequoia import Cert, Sig, is_panic, verify
from tidegate.trust.settings import DEFAULTS, TrustSettings
from tidegate.trust.signatures import (
    Finding,
    bad_signature,
    candidates,
    conclude,
    objection,
    read_signature,
)
from tidegate.trust.subpackets import Claim
from tidegate.trust.verdict import Reason, Refused, Signed, printable, utc

CERTIFICATES_CACHED = 256


def verify_inrelease(raw: bytes, keyring: Keyring, now: int, settings: TrustSettings = DEFAULTS) -> Signed | Refused:
    """Whether an InRelease is signed by a pinned key, at `now` (epoch seconds). Takes about 2 ms and no I/O."""
    frame = split_clearsigned(raw, settings.release_bytes_max, settings.signatures_max)
    return frame if isinstance(frame, Refused) else conclude(frame, findings(frame, keyring, now, settings))


def verify_detached(
    release: bytes, signature: bytes, keyring: Keyring, now: int, settings: TrustSettings = DEFAULTS
) -> Signed | Refused:
    """The same for a Release and its Release.gpg, armored or binary."""
    frame = pair_detached(release, signature, settings.release_bytes_max, settings.signatures_max)
    return frame if isinstance(frame, Refused) else conclude(frame, findings(frame, keyring, now, settings))


def findings(frame: Frame, keyring: Keyring, now: int, settings: TrustSettings) -> tuple[Finding, ...]:
    """What each signature of the frame turned out to be, in order; for verdicts and for explanations."""
    return tuple(_finding(packet, frame.payload, keyring, now, settings) for packet in frame.signatures)


def _finding(packet: bytes, payload: bytes, keyring: Keyring, now: int, settings: TrustSettings) -> Finding:
    claim = read_signature(packet)
    if isinstance(claim, Refused):
        return Finding(None, None, None, claim)
    pinned = candidates(claim, keyring)
    if isinstance(pinned, Refused):
        return Finding(claim, None, None, pinned)
    tried = [
        Finding(claim, certificate, key, _refusal(packet, claim, payload, certificate, key, now, settings))
        for certificate, key in pinned
    ]
    # Several only where key IDs collide: then the key that fits is the one that was meant.
    return next((finding for finding in tried if finding.refused is None), tried[0])


def _refusal(
    packet: bytes,
    claim: Claim,
    payload: bytes,
    certificate: Certificate,
    key: Key,
    now: int,
    settings: TrustSettings,
) -> Refused | None:
    against = objection(claim, key, now, settings)
    if against and not (against.reason is Reason.EXPIRED_KEY and _before_expiry(claim, key)):
        return against  # Sequoia refuses these too, without telling them from a bad signature
    if key.weakly_bound:
        return Refused(
            Reason.WEAK_KEY,
            f"key {key.fingerprint} is held together by SHA-1, which Sequoia (and apt 3 with it) no longer "
            'takes: ask the vendor to renew it, or set trust.verifier = "gpgv"',
        )
    return _mathematics(packet, claim, payload, certificate, key) or against or _ended(certificate, key, now)


def _before_expiry(claim: Claim, key: Key) -> bool:
    return claim.created is not None and key.expires is not None and claim.created < key.expires


def _mathematics(packet: bytes, claim: Claim, payload: bytes, certificate: Certificate, key: Key) -> Refused | None:
    """None when the key made this signature over these bytes, in Sequoia's opinion."""
    try:
        cert = _parsed(certificate.data)
        seen = verify(bytes=payload, store=lambda _ids: [cert], signature=Sig.from_bytes(packet)).valid_sigs
    except Exception:
        return bad_signature(claim, key)  # its message is the same for whatever was wrong
    except BaseException as error:
        if not is_panic(error):
            raise
        return Refused(Reason.VERIFIER_FAILED, f"Sequoia gave up on a signature: {printable(str(error))}")
    made_by = [sig.signing_key.upper() for sig in seen]
    return None if made_by == [key.fingerprint] else bad_signature(claim, key)


def _ended(certificate: Certificate, key: Key, now: int) -> Refused | None:
    """The certificate's end as Sequoia reads it, from self-signatures that it has verified."""
    expires = _parsed(certificate.data).expiration
    if expires is None or expires.timestamp() > now:
        return None
    return Refused(
        Reason.EXPIRED_KEY,
        f"the certificate of key {key.fingerprint} expired on {utc(int(expires.timestamp()))}: install the "
        "vendor's current keyring package",
    )


@lru_cache(maxsize=CERTIFICATES_CACHED)
def _parsed(data: bytes) -> Cert:
    return Cert.from_bytes(data)
