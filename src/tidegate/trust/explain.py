"""What a Release file is, in full: frame, signatures, dates, indices, and what would be done with it and why.

For `tidegate verify FILE...`. It takes the same steps as the gateway, with the same functions, but goes on
where the gateway stops, so that a person sees everything at once.
"""

from typing import Literal, assert_never

from msgspec import Struct

from tidegate.archive.deb822 import stanzas
from tidegate.archive.release import Release
from tidegate.trust import openpgp
from tidegate.trust.acceptance import (
    DEFAULT_RULES,
    Accepted,
    Mark,
    Rules,
    accept,
    content_digest,
    read_release,
)
from tidegate.trust.frame import Frame, pair_detached, split_clearsigned
from tidegate.trust.keyring import Keyring
from tidegate.trust.settings import DEFAULTS, TrustSettings
from tidegate.trust.signatures import Finding
from tidegate.trust.verdict import Reason, Refused, Signed, utc
from tidegate.trust.verifier import Verifier, verifier_for

DIGEST_FIELDS = ("md5sum", "sha1", "sha256", "sha512")


class Remark(Struct, frozen=True):
    """A reason as data and the sentence that goes with it."""

    reason: str
    evidence: str


class SignatureSeen(Struct, frozen=True):
    """One signature. Times are epoch seconds, fingerprints upper-case hexadecimal."""

    state: str
    """`good`, or the reason why it does not count."""
    why: str
    key: str | None
    primary: str | None
    whose: str | None
    """The certificate's first user ID, where the keyring knows it."""
    keyring: str | None
    """The file that pins it."""
    algorithm: str | None
    digest: str | None
    created: int | None
    expires: int | None


class ReleaseSeen(Struct, frozen=True):
    """What the Release says of itself."""

    origin: str | None
    label: str | None
    suite: str | None
    codename: str | None
    version: str | None
    date: int
    valid_until: int | None
    age_s: int
    expires_in_s: int | None
    architectures: tuple[str, ...]
    components: tuple[str, ...]
    acquire_by_hash: bool
    indices: dict[str, int]
    """How many indices each digest field lists."""


class Explanation(Struct, frozen=True):
    """All that was seen, and the verdict of the gateway on the same bytes."""

    frame: Literal["cleartext", "detached", "refused"]
    bytes_signed: int
    content_sha256: str | None
    """Of the signed text without its last line ends: what the mark of a suite holds."""
    signatures: tuple[SignatureSeen, ...]
    release: ReleaseSeen | None
    verdict: Literal["accepted", "unchanged", "refused"]
    reason: str | None
    evidence: str
    alarms: tuple[Remark, ...]


def explain(
    raw: bytes,
    keyring: Keyring,
    mark: Mark | None,
    now: int,
    *,
    signature: bytes | None = None,
    asked_suite: str | None = None,
    settings: TrustSettings = DEFAULTS,
    rules: Rules = DEFAULT_RULES,
    verifier: Verifier | None = None,
) -> Explanation:
    """Explain an InRelease (`signature` is None) or a Release with the contents of its Release.gpg.

    Without `asked_suite` the Release's own name is believed. `verifier` is who decides, by default the one
    of `settings`; the signatures are always shown as Sequoia and our own rules see them.
    """
    decide = verifier or verifier_for(settings)
    if signature is None:
        frame = split_clearsigned(raw, settings.release_bytes_max, settings.signatures_max)
        signed = decide.verify_inrelease(raw, keyring, now)
    else:
        frame = pair_detached(raw, signature, settings.release_bytes_max, settings.signatures_max)
        signed = decide.verify_detached(raw, signature, keyring, now)
    text = frame.payload if isinstance(frame, Frame) else b""
    release = read_release(text) if isinstance(frame, Frame) else None
    verdict = _verdict(signed, release, mark, asked_suite=asked_suite, now=now, rules=rules)
    return Explanation(
        frame="refused" if isinstance(frame, Refused) else "cleartext" if signature is None else "detached",
        bytes_signed=len(text),
        content_sha256=content_digest(text).hex() if text else None,
        signatures=()
        if isinstance(frame, Refused)
        else tuple(_signature(finding) for finding in openpgp.findings(frame, keyring, now, settings)),
        release=_release(release, text, now) if isinstance(release, Release) else None,
        verdict=_word(verdict),
        reason=verdict.reason.value if isinstance(verdict, Refused) else None,
        evidence=verdict.evidence if isinstance(verdict, Refused) else _yes(verdict, mark),
        alarms=() if isinstance(verdict, Refused) else tuple(_remark(alarm) for alarm in verdict.alarms),
    )


def _verdict(
    signed: Signed | Refused,
    release: Release | Refused | None,
    mark: Mark | None,
    *,
    asked_suite: str | None,
    now: int,
    rules: Rules,
) -> Accepted | Refused:
    """What the gateway would say: first about the signatures, then the Release, then its history."""
    if isinstance(signed, Refused):
        return signed
    if release is None:
        return Refused(Reason.VERIFIERS_DISAGREE, "the verifier accepts a frame that we refuse: report this")
    if isinstance(release, Refused):
        return release
    suite = release.suite or release.codename or "" if asked_suite is None else asked_suite
    return accept(signed, release, mark, asked_suite=suite, now=now, rules=rules)


def _signature(finding: Finding) -> SignatureSeen:
    claim, key, certificate, refused = finding.claim, finding.key, finding.certificate, finding.refused
    issuer = claim.issuer_fingerprint or claim.issuer_key_id if claim else None
    return SignatureSeen(
        state=refused.reason.value if refused else "good",
        why=refused.evidence if refused else "a pinned key made it over these bytes",
        key=key.fingerprint if key else issuer,
        primary=certificate.fingerprint if certificate else None,
        whose=certificate.user_id if certificate else None,
        keyring=certificate.origin if certificate else None,
        algorithm=key.strength if key else claim.algorithm if claim else None,
        digest=claim.digest if claim else None,
        created=claim.created if claim else None,
        expires=claim.expires if claim else None,
    )


def _release(release: Release, text: bytes, now: int) -> ReleaseSeen:
    return ReleaseSeen(
        origin=release.origin,
        label=release.label,
        suite=release.suite,
        codename=release.codename,
        version=release.version,
        date=release.date,
        valid_until=release.valid_until,
        age_s=max(0, now - release.date),
        expires_in_s=None if release.valid_until is None else release.valid_until - now,
        architectures=release.architectures,
        components=release.components,
        acquire_by_hash=release.acquire_by_hash,
        indices=_indices(text),
    )


def _indices(text: bytes) -> dict[str, int]:
    """How many lines follow each digest field, the weak ones included, which nothing here believes."""
    fields = next(stanzas(text), {})
    return {name: len(fields[name].split("\n")) - 1 for name in DIGEST_FIELDS if name in fields}


def _word(verdict: Accepted | Refused) -> Literal["accepted", "unchanged", "refused"]:
    match verdict:
        case Refused():
            return "refused"
        case Accepted(changed=True):
            return "accepted"
        case Accepted():
            return "unchanged"
    assert_never(verdict)


def _yes(verdict: Accepted, mark: Mark | None) -> str:
    signers = ", ".join(verdict.mark.signers)
    if not verdict.changed:
        return f"signed by {signers}; it is what was accepted on {utc(verdict.mark.accepted_at)}"
    compared = "no earlier one to compare with" if mark is None else f"newer than {utc(mark.date)}"
    return f"signed by {signers}; of {utc(verdict.mark.date)}, {compared}"


def _remark(refused: Refused) -> Remark:
    return Remark(reason=refused.reason.value, evidence=refused.evidence)
