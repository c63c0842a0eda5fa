"""The cast for stories about signatures: keys of every kind, made once by gpg in a home of its own."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest

from tests.simulator.keys import Key, KeyHome
from tidegate.trust.keyring import Keyring, load_keyring
from tidegate.trust.settings import TrustSettings
from tidegate.trust.verdict import Refused
from tidegate.trust.verifier import Verifier, verifier_for

DAY_S = 86_400

RELEASE = b"""Origin: Simulated
Label: Simulated
Suite: stable
Codename: tidal
Date: Sun, 22 Nov 2026 00:00:00 UTC
Architectures: amd64
Components: main
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages
"""


@dataclass(frozen=True, slots=True)
class Cast:
    """`ring` pins all but `unknown`; the keys were born 400 days before `now`, and sign shortly before it."""

    home: KeyHome
    ring: Keyring
    ring_bytes: bytes
    now: int
    good: Key
    second: Key
    unknown: Key
    expired: Key
    revoked: Key
    rsa1024: Key
    rsa2048: Key
    dsa: Key
    bound_by_sha1: Key
    by_subkey: Key
    """Its primary key only certifies; a subkey signs."""
    subkey: str
    """The fingerprint of that subkey."""

    @property
    def while_valid(self) -> int:
        """A time at which `expired` was not yet."""
        return self.now - 399 * DAY_S

    @property
    def lately(self) -> int:
        """When signatures are made, unless said otherwise: never after `now`, however long the tests run."""
        return self.now - 60

    def clearsign(self, text: bytes, *keys: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """An InRelease."""
        return self.home.clearsign(text, *keys, at=self.lately if at is None else at, digest=digest)

    def detached(self, text: bytes, *keys: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """A Release.gpg, armored."""
        return self.home.detached(text, *keys, at=self.lately if at is None else at, digest=digest)


@pytest.fixture(scope="session")
def cast() -> Iterator[Cast]:
    with KeyHome() as home:
        yield _cast(home)


@pytest.fixture(params=["sequoia", "gpgv", "both"])
def verifier(request: pytest.FixtureRequest) -> Verifier:
    """Each implementation in turn: what must happen is the same for all."""
    which: Literal["sequoia", "gpgv", "both"] = request.param
    return verifier_for(TrustSettings(verifier=which))


def ring_of(data: bytes, origin: str = "test.gpg") -> Keyring:
    """A keyring that must load."""
    ring = load_keyring(data, origin)
    assert not isinstance(ring, Refused), ring
    return ring


def _cast(home: KeyHome) -> Cast:
    now = int(time.time())
    born = now - 400 * DAY_S
    good, second, unknown, revoked = (
        home.generate(name, created=born) for name in ("good", "second", "unknown", "revoked")
    )
    expired = home.generate("expired", created=born, expires="30d")
    rsa1024 = home.generate("rsa1024", algorithm="rsa1024", created=born)
    rsa2048 = home.generate("rsa2048", algorithm="rsa2048", created=born)
    dsa = home.generate("dsa", algorithm="dsa2048", created=born)
    bound_by_sha1 = _bound_by_sha1(home, born)
    by_subkey, subkey = _by_subkey(home, born)
    pinned = (good, second, expired, revoked, rsa1024, rsa2048, dsa, bound_by_sha1, by_subkey)
    ring_bytes = home.public(*(key for key in pinned if key is not revoked)) + revoked_certificate(home, revoked)
    return Cast(
        home=home,
        ring=ring_of(ring_bytes),
        ring_bytes=ring_bytes,
        now=now,
        good=good,
        second=second,
        unknown=unknown,
        expired=expired,
        revoked=revoked,
        rsa1024=rsa1024,
        rsa2048=rsa2048,
        dsa=dsa,
        bound_by_sha1=bound_by_sha1,
        by_subkey=by_subkey,
        subkey=subkey,
    )


def revoked_certificate(home: KeyHome, key: Key) -> bytes:
    """The certificate of `key` with the revocation that gpg prepares at generation; `home` goes on signing."""
    prepared = (home.path / "openpgp-revocs.d" / f"{key.fingerprint}.rev").read_bytes()
    with KeyHome() as other:
        other.gpg("--import", stdin=home.public(key))
        other.gpg("--import", stdin=prepared.replace(b"\n:-----", b"\n-----"))
        return other.public(key)


def _bound_by_sha1(home: KeyHome, born: int) -> Key:
    user = "sha1 <sha1@archive.example>"
    home.gpg("--cert-digest-algo", "SHA1", "--quick-generate-key", user, "rsa2048", "sign", "never", at=born)
    return Key("sha1", fingerprints(home, user)[0])


def _by_subkey(home: KeyHome, born: int) -> tuple[Key, str]:
    user = "subkey <subkey@archive.example>"
    home.gpg("--quick-generate-key", user, "ed25519", "cert", "never", at=born)
    primary = fingerprints(home, user)[0]
    home.gpg("--quick-add-key", primary, "ed25519", "sign", "never", at=born)
    return Key("subkey", primary), fingerprints(home, user)[1]


def fingerprints(home: KeyHome, user: str) -> list[str]:
    """Of the primary key and then the subkeys."""
    listing = home.gpg("--with-colons", "--list-keys", f"={user}").decode()
    return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]
