"""gpgv as the oracle: whatever we accept, it accepts; and each place where we are stricter is named here."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulator.keys import signature_packets, with_signatures
from tests.trust.conftest import DAY_S, RELEASE, Cast
from tests.trust.plain_gpgv import gpgv_accepts
from tidegate.trust.openpgp import verify_detached, verify_inrelease
from tidegate.trust.verdict import Reason, Refused, Signed

GOOD: dict[str, Callable[[Cast], bytes]] = {
    "EdDSA": lambda cast: cast.clearsign(RELEASE, cast.good),
    "RSA 2048": lambda cast: cast.clearsign(RELEASE, cast.rsa2048, digest="SHA256"),
    "a subkey": lambda cast: cast.clearsign(RELEASE, cast.by_subkey),
    "two keys": lambda cast: cast.clearsign(RELEASE, cast.good, cast.second),
    "one key unknown": lambda cast: cast.clearsign(RELEASE, cast.unknown, cast.good),
    "SHA-384": lambda cast: cast.clearsign(RELEASE, cast.good, digest="SHA384"),
    "no text": lambda cast: cast.clearsign(b"\n", cast.good),
}

# What gpgv accepts and we refuse, and why that is right.
STRICTER: dict[str, tuple[Callable[[Cast], bytes], Reason]] = {
    # It knows no limit for RSA, and DSA is fine with it.
    "RSA 1024": (lambda cast: cast.clearsign(RELEASE, cast.rsa1024, digest="SHA256"), Reason.WEAK_KEY),
    "DSA": (lambda cast: cast.clearsign(RELEASE, cast.dsa, digest="SHA256"), Reason.WEAK_KEY),
    # SHA-1 can be forged with a chosen prefix since 2020; apt itself tells gpgv so by an option.
    "SHA-1": (lambda cast: cast.clearsign(RELEASE, cast.good, digest="SHA1"), Reason.WEAK_DIGEST),
    # The same for what holds a key in its certificate; apt 3 refuses it, since sqv does.
    "self-signature over SHA-1": (
        lambda cast: cast.clearsign(RELEASE, cast.bound_by_sha1, digest="SHA256"),
        Reason.WEAK_KEY,
    ),
    # It only compares with the key's creation.
    "from the future": (
        lambda cast: cast.clearsign(RELEASE, cast.good, at=cast.now + DAY_S),
        Reason.FROM_THE_FUTURE,
    ),
    # Whoever reads the file and not gpgv's output reads what is not signed.
    "text before": (lambda cast: b"Origin: X\n" + cast.clearsign(RELEASE, cast.good), Reason.BAD_FRAME),
    "text after": (lambda cast: cast.clearsign(RELEASE, cast.good) + b"Origin: X\n", Reason.BAD_FRAME),
    "trailing blanks": (
        lambda cast: cast.clearsign(RELEASE, cast.good).replace(b"stable\n", b"stable \n"),
        Reason.BAD_FRAME,
    ),
    "carriage returns": (
        lambda cast: cast.clearsign(RELEASE, cast.good).replace(b"\n", b"\r\n"),
        Reason.BAD_FRAME,
    ),
    "dash-escapes": (
        lambda cast: cast.clearsign(RELEASE, cast.good).replace(b"\nSuite", b"\n- Suite"),
        Reason.BAD_FRAME,
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_gpgv_accepts_what_we_accept(cast: Cast, tmp_path: Path, case: str) -> None:
    raw = GOOD[case](cast)
    assert isinstance(verify_inrelease(raw, cast.ring, cast.now), Signed)
    assert gpgv_accepts(tmp_path, cast.ring_bytes, raw)


@pytest.mark.parametrize("case", STRICTER)
def test_we_refuse_what_only_gpgv_accepts(cast: Cast, tmp_path: Path, case: str) -> None:
    make, reason = STRICTER[case]
    raw = make(cast)
    assert gpgv_accepts(tmp_path, cast.ring_bytes, raw)
    verdict = verify_inrelease(raw, cast.ring, cast.now)
    assert isinstance(verdict, Refused)
    assert verdict.reason is reason


def test_every_single_byte_of_an_inrelease_is_covered(cast: Cast) -> None:
    raw = cast.clearsign(RELEASE, cast.good)
    signed = RELEASE.removesuffix(b"\n")
    survivors = set()
    for at in range(len(raw)):
        for flip in (0x01, 0x20, 0x80):
            altered = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
            verdict = verify_inrelease(altered, cast.ring, cast.now)
            if isinstance(verdict, Signed):
                assert verdict.release == signed
                survivors.add(at)
    head, tail = raw.index(b"\n\n"), raw.index(b"\n-----BEGIN PGP SIGNATURE-----")
    assert not any(head <= at <= tail for at in survivors), "a byte of the text is not covered"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(data=st.data())
def test_mutated_inrelease_is_never_accepted_with_another_text(cast: Cast, data: st.DataObject) -> None:
    raw = bytearray(_once(cast))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        removed = data.draw(st.integers(0, 80))
        raw[at : at + removed] = data.draw(st.binary(max_size=80) | _lines)
    verdict = verify_inrelease(bytes(raw), cast.ring, cast.now)
    assert isinstance(verdict, Refused) or verdict.release == RELEASE.removesuffix(b"\n")


@given(data=st.data())
def test_mutated_release_gpg_never_vouches_for_another_text(cast: Cast, data: st.DataObject) -> None:
    signature = bytearray(signature_packets(_once(cast)))
    release = bytearray(RELEASE.removesuffix(b"\n"))
    target = data.draw(st.sampled_from([signature, release]))
    at = data.draw(st.integers(0, len(target) - 1))
    target[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    verdict = verify_detached(bytes(release), bytes(signature), cast.ring, cast.now)
    assert isinstance(verdict, Refused) or verdict.release.rstrip(b"\n") == RELEASE.rstrip(b"\n")


@given(order=st.lists(st.sampled_from(["good", "second", "unknown", "bad"]), min_size=1, max_size=8))
def test_any_row_of_signatures_is_good_only_with_a_good_one_and_no_bad_one(cast: Cast, order: list[str]) -> None:
    raw = with_signatures(_once(cast), b"".join(_packets(cast)[name] for name in order))
    verdict = verify_inrelease(raw, cast.ring, cast.now)
    accepted = "bad" not in order and not {"good", "second"}.isdisjoint(order)
    assert isinstance(verdict, Signed) is accepted
    if isinstance(verdict, Signed):
        named = {signer.primary for signer in verdict.signers}
        assert named == {getattr(cast, name).fingerprint for name in order if name != "unknown"}


_lines = st.sampled_from(
    [
        b"-----BEGIN PGP SIGNED MESSAGE-----\n",
        b"-----BEGIN PGP SIGNATURE-----\n",
        b"-----END PGP SIGNATURE-----\n",
        b"Hash: SHA256\n",
        b"\n",
        b"\n\n",
        b"Suite: other\n",
        b"- ",
        b"\r\n",
        b" \n",
    ]
)
_made: dict[int, tuple[bytes, dict[str, bytes]]] = {}


def _of(cast: Cast) -> tuple[bytes, dict[str, bytes]]:
    """gpg is run once, not for each example."""
    if id(cast) not in _made:
        raw = cast.clearsign(RELEASE, cast.good)
        packets = {
            name: signature_packets(cast.clearsign(RELEASE, getattr(cast, name)))
            for name in ("good", "second", "unknown")
        }
        packets["bad"] = signature_packets(cast.clearsign(b"Other: text\n", cast.second))
        _made[id(cast)] = raw, packets
    return _made[id(cast)]


def _once(cast: Cast) -> bytes:
    return _of(cast)[0]


def _packets(cast: Cast) -> dict[str, bytes]:
    return _of(cast)[1]
