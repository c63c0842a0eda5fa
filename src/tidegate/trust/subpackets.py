"""What an OpenPGP signature says of itself: version, kind, algorithms, dates and who claims to have made it.

Only reading, no judging: nothing here is verified. Source: RFC 9580, 5.2 (version 4 is also RFC 4880's).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.trust.packets import PacketError

DIGESTS = {
    1: "MD5",
    2: "SHA1",
    3: "RIPEMD160",
    8: "SHA256",
    9: "SHA384",
    10: "SHA512",
    11: "SHA224",
    12: "SHA3-256",
    14: "SHA3-512",
}
ALGORITHMS = {
    1: "RSA",
    2: "RSA",
    3: "RSA",
    16: "ElGamal",
    17: "DSA",
    18: "ECDH",
    19: "ECDSA",
    20: "ElGamal",
    22: "EdDSA",
    25: "X25519",
    26: "X448",
    27: "Ed25519",
    28: "Ed448",
}

BINARY, TEXT = 0x00, 0x01  # what a signature over a document says it covers
CERTIFICATIONS = frozenset({0x10, 0x11, 0x12, 0x13})
SUBKEY_BINDING, DIRECT_KEY = 0x18, 0x1F
KEY_REVOCATION, SUBKEY_REVOCATION = 0x20, 0x28

_CREATED, _EXPIRES_AFTER, _KEY_EXPIRES_AFTER = 2, 3, 9
_ISSUER_KEY_ID, _KEY_FLAGS, _ISSUER_FINGERPRINT = 16, 27, 33
_FLAG_SIGN = 0x02
_BODY_BYTES_MIN = 8  # version, kind, two algorithms and two lengths, of version 4


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature's statements about itself. Times are epoch seconds, fingerprints upper-case hexadecimal."""

    version: int
    kind: int
    algorithm: str
    digest: str
    created: int | None
    expires: int | None
    """None: never."""
    key_expires_after_s: int | None
    """Of self-signatures: from the key's creation; None: never."""
    may_sign: bool | None
    """Of self-signatures: the key is bound for signatures; None: it does not say."""
    issuer_fingerprint: str | None
    issuer_key_id: str | None


def read_claim(body: bytes) -> Claim:
    """The claim in a signature packet's body; raises PacketError for what is no version 4 or 6 signature."""
    version = body[0] if body else 0
    if version not in (4, 6):
        raise PacketError(f"a signature of version {version}")
    if len(body) < _BODY_BYTES_MIN:
        raise PacketError("a signature packet that is cut off")
    octets = 2 if version == 4 else 4
    hashed, at = _area(body, 4, octets)
    unhashed, _ = _area(body, at, octets)
    signed = dict(reversed(list(_subpackets(hashed))))  # of repeated ones the first counts
    anywhere = dict(reversed([*signed.items(), *_subpackets(unhashed)]))
    created = _number(signed.get(_CREATED))
    lifetime_s = _number(signed.get(_EXPIRES_AFTER))
    flags = signed.get(_KEY_FLAGS)
    issuer = anywhere.get(_ISSUER_FINGERPRINT, b"")[1:]  # the first octet is the key's version
    return Claim(
        version=version,
        kind=body[1],
        algorithm=ALGORITHMS.get(body[2], f"algorithm {body[2]}"),
        digest=DIGESTS.get(body[3], f"digest {body[3]}"),
        created=created,
        expires=created + lifetime_s if created is not None and lifetime_s else None,
        key_expires_after_s=_number(signed.get(_KEY_EXPIRES_AFTER)) or None,
        may_sign=None if flags is None else bool(flags[:1] and flags[0] & _FLAG_SIGN),
        issuer_fingerprint=issuer.hex().upper() or None,
        issuer_key_id=anywhere.get(_ISSUER_KEY_ID, issuer[-8:] if version == 4 else issuer[:8]).hex().upper() or None,
    )


def _area(body: bytes, at: int, octets: int) -> tuple[bytes, int]:
    """The subpacket area that begins at `at` with its length in `octets`, and where it ends."""
    start = at + octets
    end = start + int.from_bytes(body[at:start], "big")
    if end > len(body):
        raise PacketError("a signature packet that is cut off")
    return body[start:end], end


def _subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, content); the bit that calls a subpacket critical is left to who verifies."""
    at = 0
    while at < len(area):
        first = area[at]
        if first < 192:
            start, length = at + 1, first
        elif first < 255:
            start, length = at + 2, ((first - 192) << 8) + int.from_bytes(area[at + 1 : at + 2]) + 192
        else:
            start, length = at + 5, int.from_bytes(area[at + 1 : at + 5])
        if length == 0 or start + length > len(area):
            raise PacketError("a signature with a broken subpacket")
        yield area[start] & 0x7F, area[start + 1 : start + length]
        at = start + length


def _number(content: bytes | None) -> int | None:
    if content is None:
        return None
    if len(content) != 4:
        raise PacketError("a signature with a time that is none")
    return int.from_bytes(content, "big")
