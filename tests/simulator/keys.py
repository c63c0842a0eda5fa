"""OpenPGP keys and signatures for simulated archives, made by the real gpg in a home of its own.

gpg signs and Tidegate verifies with another implementation, so an error in one is seen by the other.
"""

import base64
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.drill.simulator.signing import Key

GPG_TIMEOUT_S = 30.0
CRC24_INIT = 0xB704CE
CRC24_POLY = 0x1864CFB
__all__ = ["Key", "KeyHome", "Keys", "armored_signature", "make_keys", "signature_packets", "with_signatures"]


class KeyHome:
    """A private GNUPGHOME. Use as a context manager: leaving it stops its agent and removes it.

    It lives in a short path of its own, since an agent's socket allows 107 bytes.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="tg-gpg-"))
        self.path.chmod(0o700)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the agent and forget the keys."""
        subprocess.run(
            ["gpgconf", "--homedir", str(self.path), "--kill", "all"],
            check=False,
            capture_output=True,
            timeout=GPG_TIMEOUT_S,
        )
        shutil.rmtree(self.path, ignore_errors=True)

    def generate(
        self, name: str, *, algorithm: str = "ed25519", created: int | None = None, expires: str = "never"
    ) -> Key:
        """Make a key that signs. `created` is when gpg is told that it is; `expires` is gpg's word (`2d`)."""
        user = f"{name} <{name}@archive.example>"
        self.gpg("--quick-generate-key", user, algorithm, "sign", expires, at=created)
        listing = self.gpg("--with-colons", "--list-keys", f"={user}").decode()
        found = re.search(r"^fpr:+([0-9A-F]{40}):", listing, re.MULTILINE)
        assert found, listing
        return Key(name, found.group(1))

    def public(self, *keys: Key) -> bytes:
        """The keys' certificates as a binary keyring."""
        return self.gpg("--export", *(key.fingerprint for key in keys))

    def armored(self, *keys: Key) -> bytes:
        """The same in ASCII armor."""
        return self.gpg("--armor", "--export", *(key.fingerprint for key in keys))

    def clearsign(self, payload: bytes, *signers: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """An InRelease: `payload` clearsigned by every signer, at `at` (epoch seconds; None: now)."""
        return self.gpg("--digest-algo", digest, *_as(signers), "--clearsign", stdin=payload, at=at)

    def detached(self, payload: bytes, *signers: Key, at: int | None = None, digest: str = "SHA512") -> bytes:
        """A Release.gpg in ASCII armor."""
        arguments = ["--digest-algo", digest, *_as(signers), "--armor", "--detach-sign"]
        return self.gpg(*arguments, stdin=payload, at=at)

    def gpg(self, *arguments: str, stdin: bytes = b"", at: int | None = None) -> bytes:
        """Run gpg in this home and return what it prints; `at` freezes its clock there."""
        command = ["gpg", "--homedir", str(self.path), "--batch", "--yes", "--no-tty", "--quiet"]
        command += ["--pinentry-mode", "loopback", "--passphrase", ""]
        if at is not None:
            command += ["--faked-system-time", time.strftime("%Y%m%dT%H%M%S!", time.gmtime(at))]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.path)}
        done = subprocess.run(
            [*command, *arguments],
            input=stdin,
            env=environment,
            capture_output=True,
            timeout=GPG_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout


@dataclass(frozen=True, slots=True)
class Keys:
    """The cast of every story: who may sign, who might, who no longer does."""

    home: KeyHome
    good: Key  # signs, and is in the keyring
    second: Key  # signs too, and is in the keyring
    expired: Key  # in the keyring, expired long ago
    unknown: Key  # in no keyring
    keyring: Path  # binary: good, second, expired
    armored: Path  # the same three in ASCII armor
    expired_at: int  # epoch seconds

    def sign_while_valid(self) -> int:
        """A moment when `expired` was still valid."""
        return self.expired_at - 3600


def make_keys(home: KeyHome, directory: Path) -> Keys:
    """Make the cast in `home` and write its keyrings into `directory`."""
    born = int(time.time()) - 400 * 86_400
    good, second, unknown = (home.generate(n, created=born) for n in ("good", "second", "unknown"))
    expired = home.generate("expired", created=born, expires="30d")
    trusted = (good, second, expired)
    keyring, armored = directory / "archive-keyring.gpg", directory / "archive-keyring.asc"
    keyring.write_bytes(home.public(*trusted))
    armored.write_bytes(home.armored(*trusted))
    return Keys(home, good, second, expired, unknown, keyring, armored, born + 30 * 86_400)


def signature_packets(armored: bytes) -> bytes:
    """The binary signature packets in an armored signature or in an InRelease's signature block."""
    _, _, block = armored.partition(b"-----BEGIN PGP SIGNATURE-----")
    body = block.partition(b"-----END PGP SIGNATURE-----")[0].strip(b"\n")
    headers, separator, rest = body.partition(b"\n\n")
    lines = (rest if separator else headers).split()
    return base64.b64decode(b"".join(line for line in lines if not line.startswith(b"=")))


def armored_signature(packets: bytes) -> bytes:
    """Binary signature packets in ASCII armor (RFC 4880, 6.2), checksum included."""
    lines = base64.b64encode(packets)
    wrapped = b"\n".join(lines[i : i + 64] for i in range(0, len(lines), 64))
    checksum = base64.b64encode(_crc24(packets).to_bytes(3, "big"))
    return b"-----BEGIN PGP SIGNATURE-----\n\n" + wrapped + b"\n=" + checksum + b"\n-----END PGP SIGNATURE-----\n"


def with_signatures(inrelease: bytes, packets: bytes) -> bytes:
    """An InRelease's text under other signature packets: so a bad signature comes beside a good one."""
    text, _, _ = inrelease.partition(b"-----BEGIN PGP SIGNATURE-----")
    return text + armored_signature(packets)


def _as(signers: tuple[Key, ...]) -> list[str]:
    assert signers, "a signature needs a signer"
    return [word for key in signers for word in ("--local-user", key.fingerprint)]


def _crc24(data: bytes) -> int:
    crc = CRC24_INIT
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= CRC24_POLY
    return crc & 0xFFFFFF
