"""Verification by gpgv: a second implementation behind the same rules.

gpgv exits with 0 for a signature by an expired or revoked key, so its exit code decides nothing: its status
lines are read (GnuPG's doc/DETAILS), one group for each signature. Blocking, for as long as
`trust.gpgv_timeout_s` at most: call it from a thread. gpgv knows only the machine's clock; our own rules, which
come on top, use the `now` that is given.
"""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.trust.frame import Frame, pair_detached, split_clearsigned
from tidegate.trust.keyring import Keyring
from tidegate.trust.settings import DEFAULTS, TrustSettings
from tidegate.trust.signatures import (
    Finding,
    bad_signature,
    candidates,
    conclude,
    objection,
    read_signature,
)
from tidegate.trust.verdict import Reason, Refused, Signed, printable

_STATUS = "[GNUPG:] "
_OUTCOMES = frozenset({"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"})


@dataclass(frozen=True, slots=True)
class StatusGroup:
    """What gpgv said of one signature."""

    outcome: str | None
    """GOODSIG, BADSIG and so on; None where it said nothing of the kind."""
    signing_key: str | None
    """Fingerprint from VALIDSIG; None where the signature is not valid."""


def verify_inrelease(raw: bytes, keyring: Keyring, now: int, settings: TrustSettings = DEFAULTS) -> Signed | Refused:
    """As `openpgp.verify_inrelease`; gpgv reads the file as it came, and its idea of the text must be ours."""
    frame = split_clearsigned(raw, settings.release_bytes_max, settings.signatures_max)
    if isinstance(frame, Refused):
        return frame
    return _verify(frame, {"InRelease": raw}, keyring, now, settings)


def verify_detached(
    release: bytes, signature: bytes, keyring: Keyring, now: int, settings: TrustSettings = DEFAULTS
) -> Signed | Refused:
    """As `openpgp.verify_detached`."""
    frame = pair_detached(release, signature, settings.release_bytes_max, settings.signatures_max)
    if isinstance(frame, Refused):
        return frame
    return _verify(frame, {"Release.gpg": signature, "Release": release}, keyring, now, settings)


def read_status(lines: Iterable[str]) -> tuple[StatusGroup, ...]:
    """Status lines as one group for each NEWSIG. Two outcomes in one group make it one that said nothing."""
    groups: list[list[list[str]]] = []
    for line in lines:
        if not line.startswith(_STATUS):
            continue
        words = line.removeprefix(_STATUS).split(" ")
        if words[0] == "NEWSIG":
            groups.append([])
        elif groups:
            groups[-1].append(words)
    return tuple(_group(group) for group in groups)


def _group(lines: list[list[str]]) -> StatusGroup:
    outcomes = [words[0] for words in lines if words[0] in _OUTCOMES]
    if outcomes == ["ERRSIG"] and any(words[0] == "NO_PUBKEY" for words in lines):
        outcomes = ["NO_PUBKEY"]
    valid = [words[1].upper() for words in lines if words[0] == "VALIDSIG" and len(words) > 1]
    return StatusGroup(
        outcome=outcomes[0] if len(outcomes) == 1 else None, signing_key=valid[0] if len(valid) == 1 else None
    )


def _verify(
    frame: Frame, files: dict[str, bytes], keyring: Keyring, now: int, settings: TrustSettings
) -> Signed | Refused:
    groups = _run(frame, files, keyring, settings)
    if isinstance(groups, Refused):
        return groups
    findings = [
        _finding(packet, group, keyring, now, settings) for packet, group in zip(frame.signatures, groups, strict=False)
    ]
    # gpgv stops at a bad signature, so those behind it may be missing; nothing else may make it stop.
    disowned = any(found.refused and found.refused.reason is Reason.BAD_SIGNATURE for found in findings)
    if len(groups) != len(frame.signatures) and not disowned:
        return _failed(f"spoke of {len(groups)} signatures where {len(frame.signatures)} are")
    return conclude(frame, findings)


def _run(
    frame: Frame, files: dict[str, bytes], keyring: Keyring, settings: TrustSettings
) -> Sequence[StatusGroup] | Refused:
    """Run gpgv on `files`, in this order, in a directory of their own."""
    with TemporaryDirectory(prefix="tidegate-gpgv-") as name:
        room = Path(name)
        for file, data in files.items():
            (room / file).write_bytes(data)
        (room / "pinned.gpg").write_bytes(b"".join(pinned.data for pinned in keyring.certificates))
        command = ["gpgv", "--homedir", name, "--keyring", str(room / "pinned.gpg"), "--status-fd", "1"]
        if len(files) == 1:
            command += ["--output", str(room / "text")]
        command += [str(room / file) for file in files]
        try:
            ran = subprocess.run(command, capture_output=True, timeout=settings.gpgv_timeout_s, check=False, cwd=name)
        except FileNotFoundError:
            return _failed('is not installed: apt-get install gpgv, or set trust.verifier = "sequoia"')
        except subprocess.TimeoutExpired:
            return _failed(f"took longer than {settings.gpgv_timeout_s:g} s and was stopped")
        groups = read_status(ran.stdout.decode("utf-8", "replace").splitlines())
        if not groups:
            return _failed(f"said nothing of any signature: {printable(ran.stderr.decode('utf-8', 'replace'))}")
        if len(files) == 1 and not _same_text(room / "text", frame.payload):
            return Refused(Reason.BAD_FRAME, "gpgv reads another text in this file than we do: try another source")
        return groups


def _same_text(written: Path, payload: bytes) -> bool:
    """gpgv ends the text with a line end, which the signature does not cover."""
    try:
        return written.read_bytes().removesuffix(b"\n") == payload.removesuffix(b"\n")
    except FileNotFoundError:
        return False


def _finding(packet: bytes, group: StatusGroup, keyring: Keyring, now: int, settings: TrustSettings) -> Finding:
    claim = read_signature(packet)
    if isinstance(claim, Refused):
        return Finding(None, None, None, claim)
    pinned = candidates(claim, keyring)
    if isinstance(pinned, Refused):
        return Finding(claim, None, None, pinned)
    certificate, key = next((pair for pair in pinned if pair[1].fingerprint == group.signing_key), pinned[0])
    refused = objection(claim, key, now, settings)
    match group.outcome:
        case "BADSIG":
            refused = bad_signature(claim, key)
        case "GOODSIG" if group.signing_key == key.fingerprint:
            pass
        case "EXPKEYSIG":
            refused = refused or Refused(
                Reason.EXPIRED_KEY, f"gpgv says that key {key.fingerprint} has expired: is the clock right?"
            )
        case "REVKEYSIG":
            refused = refused or Refused(Reason.REVOKED_KEY, f"gpgv says that key {key.fingerprint} is revoked")
        case "EXPSIG":
            refused = refused or Refused(
                Reason.EXPIRED_SIGNATURE, f"gpgv says that the signature by key {key.fingerprint} has expired"
            )
        case _:
            refused = refused or Refused(
                Reason.UNSUPPORTED_SIGNATURE, f"gpgv cannot check the signature by key {key.fingerprint}"
            )
    return Finding(claim, certificate, key, refused)


def _failed(what: str) -> Refused:
    return Refused(Reason.VERIFIER_FAILED, f"gpgv {what}")
