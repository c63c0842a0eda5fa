"""One OpenPGP certificate and what is known of its keys: age, expiry, strength, revocation.

An administrator pinned the certificate, so its self-signatures are read here for what they say; that they are
genuine is checked by the implementation that verifies a signature with it. Read by ourselves, so that both
implementations are measured by the same facts. Source: RFC 9580 (5.5 keys, 10.1 certificates).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha1, sha256

from tidegate.trust.packets import Packet, PacketError, Tag, packets
from tidegate.trust.sequoia import Cert, is_panic
from tidegate.trust.subpackets import (
    ALGORITHMS,
    CERTIFICATIONS,
    DIRECT_KEY,
    KEY_REVOCATION,
    SUBKEY_BINDING,
    SUBKEY_REVOCATION,
    Claim,
    read_claim,
)
from tidegate.trust.verdict import printable

CERTIFICATE_PACKETS_MAX = 20_000
RSA_BITS_MIN = 2_048
WEAK_DIGESTS = frozenset({"MD5", "SHA1", "RIPEMD160"})


class CertificateError(ValueError):
    """A certificate that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key or subkey. Times are epoch seconds, fingerprints upper-case hexadecimal."""

    fingerprint: str
    key_id: str
    algorithm: str
    bits: int | None
    """Of RSA and DSA; None where the algorithm fixes the strength."""
    created: int
    expires: int | None
    """The earlier of its own and its primary key's; None: never."""
    revoked: bool
    may_sign: bool
    weak: str | None
    """The algorithm and size, its own or its primary key's, that is no longer safe; None where both are."""
    weakly_bound: bool
    """Each self-signature that holds it in the certificate is over SHA-1 or worse."""

    @property
    def strength(self) -> str:
        """Algorithm and size as people name them: `RSA 4096`, `EdDSA`."""
        return f"{self.algorithm} {self.bits}" if self.bits else self.algorithm


@dataclass(frozen=True, slots=True)
class Certificate:
    """A pinned certificate: its bytes, where they are from, and the keys that may be used of it."""

    fingerprint: str
    user_id: str
    origin: str
    data: bytes = field(repr=False)
    keys: tuple[Key, ...]


def read_certificate(data: bytes, origin: str) -> Certificate:
    """The certificate in `data`, binary, a public key first. Raises CertificateError."""
    try:
        found = list(packets(data, count_max=CERTIFICATE_PACKETS_MAX))
        sections = list(_sections(found))
        primary = _primary(*sections[0])
        keys = (primary, *(_subkey(*section, primary) for section in sections[1:]))
    except (PacketError, IndexError) as error:
        raise CertificateError(str(error) or "it is cut off") from None
    user_id = next((packet.body for packet in found if packet.tag == Tag.USER_ID), b"")
    return Certificate(
        fingerprint=primary.fingerprint,
        user_id=printable(user_id.decode("utf-8", "replace")),
        origin=origin,
        data=data,
        keys=keys,
    )


def merged(one: Certificate, other: Certificate) -> Certificate:
    """What both know about the same certificate. Raises CertificateError."""
    if one.data == other.data:
        return one
    try:
        data = bytes(Cert.from_bytes(one.data).merge(Cert.from_bytes(other.data)))
    except Exception as error:
        raise CertificateError(f"its copies do not go together: {printable(str(error))}") from None
    except BaseException as error:
        if not is_panic(error):
            raise
        raise CertificateError("its copies do not go together") from None
    return read_certificate(data, f"{one.origin}, {other.origin}")


def _sections(found: Iterable[Packet]) -> Iterator[tuple[Packet, list[Claim]]]:
    """Each key with the signatures that follow it up to the next key; those we cannot read are left out."""
    key: Packet | None = None
    claims: list[Claim] = []
    for packet in found:
        if packet.tag in (Tag.PUBLIC_KEY, Tag.PUBLIC_SUBKEY):
            if key:
                yield key, claims
            key, claims = packet, []
        elif packet.tag == Tag.SIGNATURE:
            try:
                claims.append(read_claim(packet.body))
            except PacketError:
                continue  # old versions and foreign certifications are no fault of the key
    if key:
        yield key, claims


