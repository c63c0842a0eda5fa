"""Who signs a simulated archive: whatever OpenPGP implementation can, behind one port."""

import time
from dataclasses import dataclass
from typing import Protocol

from pysequoia import SignatureMode, Tsk, sign


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key: its nickname and its primary fingerprint (40 hex digits)."""

    name: str
    fingerprint: str


class Signer(Protocol):
    """Makes an archive's signatures."""

    def clearsign(self, payload: bytes, *signers: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """An InRelease: `payload` clearsigned by every signer, at `at` (epoch seconds; None: now)."""
        ...

    def detached(self, payload: bytes, *signers: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """A Release.gpg in ASCII armor."""
        ...


class DrillKeys:
    """Keys that live as long as the drill, in memory. One signer for each signature, now, with SHA-512.

    They sign with the library that Tidegate verifies with; apt's gpgv is the second opinion.
    """

    def __init__(self) -> None:
        self._secrets: dict[str, Tsk] = {}
        self._public: dict[str, bytes] = {}

    def generate(self, name: str) -> Key:
        """Make a key that signs."""
        secret = Tsk.generate(f"{name} <{name}@drill.example>")
        certificate = secret.extract_certificate()
        key = Key(name, certificate.fingerprint.upper())
        self._secrets[key.fingerprint] = secret
        self._public[key.fingerprint] = bytes(certificate)
        return key

    def public(self, *keys: Key) -> bytes:
        """The keys' certificates as a binary keyring."""
        return b"".join(self._public[key.fingerprint] for key in keys)

    def clearsign(self, payload: bytes, *signers: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """`Signer.clearsign`."""
        return self._sign(payload, signers, SignatureMode.CLEAR, at, digest)

    def detached(self, payload: bytes, *signers: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """`Signer.detached`."""
        return self._sign(payload, signers, SignatureMode.DETACHED, at, digest)

    def _sign(
        self, payload: bytes, signers: tuple[Key, ...], mode: SignatureMode, at: int | None, digest: str
    ) -> bytes:
        (signer,) = signers
        assert digest == "SHA512", digest
        assert at is None or abs(at - time.time()) < 1, "signs now"
        return bytes(sign(self._secrets[signer.fingerprint].signer(), payload, mode=mode))
