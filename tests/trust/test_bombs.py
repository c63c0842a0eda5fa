"""OpenPGP bombs, in a process with hard limits of time and memory: threat 4."""

import bz2
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.keys import signature_packets, with_signatures
from tests.trust.conftest import RELEASE, Cast
from tidegate.trust.packets import packets

CPU_S_MAX = 10
ADDRESS_BYTES_MAX = 768 * 2**20
GROWTH_KB_MAX = 96 * 1024

VERIFY = """
import resource, sys
from pathlib import Path
from tidegate.trust.keyring import load_keyring
from tidegate.trust.openpgp import verify_inrelease
raw, ring = Path(sys.argv[1]).read_bytes(), load_keyring(Path(sys.argv[2]).read_bytes(), "ring")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
verdict = verify_inrelease(raw, ring, int(sys.argv[3]))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(getattr(verdict, "reason", "signed"), grown)
"""


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES_MAX, ADDRESS_BYTES_MAX))


def _new_packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def _compressed_zeros(raw: bytes) -> bytes:
    body = b"\x03" + bz2.compress(bytes(200 * 2**20))
    return with_signatures(raw, _new_packet(8, body))


def _thousands_of_signatures(raw: bytes) -> bytes:
    return with_signatures(raw, signature_packets(raw) * 1_500)


def _more_than_may_be_read(raw: bytes) -> bytes:
    return with_signatures(raw, signature_packets(raw) * 5_000)


def _sixteen_over_the_largest_text(raw: bytes) -> bytes:
    text = b"Origin: X\n" * 830_000
    bomb = b"-----BEGIN PGP SIGNED MESSAGE-----\n\n" + text + b"-----BEGIN PGP SIGNATURE-----\n"
    return with_signatures(bomb, signature_packets(raw) * 16)


def _full_of_subpackets(raw: bytes) -> bytes:
    (good,) = packets(signature_packets(raw), count_max=1)
    end = 6 + int.from_bytes(good.body[4:6], "big")
    hashed = good.body[6:end] + b"\x02\x64x" * 20_000
    body = good.body[:4] + len(hashed).to_bytes(2, "big") + hashed + good.body[end:]
    return with_signatures(raw, _new_packet(2, body) * 3)


def _claims_four_gigabytes(raw: bytes) -> bytes:
    return with_signatures(raw, b"\xc2\xff\xff\xff\xff\xff" + signature_packets(raw))


def _megabytes_of_headers(raw: bytes) -> bytes:
    return raw.replace(b"Hash: SHA512\n", b"Hash: SHA512\n" * 500_000)


BOMBS = {
    "200 MiB in one compressed packet": (_compressed_zeros, "malformed"),
    "1,500 signatures": (_thousands_of_signatures, "too-many-signatures"),
    "5,000 signatures": (_more_than_may_be_read, "oversized"),
    "16 signatures over 8 MB": (_sixteen_over_the_largest_text, "bad-signature"),
    "signatures full of subpackets": (_full_of_subpackets, "bad-signature"),
    "a packet that claims 4 GiB": (_claims_four_gigabytes, "malformed"),
    "6 MB of headers": (_megabytes_of_headers, "bad-frame"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_within_bounds(cast: Cast, tmp_path: Path, name: str) -> None:
    make, reason = BOMBS[name]
    (tmp_path / "InRelease").write_bytes(make(cast.clearsign(RELEASE, cast.good)))
    (tmp_path / "ring.gpg").write_bytes(cast.ring_bytes)
    command = [sys.executable, "-c", VERIFY, str(tmp_path / "InRelease"), str(tmp_path / "ring.gpg"), str(cast.now)]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False, preexec_fn=bounded)
    assert ran.returncode == 0, ran.stderr.decode()
    said, grown_kb = ran.stdout.decode().split()
    assert said == reason
    assert int(grown_kb) < GROWTH_KB_MAX


def test_bound_of_the_bomb_tests_bites() -> None:
    command = [sys.executable, "-c", "bytearray(1 << 30)"]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False, preexec_fn=bounded)
    assert ran.returncode != 0
    assert b"MemoryError" in ran.stderr