def _primary(packet: Packet, claims: list[Claim]) -> Key:
    """Version 4 keeps what holds for a key beside its user IDs, version 6 in a signature over the key."""
    fingerprint, key_id = _names(packet.body)
    own = [claim for claim in claims if fingerprint in _issuers(claim) or key_id in _issuers(claim)]
    by_user_id = [claim for claim in own if claim.kind in CERTIFICATIONS]
    direct = [claim for claim in own if claim.kind == DIRECT_KEY]
    bindings = [by_user_id, direct] if packet.body[0] == 4 else [direct, by_user_id]
    revoked = any(claim.kind == KEY_REVOCATION for claim in claims)  # also by a designated revoker
    return _key(packet, bindings, revoked=revoked)


def _subkey(packet: Packet, claims: list[Claim], primary: Key) -> Key:
    bindings = [claim for claim in claims if claim.kind == SUBKEY_BINDING]
    revoked = any(claim.kind == SUBKEY_REVOCATION for claim in claims)
    key = _key(packet, [bindings], revoked=revoked or primary.revoked)
    ends = [end for end in (key.expires, primary.expires) if end is not None]
    return replace(
        key,
        expires=min(ends, default=None),
        weak=key.weak or primary.weak,
        weakly_bound=key.weakly_bound or primary.weakly_bound,
    )


def _key(packet: Packet, bindings: list[list[Claim]], *, revoked: bool) -> Key:
    """`bindings` are its self-signatures by kind: the newest of a kind counts, and an earlier kind first."""
    body = packet.body
    fingerprint, key_id = _names(body)
    created = int.from_bytes(body[1:5], "big")
    in_force = [max(kind, key=lambda claim: claim.created or 0) for kind in bindings if kind]
    lifetimes_s = (claim.key_expires_after_s for claim in in_force)
    lifetime_s = next((s for s in lifetimes_s if s is not None), None)
    may_sign = next((claim.may_sign for claim in in_force if claim.may_sign is not None), True)
    algorithm = ALGORITHMS.get(body[5], f"algorithm {body[5]}")
    bits = _bits(body) if algorithm in ("RSA", "DSA", "ElGamal") else None
    weak = algorithm in ("DSA", "ElGamal") or (bits is not None and bits < RSA_BITS_MIN)
    return Key(
        fingerprint=fingerprint,
        key_id=key_id,
        algorithm=algorithm,
        bits=bits,
        created=created,
        expires=None if lifetime_s is None else created + lifetime_s,
        revoked=revoked,
        may_sign=bool(in_force) and may_sign,
        weak=f"{algorithm} {bits}" if weak else None,
        weakly_bound=all(claim.digest in WEAK_DIGESTS for kind in bindings for claim in kind),
    )


def _names(body: bytes) -> tuple[str, str]:
    """(fingerprint, key ID) as RFC 9580, 5.5.4 computes them; SHA-1 is what version 4 prescribes."""
    match body[:1]:
        case b"\x04":
            digest = sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).digest()
            return digest.hex().upper(), digest[-8:].hex().upper()
        case b"\x06":
            digest = sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).digest()
            return digest.hex().upper(), digest[:8].hex().upper()
    raise PacketError(f"a key of version {body[0] if body else '?'}")


def _issuers(claim: Claim) -> set[str | None]:
    return {claim.issuer_fingerprint, claim.issuer_key_id}


def _bits(body: bytes) -> int:
    """Of the first number in the key: an RSA modulus, a DSA or ElGamal prime."""
    at = 6 if body[0] == 4 else 10
    return int.from_bytes(body[at : at + 2], "big")
