"""The frame of an InRelease and of a Release.gpg: threats 2, 3 and 4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.keys import armored_signature, signature_packets
from tests.trust.conftest import RELEASE, Cast
from tidegate.trust.frame import (
    SIGNATURE_BYTES_MAX,
    Frame,
    pair_detached,
    split_clearsigned,
    split_signatures,
)
from tidegate.trust.verdict import Reason, Refused

SIZE_MAX = 1_000_000
BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"


def reason(raw: bytes) -> Reason:
    verdict = split_clearsigned(raw, SIZE_MAX)
    assert isinstance(verdict, Refused), verdict
    return verdict.reason


@pytest.fixture(scope="module")
def signed(cast: Cast) -> bytes:
    return cast.clearsign(RELEASE, cast.good)


def test_frame_that_gpg_writes_is_taken_apart(signed: bytes) -> None:
    frame = split_clearsigned(signed, SIZE_MAX)
    assert isinstance(frame, Frame)
    assert frame.payload == RELEASE.removesuffix(b"\n")
    assert frame.signatures == (signature_packets(signed),)


@pytest.mark.parametrize(
    "headers", [b"", b"Hash: SHA256\n", b"Hash: SHA256, SHA512\n", b"Hash: SHA256\nHash: SHA512\n"]
)
def test_hash_headers_may_be_there_or_not(signed: bytes, headers: bytes) -> None:
    assert isinstance(split_clearsigned(signed.replace(b"Hash: SHA512\n", headers), SIZE_MAX), Frame)


def test_armor_may_name_its_version(signed: bytes) -> None:
    block = b"-----BEGIN PGP SIGNATURE-----\n"
    named = signed.replace(block, block + b"Version: GnuPG v1\nComment: of a kind\n")
    assert isinstance(split_clearsigned(named, SIZE_MAX), Frame)


def test_last_line_end_may_be_missing(signed: bytes) -> None:
    assert isinstance(split_clearsigned(signed.removesuffix(b"\n"), SIZE_MAX), Frame)


@pytest.mark.parametrize("raw", [b"", b"\n", PAGE, RELEASE, b"\x1f\x8b\x08\x00" + bytes(64)])
def test_file_that_is_not_signed_is_refused(raw: bytes) -> None:
    assert reason(raw) is Reason.UNSIGNED


ATTACKS = {
    "text before": lambda raw: b"Origin: Evil\n" + raw,
    "blank line before": lambda raw: b"\n" + raw,
    "text after": lambda raw: raw + b"Origin: Evil\n",
    "blank line after": lambda raw: raw + b"\n",
    "blanks after": lambda raw: raw.removesuffix(b"\n") + b" \n",
    "second message": lambda raw: raw + raw,
    "second signature block": lambda raw: raw + raw[raw.index(b"-----BEGIN PGP SIGNATURE-----") :],
    "message inside a message": lambda raw: raw.replace(b"Origin:", BEGIN + b"\nOrigin:", 1),
    "injected header": lambda raw: raw.replace(b"Hash: SHA512\n", b"Hash: SHA512\nOrigin: Evil\n"),
    "header in other case": lambda raw: raw.replace(b"Hash: ", b"hash: "),
    "header with an unknown digest": lambda raw: raw.replace(b"Hash: SHA512", b"Hash: SHA512, X"),
    "header with a blank behind": lambda raw: raw.replace(b"Hash: SHA512\n", b"Hash: SHA512 \n"),
    "too many headers": lambda raw: raw.replace(b"Hash: SHA512\n", b"Hash: SHA512\n" * 9),
    "blank line that is none": lambda raw: raw.replace(b"\n\nOrigin", b"\n \nOrigin"),
    "no blank line": lambda raw: raw.replace(b"\n\nOrigin", b"\nOrigin"),
    "carriage returns": lambda raw: raw.replace(b"\n", b"\r\n"),
    "one carriage return": lambda raw: raw.replace(b"stable\n", b"stable\r\n"),
    "NUL": lambda raw: raw.replace(b"stable\n", b"stable\0\n"),
    "vertical tab": lambda raw: raw.replace(b"stable\n", b"stable\x0b\n"),
    "trailing blank": lambda raw: raw.replace(b"stable\n", b"stable \n"),
    "trailing tab": lambda raw: raw.replace(b"stable\n", b"stable\t\n"),
    "dash-escaped line": lambda raw: raw.replace(b"\nSuite", b"\n- Suite"),
    "line with a dash": lambda raw: raw.replace(b"\nSuite", b"\n-Suite"),
    "message only": lambda raw: raw[: raw.index(b"-----BEGIN PGP SIGNATURE-----")],
    "cut inside the signature": lambda raw: raw[:-50],
    "another opening": lambda raw: raw.replace(BEGIN, b"-----BEGIN PGP SIGNED MESSAGE----- \n"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_altered_frame_is_refused(signed: bytes, attack: str) -> None:
    altered = ATTACKS[attack](signed)
    assert altered != signed
    assert reason(altered) is Reason.BAD_FRAME


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SIGNATURE-----\n\n", b"SIGNATURE-----\nX-Evil: yes\n\n"),
        (b"SIGNATURE-----\n\n", b"SIGNATURE-----\n"),
        (b"SIGNATURE-----\n\n", b"SIGNATURE-----\n\n!"),
        (b"SIGNATURE-----\n\n", b"SIGNATURE-----\n\n\n"),
        (b"SIGNATURE-----\n\n", b"SIGNATURE-----\n" + b"Comment: x\n" * 20 + b"\n"),
    ],
)
def test_altered_armor_is_refused_or_means_the_same(signed: bytes, old: bytes, new: bytes) -> None:
    verdict = split_clearsigned(signed.replace(old, new), SIZE_MAX)
    if isinstance(verdict, Refused):
        assert verdict.reason is Reason.MALFORMED
    else:
        assert verdict == split_clearsigned(signed, SIZE_MAX)


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("compressed data", b"\xc8\x05\x01abcd"),
        ("literal data", b"\xcb\x07b\x00\x00\x00\x00\x00x"),
        ("one-pass signature", b"\xc4\x0d\x03\x00\x08\x01" + bytes(9)),
        ("marker", b"\xca\x03PGP"),
        ("public key", b"\xc6\x02\x04\x00"),
    ],
)
def test_packet_that_is_no_signature_is_refused(signed: bytes, name: str, packet: bytes) -> None:
    good = signature_packets(signed)
    for blob in (packet, packet + good, good + packet):
        verdict = split_signatures(armored_signature(blob), 16)
        assert isinstance(verdict, Refused), name
        assert verdict.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "blob", [b"\xc2\xfe", b"\xc2\xe0x", b"\x8b\x00", b"\xc2\xff\xff\xff\xff\xff", b"\xc2", b"\x89\x01"]
)
def test_packet_in_parts_or_cut_off_is_refused(blob: bytes) -> None:
    verdict = split_signatures(blob, 16)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.MALFORMED


def test_seventeen_signatures_are_refused_unread(signed: bytes) -> None:
    verdict = split_signatures(signature_packets(signed) * 17, 16)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.TOO_MANY_SIGNATURES
    assert isinstance(split_signatures(signature_packets(signed) * 16, 16), tuple)


def test_oversized_files_are_refused_unread(signed: bytes) -> None:
    for verdict in (
        split_clearsigned(signed, len(signed) - 1),
        pair_detached(RELEASE, b"\xc2", len(RELEASE) - 1),
        split_signatures(bytes(SIGNATURE_BYTES_MAX + 1), 16),
    ):
        assert isinstance(verdict, Refused)
        assert verdict.reason is Reason.OVERSIZED


@pytest.mark.parametrize("signature", [b"", b"\n", PAGE, BEGIN])
def test_release_gpg_that_is_no_signature_is_unsigned(signature: bytes) -> None:
    verdict = pair_detached(RELEASE, signature, SIZE_MAX)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.UNSIGNED


def test_trailing_blanks_are_fine_where_the_signature_covers_them(cast: Cast) -> None:
    release = RELEASE.replace(b"stable\n", b"stable \n")
    assert isinstance(pair_detached(release, cast.detached(release, cast.good), SIZE_MAX), Frame)


def test_evidence_shows_foreign_bytes_only_as_visible_ascii() -> None:
    verdict = split_clearsigned(b"\x1b[31m\xc3\xa9\r\nX-Injected: 1\n", SIZE_MAX)
    assert isinstance(verdict, Refused)
    assert verdict.evidence.isascii()
    assert verdict.evidence.isprintable()


@given(raw=st.binary(max_size=2000))
def test_any_bytes_are_framed_or_refused(raw: bytes) -> None:
    for verdict in (split_clearsigned(raw, SIZE_MAX), pair_detached(RELEASE, raw, SIZE_MAX)):
        assert isinstance(verdict, Frame | Refused)


@given(
    text=st.lists(
        st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126, exclude_characters="-"), max_size=9)
    )
)
def test_text_comes_out_of_its_frame_as_it_went_in(text: list[str]) -> None:
    payload = "\n".join(text).encode()
    raw = BEGIN + b"\n" + payload + b"\n" + armored_signature(b"\xc2\x01\x04")
    assert split_clearsigned(raw, SIZE_MAX) == Frame(payload, (b"\xc2\x01\x04",))
