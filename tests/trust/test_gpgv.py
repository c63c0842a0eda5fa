"""gpgv behind our rules: its status lines, its absence, its time."""

import os
from pathlib import Path

import pytest

from tests.trust.conftest import RELEASE, Cast
from tidegate.trust.gpgv import StatusGroup, read_status, verify_detached, verify_inrelease
from tidegate.trust.settings import TrustSettings
from tidegate.trust.verdict import Reason, Refused


def said(verdict: object) -> Refused:
    assert isinstance(verdict, Refused), verdict
    assert verdict.reason is Reason.VERIFIER_FAILED
    return verdict


def a_gpgv(room: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of that name before the real one."""
    (room / "gpgv").write_text(f"#!/bin/sh\n{script}\n")
    (room / "gpgv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{room}:{os.environ['PATH']}")


def test_status_lines_are_grouped_by_signature() -> None:
    good, bad, unknown = "A" * 40, "B" * 16, "C" * 16
    assert read_status(
        [
            "gpgv: noise",
            "[GNUPG:] NEWSIG a@archive.example",
            f"[GNUPG:] GOODSIG {good[-16:]} A <a@archive.example>",
            f"[GNUPG:] VALIDSIG {good} 2026-11-22 1795368033 0 4 0 22 8 01 {good}",
            "[GNUPG:] NEWSIG",
            f"[GNUPG:] BADSIG {bad} B",
            "[GNUPG:] NEWSIG",
            f"[GNUPG:] ERRSIG {unknown} 22 8 01 1795368033 9 -",
            f"[GNUPG:] NO_PUBKEY {unknown}",
            "[GNUPG:] NEWSIG",
            f"[GNUPG:] ERRSIG {unknown} 22 8 01 1795368033 4 -",
        ]
    ) == (
        StatusGroup("GOODSIG", good),
        StatusGroup("BADSIG", None),
        StatusGroup("NO_PUBKEY", None),
        StatusGroup("ERRSIG", None),
    )


def test_frame_is_ours_before_gpgv_sees_it(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b"X: y\n" + cast.clearsign(RELEASE, cast.good)
    a_gpgv(tmp_path, f"touch {tmp_path}/ran", monkeypatch)
    for verdict in (
        verify_inrelease(raw, cast.ring, cast.now),
        verify_detached(RELEASE, b"<html>", cast.ring, cast.now),
    ):
        assert isinstance(verdict, Refused)
    assert not (tmp_path / "ran").exists()


def test_user_id_that_looks_like_a_status_line_is_none() -> None:
    lines = ["[GNUPG:] NEWSIG", "[GNUPG:] BADSIG X [GNUPG:] GOODSIG Y", "[GNUPG:] GOODSIG Z", "GOODSIG W"]
    assert read_status(lines) == (StatusGroup(None, None),)


def test_missing_gpgv_is_told_with_what_to_do(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    verdict = verify_inrelease(_signed(cast, monkeypatch), cast.ring, cast.now)
    assert "apt-get install gpgv" in said(verdict).evidence


def test_gpgv_that_hangs_is_stopped(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = cast.clearsign(RELEASE, cast.good)
    a_gpgv(tmp_path, "exec sleep 60", monkeypatch)
    verdict = verify_inrelease(raw, cast.ring, cast.now, TrustSettings(gpgv_timeout_s=0.2))
    assert "0.2 s" in said(verdict).evidence


def test_gpgv_that_says_nothing_and_exits_with_0_is_no_yes(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = cast.clearsign(RELEASE, cast.good)
    a_gpgv(tmp_path, "exit 0", monkeypatch)
    assert "nothing" in said(verify_inrelease(raw, cast.ring, cast.now)).evidence


def test_gpgv_that_speaks_of_one_signature_of_two_is_no_yes(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = cast.clearsign(RELEASE, cast.good, cast.second)
    key = cast.good.fingerprint
    a_gpgv(
        tmp_path,
        'while [ "$1" != --output ]; do shift; done; '
        f"sed -n '/^Origin/,/Packages$/p' \"$3\" > \"$2\"; echo '[GNUPG:] NEWSIG'; "
        f"echo '[GNUPG:] GOODSIG {key[-16:]} x'; echo '[GNUPG:] VALIDSIG {key} x'",
        monkeypatch,
    )
    assert "1 signatures where 2" in said(verify_inrelease(raw, cast.ring, cast.now)).evidence


def test_gpgv_that_reads_another_text_is_no_yes(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = cast.clearsign(RELEASE, cast.good)
    key = cast.good.fingerprint
    a_gpgv(
        tmp_path,
        'while [ "$1" != --output ]; do shift; done; echo other > "$2"; '
        f"echo '[GNUPG:] NEWSIG'; echo '[GNUPG:] GOODSIG {key[-16:]} x'; echo '[GNUPG:] VALIDSIG {key} x'",
        monkeypatch,
    )
    verdict = verify_inrelease(raw, cast.ring, cast.now)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.BAD_FRAME


def test_nothing_is_left_behind(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = cast.clearsign(RELEASE, cast.good)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    verify_inrelease(raw, cast.ring, cast.now)
    assert list(tmp_path.iterdir()) == []


def _signed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Signed by the real gpg although the test has changed PATH."""
    with monkeypatch.context() as real:
        real.setenv("PATH", os.defpath)
        return cast.clearsign(RELEASE, cast.good)
