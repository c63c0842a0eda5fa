"""Keyrings: the certificates an administrator pinned, and what is known of each of their keys.

Keys come from files that somebody chose (Signed-By, a preset, the configuration) and are never learned from
the network or from an archive (threat 7). What is read here are facts; whether a key is good enough for a
signature is judged in `signatures`, at a time that is given.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from tidegate.trust.certificate import Certificate, CertificateError, Key, merged, read_certificate
from tidegate.trust.packets import Packet, PacketError, Tag, dearmor, packets
from tidegate.trust.verdict import Reason, Refused, printable

KEYRING_BYTES_MAX = 4_194_304
PACKETS_MAX = 20_000
CERTIFICATES_MAX = 1_024

_CERTIFICATE_TAGS = frozenset({Tag.SIGNATURE, Tag.PUBLIC_KEY, Tag.PUBLIC_SUBKEY, Tag.USER_ID, Tag.USER_ATTRIBUTE})
_IGNORED_TAGS = frozenset({Tag.MARKER, Tag.TRUST, Tag.PADDING})  # gpg writes them into its own keyrings
_SECRET_TAGS = frozenset({Tag.SECRET_KEY, Tag.SECRET_SUBKEY})
_ARMORED = re.compile(
    rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----$.*?^-----END PGP PUBLIC KEY BLOCK-----$", re.MULTILINE | re.DOTALL
)
_KEYBOX_MAGIC = (8, b"KBXf")


@dataclass(frozen=True, slots=True)
class Keyring:
    """Pinned certificates. The empty one is a value like any other: nothing verifies against it."""

    certificates: tuple[Certificate, ...] = ()
    problems: tuple[Refused, ...] = ()
    """Certificates of the file that cannot be used, each with its reason; the others can."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the primary keys."""
        return tuple(certificate.fingerprint for certificate in self.certificates)

    def merge(self, other: "Keyring") -> "Keyring":
        """Both together; what they know of the same certificate is joined (a renewed expiry, a revocation)."""
        by_fingerprint = {certificate.fingerprint: certificate for certificate in self.certificates}
        problems = [*self.problems, *other.problems]
        for certificate in other.certificates:
            known = by_fingerprint.get(certificate.fingerprint)
            try:
                joined = certificate if known is None else merged(known, certificate)
            except CertificateError as error:
                problems.append(_unusable(certificate.origin, error))
                continue
            by_fingerprint[certificate.fingerprint] = joined
        return Keyring(tuple(by_fingerprint.values()), tuple(problems))

    def restrict(self, fingerprints: Iterable[str]) -> "Keyring":
        """Only what `Signed-By: FINGERPRINT...` allows (sources.list(5)).

        A fingerprint, of a primary key or a subkey, stands for its whole certificate; with `!` behind it for
        that one key alone. Spaces are ignored. An unknown fingerprint matches nothing.
        """
        wanted = {"".join(fingerprint.split()).upper() for fingerprint in fingerprints}
        kept = (_restricted(certificate, wanted) for certificate in self.certificates)
        return Keyring(tuple(certificate for certificate in kept if certificate), self.problems)

    def find(self, *, fingerprint: str | None, key_id: str | None) -> Iterator[tuple[Certificate, Key]]:
        """The keys that a signature may mean: by fingerprint where it gives one, else by key ID (64 bits,
        which do collide, so there may be several)."""
        for certificate in self.certificates:
            for key in certificate.keys:
                if fingerprint == key.fingerprint or (fingerprint is None and key_id == key.key_id):
                    yield certificate, key


def load_keyring(data: bytes, origin: str) -> Keyring | Refused:
    """The certificates in a keyring file: binary or armored, one or several after each other.

    `origin` says where the bytes are from and ends up in messages. A certificate that cannot be used lands
    in `problems`; Refused is for a file that is no keyring at all. An empty file is an empty keyring, as apt
    has it. Around armored blocks any text may stand: vendors put instructions there.
    """
    if len(data) > KEYRING_BYTES_MAX:
        return Refused(
            Reason.OVERSIZED,
            f"{printable(origin)} has {len(data)} bytes, a keyring may have {KEYRING_BYTES_MAX}: is it a keyring?",
        )
    if not data.strip():
        return Keyring()
    if data[_KEYBOX_MAGIC[0] :].startswith(_KEYBOX_MAGIC[1]):
        return _malformed(origin, "it is a GnuPG keybox; write it anew with gpg --export")
    try:
        found = list(packets(_binary(data), count_max=PACKETS_MAX))
        groups = list(_grouped(found))
    except PacketError as error:
        return _malformed(origin, str(error))
    if len(groups) > CERTIFICATES_MAX:
        return _malformed(origin, f"it holds more than {CERTIFICATES_MAX} certificates")
    return _read(groups, origin)


def load_keyrings(files: Iterable[tuple[str, bytes]]) -> Keyring:
    """Several files as one keyring; a file that is no keyring becomes one of the problems."""
    ring = Keyring()
    for origin, data in files:
        loaded = load_keyring(data, origin)
        ring = ring.merge(Keyring(problems=(loaded,)) if isinstance(loaded, Refused) else loaded)
    return ring


def _read(groups: Collection[bytes], origin: str) -> Keyring:
    ring = Keyring()
    for group in groups:
        try:
            one = Keyring((read_certificate(group, origin),))
        except CertificateError as error:
            one = Keyring(problems=(_unusable(origin, error),))
        ring = ring.merge(one)
    return ring


def _binary(data: bytes) -> bytes:
    if data[0] & 0x80:
        return data
    text = data.replace(b"\r\n", b"\n")
    blocks = [match.group() for match in _ARMORED.finditer(text)]
    if not blocks:
        raise PacketError("it is neither a binary nor an armored public key")
    return b"".join(dearmor(block, b"PUBLIC KEY BLOCK") for block in blocks)


def _grouped(found: Iterable[Packet]) -> Iterator[bytes]:
    """The bytes of each certificate: a public key and what follows it."""
    group: list[bytes] = []
    for packet in found:
        if packet.tag in _SECRET_TAGS:
            raise PacketError("it holds a secret key; write only the public part, with gpg --export")
        if packet.tag in _IGNORED_TAGS:
            continue
        if packet.tag not in _CERTIFICATE_TAGS:
            raise PacketError(f"a packet of kind {packet.tag} does not belong into a keyring")
        if packet.tag == Tag.PUBLIC_KEY:
            if group:
                yield b"".join(group)
            group = []
        elif not group:
            raise PacketError("it does not begin with a public key")
        group.append(packet.raw)
    if group:
        yield b"".join(group)


def _restricted(certificate: Certificate, wanted: set[str]) -> Certificate | None:
    if any(key.fingerprint in wanted for key in certificate.keys):
        return certificate
    keys = tuple(key for key in certificate.keys if f"{key.fingerprint}!" in wanted)
    return replace(certificate, keys=keys) if keys else None


def _malformed(origin: str, what: str) -> Refused:
    return Refused(Reason.MALFORMED, f"the keyring {printable(origin)} cannot be used: {what}")


def _unusable(origin: str, error: CertificateError) -> Refused:
    return Refused(Reason.MALFORMED, f"a certificate in {printable(origin)} cannot be used: {error}")
