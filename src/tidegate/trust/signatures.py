"""Each signature looked at, one by one, and what follows from them together.

The rules are one for both OpenPGP implementations: which signatures may count at all (`objection`), and what
a set of findings means (`conclude`). Threats 5 and 6. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.trust.certificate import RSA_BITS_MIN, WEAK_DIGESTS, Certificate, Key
from tidegate.trust.frame import Frame
from tidegate.trust.keyring import Keyring
from tidegate.trust.packets import PacketError, packets
from tidegate.trust.settings import TrustSettings
from tidegate.trust.subpackets import BINARY, TEXT, Claim, read_claim
from tidegate.trust.verdict import Reason, Refused, Signed, Signer, utc

_FOR_DOCUMENTS = {"RSA", "ECDSA", "EdDSA", "Ed25519", "Ed448"}

# The first of these that occurs is what is told when no signature is good: the more we know, the earlier.
_TELLING = (
    Reason.BAD_SIGNATURE,
    Reason.REVOKED_KEY,
    Reason.EXPIRED_KEY,
    Reason.WEAK_KEY,
    Reason.WEAK_DIGEST,
    Reason.NOT_FOR_SIGNING,
    Reason.FROM_THE_FUTURE,
    Reason.EXPIRED_SIGNATURE,
    Reason.VERIFIER_FAILED,
    Reason.UNSUPPORTED_SIGNATURE,
    Reason.UNKNOWN_KEY,
    Reason.EMPTY_KEYRING,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one signature turned out to be: good when nothing is refused."""

    claim: Claim | None
    """None where the packet could not be read."""
    certificate: Certificate | None
    """Whose key it is, where the keyring knows it."""
    key: Key | None
    refused: Refused | None

    @property
    def signer(self) -> Signer | None:
        """Who vouches; None unless the signature is good."""
        if self.refused or not (self.claim and self.certificate and self.key):
            return None
        return Signer(self.key.fingerprint, self.certificate.fingerprint, self.claim.created or 0)


def read_signature(packet: bytes) -> Claim | Refused:
    """The claim in one signature packet, or why its signature cannot be checked."""
    try:
        (only,) = packets(packet, count_max=1)
        return read_claim(only.body)
    except (PacketError, IndexError) as error:
        return Refused(Reason.UNSUPPORTED_SIGNATURE, f"a signature cannot be checked: {error}; it counts for nothing")


def candidates(claim: Claim, keyring: Keyring) -> tuple[tuple[Certificate, Key], ...] | Refused:
    """The pinned keys that a signature may be of, at least one."""
    found = tuple(keyring.find(fingerprint=claim.issuer_fingerprint, key_id=claim.issuer_key_id))
    if found:
        return found
    if not keyring.certificates:
        return Refused(
            Reason.EMPTY_KEYRING, "no key is pinned for this archive: name its keyring (Signed-By, or keyring)"
        )
    return Refused(
        Reason.UNKNOWN_KEY,
        f"signed by {_issuer(claim)}, which is not among the {len(keyring.certificates)} pinned certificates: "
        "if the vendor announced a new key, install the vendor's keyring package",
    )


def objection(claim: Claim, key: Key, now: int, settings: TrustSettings) -> Refused | None:
    """Why a signature by `key` may not count at `now`, however good its mathematics; None if it may."""
    return _against_key(key, now) or _against_signature(claim, key, now, settings)


def bad_signature(claim: Claim, key: Key) -> Refused:
    """For a signature that a known key did not make over these bytes."""
    return Refused(
        Reason.BAD_SIGNATURE,
        f"the signature of {_when(claim)} by key {key.fingerprint} does not fit these bytes: they were altered, or "
        "two publications are mixed; try another source",
    )


def conclude(frame: Frame, findings: Sequence[Finding]) -> Signed | Refused:
    """A bad signature by a known key refuses, whatever stands beside it; else one good one is enough.

    Signatures that neither vouch nor disown (of unknown, expired, revoked or weak keys) become alarms beside a
    good one: vendors sign with keys that older keyrings lack, for example when they change them.
    """
    refusals = [finding.refused for finding in findings if finding.refused]
    signers = {finding.signer.fingerprint: finding.signer for finding in findings if finding.signer}
    disowned = next((refused for refused in refusals if refused.reason is Reason.BAD_SIGNATURE), None)
    if disowned:
        return disowned
    if not signers:
        return min(refusals, key=lambda refused: _TELLING.index(refused.reason))
    return Signed(frame.payload, tuple(signers.values()), tuple(refusals))


def _against_key(key: Key, now: int) -> Refused | None:
    name = f"key {key.fingerprint}"
    if key.revoked:
        return Refused(
            Reason.REVOKED_KEY,
            f"{name} is revoked by its owner: do not trust it, install the vendor's current keyring package",
        )
    if key.weak:
        return Refused(
            Reason.WEAK_KEY,
            f"{name} rests on {key.weak}, which is no longer safe (RSA wants {RSA_BITS_MIN} bits): ask the vendor "
            "for a new key",
        )
    if not key.may_sign:
        return Refused(Reason.NOT_FOR_SIGNING, f"{name} is not meant for signatures by its owner")
    if key.expires is not None and key.expires <= now:
        return Refused(
            Reason.EXPIRED_KEY,
            f"{name} expired on {utc(key.expires)}: install the vendor's current keyring package",
        )
    return None


def _against_signature(claim: Claim, key: Key, now: int, settings: TrustSettings) -> Refused | None:
    by = f"the signature by key {key.fingerprint}"
    if claim.kind not in (BINARY, TEXT) or claim.algorithm not in _FOR_DOCUMENTS:
        return Refused(
            Reason.UNSUPPORTED_SIGNATURE,
            f"{by} is of a kind ({claim.kind:#04x}, {claim.algorithm}) that is no signature over a document",
        )
    if claim.digest in WEAK_DIGESTS:
        return Refused(Reason.WEAK_DIGEST, f"{by} is over {claim.digest}, which can be forged: ask for SHA256")
    if claim.created is None:
        return Refused(Reason.UNSUPPORTED_SIGNATURE, f"{by} does not say when it was made")
    if claim.created > now + settings.future_skew_s:
        return Refused(
            Reason.FROM_THE_FUTURE,
            f"{by} is of {_when(claim)}, ahead of our clock ({utc(now)}): check this machine's clock first",
        )
    if claim.created < key.created:
        return Refused(
            Reason.UNSUPPORTED_SIGNATURE, f"{by} is of {_when(claim)}, older than the key ({utc(key.created)})"
        )
    if claim.expires is not None and claim.expires <= now:
        return Refused(Reason.EXPIRED_SIGNATURE, f"{by} was valid until {utc(claim.expires)} only: try another source")
    return None


def _issuer(claim: Claim) -> str:
    return f"key {claim.issuer_fingerprint or claim.issuer_key_id or 'of no name'}"


def _when(claim: Claim) -> str:
    return "an unknown time" if claim.created is None else utc(claim.created)
